import assert from "node:assert/strict";
import { test } from "node:test";

import { createDrafts } from "../../static/data/drafts.js";
import { createPrompting } from "../../static/work/prompting.js";
import { newStep } from "../../static/data/state.js";
import { memory, page, photo, server, square } from "./parts.js";

const step = newStep({ points: [[1, 1, 1]], edited: square(), answered: true });
const draft = { past: [], now: step, future: [] };

test("passing through an image does not lose what is parked there", () => {
  const { store, ...on } = page({ draft });
  const prompting = createPrompting({ store, api: server({}).api, ...on });
  prompting.park("a");
  prompting.unpark("b");
  prompting.park("b");
  prompting.park("a"); // left again before it was ready
  prompting.unpark("a");
  assert.equal(store.get().draft.now, step);
});

test("an object dropped after the return does not come back", () => {
  const { store, ...on } = page({ draft });
  const prompting = createPrompting({ store, api: server({}).api, ...on });
  prompting.park("a");
  prompting.unpark("a");
  prompting.drop();
  prompting.park("a");
  prompting.unpark("a");
  assert.equal(store.get().draft.now, null);
});

test("another candidate after the brush leaves the stroke behind, to be had back", () => {
  const reply = { token: "t", candidates: [{ mask: square(0) }, { mask: square(9) }] };
  const painted = newStep({ ...step, reply });
  const { store, ...on } = page({ draft: { past: [], now: painted, future: [] } });
  const prompting = createPrompting({ store, api: server({}).api, ...on });
  prompting.cycle(1);
  assert.equal(store.get().draft.now.edited, null);
  assert.equal(store.get().draft.now.index, 1);
  prompting.undo();
  assert.equal(store.get().draft.now, painted);
});

test("what could not be kept is in progress again, or waits where it was made", () => {
  const { store, said, ...on } = page();
  const prompting = createPrompting({ store, api: server({}).api, ...on });
  const { image } = store.get();
  prompting.giveBack(image, draft);
  assert.equal(store.get().draft.now, step);
  prompting.drop();
  prompting.park("a");
  store.set({ image: photo("b") });
  prompting.giveBack(image, draft);
  assert.equal(store.get().draft.now, null);
  assert.match(said.at(-1).text, /waits on a\.jpg/);
  prompting.unpark("a");
  assert.equal(store.get().draft.now, step);
});

test("what could not be kept does not push out what was begun meanwhile", () => {
  const { store, ...on } = page({ draft });
  const prompting = createPrompting({ store, api: server({}).api, ...on });
  prompting.giveBack(store.get().image, { ...draft, now: newStep({ points: [[2, 2, 1]] }) });
  assert.equal(store.get().draft.now, step);
});

test("what is in progress outlives the page, on its own image", () => {
  const storage = memory();
  const { store, ...on } = page({ draft });
  const prompting = createPrompting({ store, api: server({}).api, ...on, drafts: createDrafts(storage) });
  prompting.park("b");
  store.set({ draft: { ...draft, now: newStep({ points: [[2, 2, 1]], edited: square(), answered: true }) } });
  prompting.save();

  const { store: next, ...after } = page();
  const again = createPrompting({ store: next, api: server({}).api, ...after, drafts: createDrafts(storage) });
  again.unpark("a");
  assert.deepEqual(next.get().draft.now.points, [[2, 2, 1]]);
  again.unpark("b");
  assert.deepEqual(next.get().draft.now.points, step.points);
  again.drop();
  again.save();
  assert.deepEqual(Object.keys(storage), []);
});
