import assert from "node:assert/strict";
import { test } from "node:test";

import { createStore } from "../../static/data/store.js";

test("watchers run at once, then once per task with the latest values", async () => {
  const store = createStore({ a: 1, b: 1 });
  const seen = [];
  store.watch(["a"], ({ a }) => seen.push(a));
  store.set({ a: 2 });
  store.set({ a: 3 });
  store.set({ b: 9 });
  await Promise.resolve();
  store.set({ a: 3 });
  await Promise.resolve();
  assert.deepEqual(seen, [1, 3]);
});

test("a watcher may set further values", async () => {
  const store = createStore({ a: 1, b: 1 });
  store.watch(["a"], ({ a }) => store.set({ b: a * 2 }));
  const seen = [];
  store.watch(["b"], ({ b }) => seen.push(b));
  store.set({ a: 5 });
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(seen.at(-1), 10);
});
