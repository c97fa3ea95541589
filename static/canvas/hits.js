/** Hit testing: what lies at a point of the image, or inside a line. */

import { shownMask } from "../data/draft.js";
import { visibleProposals } from "../data/proposals.js";
import { area, contains } from "./rle.js";

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
 * @returns {Proposal | null} the smallest proposal there
 */
export const proposalAt = (review, x, y) => smallest(visibleProposals(review).filter((item) => contains(item.mask, x, y)));

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
 * @returns {number[]} indices of the proposals whose middle lies inside
 */
export const indicesInside = (review, line) =>
  visibleProposals(review)
    .filter((item) => inPolygon(line, middle(item.mask)))
    .map((item) => item.index);

/** @param {Mask} mask @returns {Position} the middle of its box */
const middle = ({ x, y, w, h }) => [x + w / 2, y + h / 2];

/** @param {Position[]} polygon @param {Position} point */
function inPolygon(polygon, [x, y]) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
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
