import assert from "node:assert/strict";
import { test } from "node:test";

import { createMerging } from "../../static/work/merging.js";
import { label, page, server } from "./parts.js";

const answers = {
  "GET /labels/1/usage": () => ({ annotations: 3 }),
  "POST /labels/1/merge": () => label(2),
  "POST /projects/1/labels/1/split": () => label(1),
  "PATCH /labels/1": (fields) => label(1, fields),
};

/** A page with the labels 1, which has the key 4, and 2. */
function merging(agrees, more = {}) {
  const one = label(1, { key: "4" });
  const on = page({ labels: [one, label(2)] });
  const done = [];
  const asked = [];
  const { api, calls } = server({ ...answers, ...more });
  const context = {
    labels: { change: async (id, fields) => void done.push([id, fields]) || true, load: async () => void done.push("labels") },
    objects: { settled: async () => void done.push("settled"), refresh: async () => void done.push("objects") },
    ask: async (question) => {
      asked.push(question);
      return agrees;
    },
  };
  return { ...on, one, done, asked, calls, merging: createMerging({ ...on, api, ...context }) };
}

test("a label with a new name is changed", async () => {
  const { one, done, merging: of } = merging(true);
  assert.ok(await of.change(one, { name: "other" }));
  assert.deepEqual(done, [[1, { name: "other" }]]);
});

test("a name that another label has merges the two, once what is on its way has arrived", async () => {
  const { store, one, done, asked, said, calls, merging: of } = merging(true);
  assert.ok(await of.change(one, { name: "label 2" }));
  assert.deepEqual(asked, ["Merge label 1 into label 2? 3 objects get the label label 2."]);
  assert.deepEqual(done, ["settled", "objects", "labels"]);
  assert.equal(store.get().labelId, 2);
  await said.at(-1).action[1]();
  assert.deepEqual(
    calls.slice(-2).map(({ method, path, body }) => [method, path, body]),
    [
      ["POST", "/projects/1/labels/1/split", undefined],
      ["PATCH", "/labels/1", { key: "4" }],
    ],
  );
});

test("labels that are not to be merged stay as they are", async () => {
  const { one, calls, merging: of } = merging(false);
  assert.ok(await of.change(one, { name: "label 2" }), "and the form closes");
  assert.deepEqual(
    calls.map(({ method }) => method),
    ["GET"],
  );
});

test("a refused merging is told", async () => {
  const refuse = () => {
    throw new Error("There is no such label in this project.");
  };
  const { one, said, merging: of } = merging(true, { "POST /labels/1/merge": refuse });
  assert.equal(await of.change(one, { name: "label 2" }), false);
  assert.match(said.at(-1).text, /not merged: There is no such label/);
});
