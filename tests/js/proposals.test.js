import assert from "node:assert/strict";
import { test } from "node:test";

import { OPEN_FILTER, atMost, gathered, visibleProposals } from "../../static/data/proposals.js";
import { review as finished } from "./parts.js";

const square = (/** @type {number} */ index, /** @type {number} */ x, /** @type {number} */ size, fields = {}) => ({
  index,
  mask: { x, y: 0, w: size, h: size, runs: [0, size * size] },
  score: 0.9 - index / 10,
  stability: 0.9,
  area: size * size,
  bbox: [x, 0, size, size],
  ...fields,
});
const review = (fields = {}) => finished({ proposals: [square(0, 0, 10), square(1, 1, 10), square(2, 50, 4)], ...fields });
const indices = (/** @type {any} */ of) => visibleProposals(of).map((item) => item.index);

test("an open filter shows everything that is not judged", () => {
  assert.deepEqual(indices(review()), [0, 1, 2]);
  assert.deepEqual(indices(review({ gone: new Set([1]) })), [0, 2]);
  assert.deepEqual(visibleProposals(null), []);
});

test("score and area have lower limits", () => {
  assert.deepEqual(indices(review({ filter: { ...OPEN_FILTER, score: 0.8 } })), [0, 1]);
  assert.deepEqual(indices(review({ filter: { ...OPEN_FILTER, area: 20 } })), [0, 1]);
});

test("the worse of two that overlap too much is hidden, also when the better one is judged", () => {
  const filter = { ...OPEN_FILTER, overlap: 0.5 };
  assert.deepEqual(indices(review({ filter })), [0, 2]);
  assert.deepEqual(indices(review({ filter, gone: new Set([0]) })), [2]);
});

test("overlap is of masks, not of boxes, and counts in parts of the smaller one", () => {
  const corner = { ...square(0, 0, 10), mask: { x: 0, y: 0, w: 10, h: 10, runs: [0, 10, 90] }, area: 10 };
  const below = { ...square(1, 0, 10), mask: { x: 0, y: 0, w: 10, h: 10, runs: [10, 90] }, area: 90 };
  const part = square(2, 4, 1, { mask: { x: 4, y: 4, w: 1, h: 1, runs: [0, 1] } });
  const proposals = [corner, below, part];
  const shownAt = (/** @type {number} */ overlap) => indices(review({ proposals, filter: { ...OPEN_FILTER, overlap } }));
  assert.deepEqual(shownAt(0), [0, 1], "boxes meet, masks do not");
  assert.deepEqual(shownAt(0.99), [0, 1], "all of the part lies in another");
  assert.deepEqual(shownAt(1), [0, 1, 2]);
});

test("only what is shown is kept together", () => {
  const together = new Set([0, 2]);
  assert.deepEqual(gathered(review({ together })), [0, 2]);
  assert.deepEqual(gathered(review({ together, filter: { ...OPEN_FILTER, area: 20 } })), [0]);
});

test("of very many, the best are shown at first", () => {
  const many = Array.from({ length: 80 }, (_, index) => ({ ...square(index, index, 4), score: 1 - index / 100 }));
  const filter = atMost(50, many, OPEN_FILTER);
  assert.deepEqual(indices(review({ proposals: many, filter })).length, 50);
  assert.equal(atMost(80, many, OPEN_FILTER), OPEN_FILTER);
  const alike = many.map((item) => ({ ...item, score: 0.7 }));
  assert.equal(atMost(50, alike, OPEN_FILTER), OPEN_FILTER, "none is better than another");
});
