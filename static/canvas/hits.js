/** Hit testing: what lies at a point of the image, or inside a line. */

import { shownMask } from "../data/draft.js";
import { visibleProposals } from "../data/proposals.js";
import { area, contains, spans } from "../data/rle.js";

/** @import { Annotation, Box, Draft, Mask, Position, Progress, Proposal, Review, State, Step } from "../data/types.d.ts" */

/**
 * @param {Pick<State, "annotations" | "hidden">} state
 * @param {number} x
 * @param {number} y
 * @returns {Annotation | null} the smallest kept object there
 */
export function objectAt({ annotations, hidden }, x, y) {
  return smallest(annotations.filter((item) => !item.pending && !hidden.has(item.id) && contains(item.mask, x, y)));
}

/**
 * @param {Review | null} review
 * @param {number} x
 * @param {number} y
 * @returns {Proposal[]} those shown there, smallest first
 */
export const proposalsAt = (review, x, y) =>
  visibleProposals(review)
    .filter((item) => contains(item.mask, x, y))
    .sort((one, other) => one.area - other.area);

/**
 * @param {Review | null} review
 * @returns {{under: Proposal[], meant: Proposal | null}} the proposals under the pointer, and the one of them that a click means
 */
export function pointedAt(review) {
  const under = review?.pointer ? proposalsAt(review, ...review.pointer) : [];
  return { under, meant: under[Math.min(review?.steps ?? 0, under.length - 1)] ?? null };
}

/**
 * @param {Progress} progress
 * @param {number} x
 * @param {number} y
 * @returns {Draft | null} the object in progress there: the one in hand, else the smallest
 */
export function draftAt({ draft, others }, x, y) {
  const isThere = (/** @type {Mask | null} */ mask) => mask !== null && contains(mask, x, y);
  if (isThere(shownMask(draft.now))) return draft;
  const found = others.flatMap((other) => {
    const mask = shownMask(other.now);
    return mask && isThere(mask) ? [{ other, area: area(mask) }] : [];
  });
  return smallest(found)?.other ?? null;
}

/**
 * @template {{area: number}} T
 * @param {T[]} items
 * @returns {T | null} the first of the smallest
 */
const smallest = (items) =>
  items.reduce((/** @type {T | null} */ best, item) => (best && best.area <= item.area ? best : item), null);

/**
 * @param {Review | null} review
 * @param {Position[]} line  a closed line
 * @returns {number[]} indices of the proposals of which at least half lies inside
 */
export function indicesInside(review, line) {
  /** @type {Map<number, number[]>} */
  const rows = new Map();
  const crossed = (/** @type {number} */ y) => {
    const found = rows.get(y) ?? crossings(line, y + 0.5);
    rows.set(y, found);
    return found;
  };
  return visibleProposals(review)
    .filter(({ mask }) => 2 * pixelsInside(mask, crossed) >= area(mask))
    .map((item) => item.index);
}

/** @param {Mask} mask @param {(y: number) => number[]} crossed @returns {number} how many of its pixels' centres lie in the line */
function pixelsInside(mask, crossed) {
  let count = 0;
  const rows = spans(mask);
  for (let k = 0; k < rows.length; k += 3) {
    const edges = crossed(rows[k]);
    for (let i = 0; i + 1 < edges.length; i += 2) {
      const first = Math.max(rows[k + 1], Math.ceil(edges[i] - 0.5));
      const end = Math.min(rows[k + 2], Math.ceil(edges[i + 1] - 0.5));
      count += Math.max(0, end - first);
    }
  }
  return count;
}

/** @param {Position[]} polygon @param {number} y @returns {number[]} where its edges cross a row, ascending: every second one leaves it */
function crossings(polygon, y) {
  /** @type {number[]} */
  const found = [];
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y) found.push(((xj - xi) * (y - yi)) / (yj - yi) + xi);
  }
  return found.sort((a, b) => a - b);
}

/**
 * @param {Step | null} step
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 * @returns {number} index of the nearest point prompt within reach, -1 for none
 */
export function nearestPoint(step, x, y, reach) {
  let best = -1;
  let distance = reach;
  step?.points.forEach((point, index) => {
    const away = Math.hypot(point[0] - x, point[1] - y);
    if (away <= distance) [best, distance] = [index, away];
  });
  return best;
}

/** @param {Box} box @param {number} x @param {number} y @param {number} reach @returns {boolean} whether its edge is in reach */
export function onEdge([x0, y0, x1, y1], x, y, reach) {
  const within = x > x0 - reach && x < x1 + reach && y > y0 - reach && y < y1 + reach;
  const deep = x > x0 + reach && x < x1 - reach && y > y0 + reach && y < y1 - reach;
  return within && !deep;
}
