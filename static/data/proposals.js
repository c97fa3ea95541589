/** Automatic masks to be judged: which pass the filters, and which one is meant. */

import { contains } from "../canvas/rle.js";

/** Boxes that overlap more are of the same thing: the server's own rule (NMS) for automatic masks. */
const SAME_THING = 0.7;

/**
 * @typedef {{index: number, mask: import("../canvas/rle.js").Mask, score: number, stability: number, area: number, bbox: number[]}} Proposal
 * @typedef {{score: number, stability: number, area: number, overlap: number}} Filter  least score, stability and area; most
 *   overlap (IoU of the boxes) with a better-scored proposal that is shown
 * @typedef {{id: number, jobId: string, state: "running" | "done" | "cancelled" | "failed", done: number, total: number,
 *   proposals: Proposal[], judged: Proposal[], gone: Set<number>, together: Set<number>, filter: Filter,
 *   kept: {ids: string[], items: Proposal[]}[], dropped: Proposal[][], hover: number | null}} Review  `judged`: kept or dropped, in this or an earlier part of the run; `gone`: those of them among
 *   `proposals`; `together`: to be kept as one object; `kept`: the objects that were made of proposals; `dropped`: what an undo brings
 *   back before it touches objects
 */

/** Everything passes. */
export const OPEN_FILTER = Object.freeze({ score: 0, stability: 0, area: 0, overlap: 1 });

/** @type {{key: any[], shown: Proposal[]}} */
let last = { key: [], shown: [] };

/**
 * @param {Review | null} review
 * @returns {Proposal[]} those still to be judged that pass the filters
 */
export function visibleProposals(review) {
  if (!review) return [];
  const key = [review.proposals, review.gone, review.filter];
  if (key.some((value, i) => value !== last.key[i])) last = { key, shown: filtered(review) };
  return last.shown;
}

/** @param {Review | null} review @returns {number[]} what is put together, as far as it is shown */
export const gathered = (review) =>
  visibleProposals(review)
    .map((item) => item.index)
    .filter((index) => review?.together.has(index));

/** @param {Review} review @returns {Proposal[]} */
function filtered({ proposals, gone, filter }) {
  const passing = proposals.filter(
    (item) => item.score >= filter.score && item.stability >= filter.stability && item.area >= filter.area,
  );
  /** @type {Proposal[]} */
  const apart = [];
  for (const item of passing) {
    if (filter.overlap >= 1 || apart.every((other) => boxIou(item.bbox, other.bbox) <= filter.overlap)) apart.push(item);
  }
  return apart.filter((item) => !gone.has(item.index));
}

/** @param {Proposal} one @param {Proposal} other @returns {boolean} */
export const sameThing = (one, other) => boxIou(one.bbox, other.bbox) > SAME_THING;

/** @param {number[]} a  x, y, width, height @param {number[]} b */
function boxIou(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const common = Math.max(0, width) * Math.max(0, height);
  return common / (a[2] * a[3] + b[2] * b[3] - common);
}

/**
 * @param {Review | null} review
 * @param {number} x image
 * @param {number} y
 * @returns {Proposal | null} the smallest proposal there
 */
export function proposalAt(review, x, y) {
  const hits = visibleProposals(review).filter((item) => contains(item.mask, x, y));
  return hits.reduce((/** @type {Proposal | null} */ best, item) => (best && best.area <= item.area ? best : item), null);
}

/**
 * @param {Review | null} review
 * @param {number[][]} line  image points of a closed line
 * @returns {number[]} indices of the proposals whose middle lies inside
 */
export const indicesInside = (review, line) =>
  visibleProposals(review)
    .filter((item) => inPolygon(line, middle(item)))
    .map((item) => item.index);

/** @param {Proposal} item @returns {number[]} */
const middle = ({ mask }) => [mask.x + mask.w / 2, mask.y + mask.h / 2];

/** @param {number[][]} polygon @param {number[]} point */
function inPolygon(polygon, [x, y]) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
