import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_DRAFT, draftOf, newStep } from "../../static/data/draft.js";
import { createSuggestion } from "../../static/work/suggestion.js";
import { label, page, server, settle, square } from "./parts.js";

const ASK = "POST /images/a/label-suggestion";
const drawn = (fields = {}) => draftOf(newStep({ points: [[1, 1, 1]], edited: square(), answered: true, ...fields }));

/** A page with two labels; the server suggests this one. Returns when a pause has passed. */
async function suggesting(context, draft, suggested = 2, fields = {}) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const on = page({ labels: [label(1), label(2)], ...fields });
  const { api, calls } = server({ [ASK]: () => ({ label_id: suggested }) });
  const suggestion = createSuggestion({ ...on, api });
  const show = async (next) => {
    on.store.set({ draft: next });
    await Promise.resolve();
    context.mock.timers.tick(1000);
    context.mock.timers.reset();
    await settle();
    context.mock.timers.enable({ apis: ["setTimeout"] });
  };
  await show(draft);
  return { ...on, calls, suggestion, show };
}

test("a suggested label is shown, and chosen only when it is taken", async (context) => {
  const { store, suggestion } = await suggesting(context, drawn());
  assert.deepEqual([store.get().suggestion, store.get().labelId], [2, 1]);
  suggestion.take();
  assert.deepEqual([store.get().suggestion, store.get().labelId], [null, 2]);
  suggestion.take();
  assert.equal(store.get().labelId, 2);
});

test("a suggestion goes with its object", async (context) => {
  const { store, suggestion, show } = await suggesting(context, drawn());
  await show(NO_DRAFT);
  assert.equal(store.get().suggestion, null);
  suggestion.take();
  assert.equal(store.get().labelId, 1);
});

test("an unsure server suggests nothing", async (context) => {
  const { store, calls } = await suggesting(context, drawn(), null);
  assert.deepEqual([calls.length, store.get().suggestion], [1, null]);
});

for (const [what, draft, fields] of [
  ["a mask on its way", drawn({ answered: false }), {}],
  ["a correction", drawn({ annotationId: "one" }), {}],
  ["the only label", drawn(), { labels: [label(1)] }],
])
  test(`nothing is asked about ${what}`, async (context) => {
    const { calls } = await suggesting(context, draft, 2, fields);
    assert.deepEqual(calls, []);
  });
