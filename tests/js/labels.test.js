import assert from "node:assert/strict";
import { test } from "node:test";

import { createLabels } from "../../static/work/labels.js";
import { deferred, label, page, server, settle } from "./parts.js";

const LIST = "GET /projects/1/labels";
const ADD = "POST /projects/1/labels";

/** The labels 1 and 2 on a page that knows only the first. */
function labelling(answers) {
  const on = page();
  const { api, calls } = server({ [LIST]: () => [label(1), label(2)], ...answers });
  return { ...on, calls, labels: createLabels({ ...on, api }) };
}

test("labels that are fetched again leave the chosen one chosen", async () => {
  const { store, labels } = labelling({});
  store.set({ labels: [label(1), label(2)], labelId: 2 });
  await labels.load();
  assert.equal(store.get().labelId, 2);
});

test("a list on its way does not take back a label added meanwhile", async () => {
  const list = deferred();
  const { store, labels } = labelling({ [LIST]: () => list.promise, [ADD]: ({ name }) => label(3, { name }) });
  const loaded = labels.load();
  const added = labels.add("new");
  list.resolve([label(1)]);
  await loaded;
  assert.equal(await labels.chosen(), 3);
  assert.equal(await added, 3);
  assert.deepEqual(
    store.get().labels.map(({ id }) => id),
    [1, 3],
  );
  assert.equal(store.get().labelId, 3);
});

test("a label that arrives after its project was left stays out of the list", async () => {
  const reply = deferred();
  const { store, labels } = labelling({ [ADD]: () => reply.promise });
  const added = labels.add("new");
  await settle();
  store.set({ projectId: 2, labels: [], labelId: null });
  reply.resolve(label(3));
  assert.equal(await added, 3);
  assert.deepEqual([store.get().labels, store.get().labelId], [[], null]);
});

test("a refused change is told in the server's words, and the next goes on", async () => {
  const answers = {
    "PATCH /labels/1": ({ key }) => {
      if (key === "2") throw new Error("The key 2 belongs to the label 2.");
      return label(1, { key });
    },
  };
  const { store, said, labels } = labelling(answers);
  assert.equal(await labels.change(1, { key: "2" }), false);
  assert.match(said.at(-1).text, /The key 2 belongs to/);
  assert.equal(await labels.change(1, { key: "3" }), true);
  assert.equal(store.get().labels[0].key, "3");
});
