import assert from "node:assert/strict";
import { test } from "node:test";

import { indicesInside, nearestPoint, objectAt, onEdge, proposalsAt } from "../../static/canvas/hits.js";
import { newStep } from "../../static/data/draft.js";
import { annotation, review, square } from "./parts.js";

const proposal = (index, x, size) => ({
  index,
  mask: square(x, size),
  score: 1,
  stability: 1,
  area: size * size,
  bbox: [x, 0, size, size],
});

test("proposals at a point come smallest first", () => {
  const nested = review({ proposals: [proposal(0, 0, 10), proposal(1, 2, 3)] });
  const at = (x, y) => proposalsAt(nested, x, y).map((item) => item.index);
  assert.deepEqual([at(3, 1), at(9, 9), at(99, 9)], [[1, 0], [0], []]);
});

test("the smallest object is meant, but none that is hidden or not saved yet", () => {
  const annotations = [
    annotation("big", { mask: square(0, 10), area: 100 }),
    annotation("small", { mask: square(2, 3), area: 9 }),
    annotation("new", { mask: square(2, 2), area: 4, pending: true }),
  ];
  assert.equal(objectAt({ annotations, hidden: new Set() }, 3, 1)?.id, "small");
  assert.equal(objectAt({ annotations, hidden: new Set(["small"]) }, 3, 1)?.id, "big");
  assert.equal(objectAt({ annotations, hidden: new Set() }, 50, 1), null);
});

test("a line takes the proposals of which half lies inside", () => {
  const two = review({ proposals: [proposal(0, 0, 4), proposal(1, 20, 4)] });
  const line = [
    [-1, -1],
    [10, -1],
    [10, 10],
    [-1, 10],
  ];
  assert.deepEqual(indicesInside(two, line), [0]);
  const wide = (/** @type {number} */ x) => review({ proposals: [{ ...proposal(0, 0, 4), mask: { x, y: 0, w: 20, h: 1, runs: [0, 20] } }] });
  assert.deepEqual(indicesInside(wide(-10), line), [0], "half of it");
  assert.deepEqual(indicesInside(wide(1), line), [], "its middle is outside");
  const ring = [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0], [2, 2], [2, 6], [6, 6], [6, 2], [2, 2]];
  assert.deepEqual(indicesInside(review({ proposals: [{ ...proposal(0, 3, 2), mask: { x: 3, y: 3, w: 2, h: 2, runs: [0, 4] } }, proposal(1, 0, 2)] }), ring), [1], "not in the hole");
});

test("a box is met at its edge, not in its middle", () => {
  assert.equal(onEdge([10, 10, 50, 50], 11, 30, 3), true);
  assert.equal(onEdge([10, 10, 50, 50], 30, 30, 3), false);
  assert.equal(onEdge([10, 10, 50, 50], 5, 30, 3), false);
});

test("the nearest prompt within reach is found", () => {
  const step = newStep({
    points: [
      [0, 0, 1],
      [10, 0, 0],
    ],
  });
  assert.equal(nearestPoint(step, 8, 0, 5), 1);
  assert.equal(nearestPoint(step, 5, 50, 5), -1);
  assert.equal(nearestPoint(null, 0, 0, 5), -1);
});
