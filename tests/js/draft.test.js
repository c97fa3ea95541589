import assert from "node:assert/strict";
import { test } from "node:test";

import {
  NO_DRAFT,
  distinctCandidates,
  newStep,
  patchStep,
  redoStep,
  shownMask,
  undoStep,
  withPrompts,
} from "../../static/data/draft.js";

const POINT = [5, 5, 1];
const mask = (x) => ({ x, y: 0, w: 1, h: 1, runs: [0, 1] });
const reply = (token, ...masks) => ({
  token,
  candidates: masks.map((item) => ({ mask: item, score: 0.9, stability: 0.9, area: 1 })),
  timing: {},
});

function answered(draft, token, ...masks) {
  return patchStep(draft, draft.now.id, { reply: reply(token, ...masks), answered: true });
}

test("the first prompt refines nothing, the next refines the mask shown", () => {
  let draft = withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true });
  assert.equal(draft.now.base, null);
  draft = answered(draft, "a", mask(1), mask(2), mask(3));
  draft = patchStep(draft, draft.now.id, { index: 2 });
  draft = withPrompts(draft, { points: [POINT, [9, 9, 0]] }, { refine: true });
  assert.deepEqual(draft.now.base, { token: "a", index: 2 });
  assert.equal(draft.now.answered, false);
  assert.deepEqual(shownMask(draft.now), mask(3), "the old mask stays until the new one is there");
});

test("removing a prompt starts from the prompts alone", () => {
  let draft = answered(withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true }), "a", mask(1));
  draft = withPrompts(draft, { points: [] }, { refine: false });
  assert.equal(draft.now.base, null);
});

test("undo and redo walk the steps with their answers", () => {
  const first = answered(withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true }), "a", mask(1));
  const second = answered(withPrompts(first, { box: [0, 0, 9, 9] }, { refine: false }), "b", mask(2));
  const back = undoStep(second);
  assert.deepEqual(shownMask(back.now), mask(1));
  const gone = undoStep(back);
  assert.equal(gone.now, null);
  assert.equal(undoStep(gone).future.length, 2);
  const again = redoStep(redoStep(gone));
  assert.deepEqual(shownMask(again.now), mask(2));
  assert.deepEqual(redoStep(again), again);
});

test("a new prompt after undo forgets what was undone", () => {
  const first = withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true });
  const second = withPrompts(undoStep(first), { points: [[1, 1, 1]] }, { refine: true });
  assert.equal(second.future.length, 0);
});

test("a late answer lands on its own step only", () => {
  const first = withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true });
  const second = withPrompts(first, { points: [POINT, POINT] }, { refine: true });
  const settled = patchStep(second, first.now.id, { reply: reply("late", mask(1)), answered: true });
  assert.equal(settled.now.reply, null);
  assert.equal(settled.past[0].reply.token, "late");
  assert.deepEqual(patchStep(NO_DRAFT, first.now.id, { answered: true }), { past: [], now: null, future: [] });
});

test("an edited mask is shown instead of the candidate", () => {
  const step = newStep({ reply: reply("a", mask(1)), answered: true, edited: mask(7) });
  assert.deepEqual(shownMask(step), mask(7));
  assert.equal(shownMask(null), null);
});

test("candidates that show the same mask appear once and keep their place in the answer", () => {
  const one = distinctCandidates(reply("a", mask(1), mask(1), mask(2)), (x, y) => x.x === y.x);
  assert.deepEqual(
    one.candidates.map((candidate) => candidate.index),
    [0, 2],
  );
  let draft = withPrompts(NO_DRAFT, { points: [POINT] }, { refine: true });
  draft = patchStep(draft, draft.now.id, { reply: one, answered: true, index: 1 });
  assert.deepEqual(withPrompts(draft, { points: [POINT, POINT] }, { refine: true }).now.base, { token: "a", index: 2 });
});
