/** Proposals under review: which of them are shown. */

import { area, commonPixels, oncePerPair } from "./rle.js";

/** @import { BoundingBox, Filter, Judged, Proposal, Review } from "./types.d.ts" */

/** Boxes that overlap more show the same thing. It is the server's own limit (NMS) for automatic masks. */
const SAME_THING = 0.7;

/** Everything passes. @type {Filter} */
export const OPEN_FILTER = Object.freeze({ score: 0, stability: 0, area: 0, overlap: 1, similarity: 0 });

/** The last answer; painting asks for the same one many times. @type {{from: unknown[], shown: Proposal[]}} */
let last = { from: [], shown: [] };

/**
 * @param {Review | null} review
 * @returns {Proposal[]} those that are not judged yet and pass the filters
 */
export function visibleProposals(review) {
  if (!review) return [];
  const from = [review.proposals, review.gone, review.filter];
  if (from.some((value, i) => value !== last.from[i])) last = { from, shown: filtered(review) };
  return last.shown;
}

/**
 * @param {number} most
 * @param {Proposal[]} proposals
 * @param {Filter} filter
 * @returns {Filter} with a least score that lets at most so many of the proposals pass; as it is if they are fewer
 */
export function atMost(most, proposals, filter) {
  if (proposals.length <= most) return filter;
  const scores = proposals.map((item) => item.score).sort((a, b) => b - a);
  const score = Math.floor(scores[most] * 100 + 1) / 100;
  return score <= scores[0] ? { ...filter, score } : filter;
}

/** @param {Review | null} review @returns {number[]} indices of the shown proposals to be kept as one object */
export const gathered = (review) =>
  visibleProposals(review)
    .map((item) => item.index)
    .filter((index) => review?.together.has(index));

/** @param {Review} review @returns {Proposal[]} */
function filtered({ proposals, gone, filter }) {
  const passing = proposals.filter(
    (item) =>
      item.score >= filter.score &&
      item.stability >= filter.stability &&
      item.area >= filter.area &&
      (item.similarity ?? 1) >= filter.similarity,
  );
  /** @type {Proposal[]} */
  const apart = [];
  for (const item of passing) {
    if (filter.overlap >= 1 || apart.every((other) => shared(item.mask, other.mask) <= filter.overlap)) apart.push(item);
  }
  return apart.filter((item) => !gone.has(item.index));
}

/** The part (0..1) of the smaller of two masks that lies in the other. */
const shared = oncePerPair((a, b) => commonPixels(a, b) / Math.max(1, Math.min(area(a), area(b))));

/**
 * A run that goes on may number its proposals anew; boxes keep their places in the file.
 * @param {Review} review
 * @param {Judged} one
 * @param {Judged} other
 * @returns {boolean} whether the two, of an earlier and a later part of the review's run, are the same proposal
 */
export const isSame = ({ kind }, one, other) =>
  kind === "boxes" ? one.index === other.index : boxIou(one.bbox, other.bbox) > SAME_THING;

/** @param {BoundingBox} a @param {BoundingBox} b */
function boxIou(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const common = Math.max(0, width) * Math.max(0, height);
  return common / (a[2] * a[3] + b[2] * b[3] - common);
}
