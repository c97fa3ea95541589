/** Reviews of proposals. What was judged outlives a reload of the page; the proposals stay on the server. */

import { OPEN_FILTER } from "./proposals.js";
import { recall, remember } from "./storage.js";

/** @import { Judged, Review } from "./types.d.ts" */

/** What is kept of a review. @typedef {Pick<Review, "imageId" | "kind" | "boxes" | "jobId" | "filter" | "labelId" | "judged" | "kept" | "dropped"> & {together: number[]}} Saved */

const KEY = "annotator.reviews";
/** A file of boxes may begin a review on each of its images. */
const MOST = 1000;

let lastReview = 0;

/**
 * @param {string} imageId
 * @param {Partial<Review>} [fields]
 * @returns {Review} one that waits for its proposals
 */
export function newReview(imageId, fields = {}) {
  lastReview += 1;
  return {
    id: lastReview,
    imageId,
    kind: "auto",
    boxes: [],
    jobId: "",
    state: "running",
    done: 0,
    total: 0,
    proposals: [],
    judged: [],
    gone: new Set(),
    together: new Set(),
    filter: OPEN_FILTER,
    labelId: null,
    kept: [],
    dropped: [],
    pointer: null,
    steps: 0,
    ...fields,
  };
}

/** @param {Judged[]} items @returns {Judged[]} without their masks */
const slim = (items) => items.map(({ index, bbox }) => ({ index, bbox }));

/** @param {Review} review @returns {Saved} */
function saved({ imageId, kind, boxes, jobId, filter, labelId, judged, together, kept, dropped }) {
  return {
    imageId,
    kind,
    boxes,
    jobId,
    filter,
    labelId,
    judged: slim(judged),
    together: [...together],
    kept: kept.map(({ ids, items }) => ({ ids, items: slim(items) })),
    dropped: dropped.map(slim),
  };
}

/**
 * @param {Storage} storage  of this tab alone: two tabs may work on one image
 */
export function createReviews(storage) {
  return {
    /** @returns {Review[]} each is to be followed again: its run may have ended, or be forgotten by the server */
    load() {
      const entries = recall(storage, KEY, /** @type {Saved[]} */ ([]));
      return entries.map(({ imageId, together, ...fields }) => newReview(imageId, { ...fields, together: new Set(together) }));
    },
    /** @param {Review[]} reviews  the newest are kept */
    save(reviews) {
      const entries = reviews.filter((review) => review.jobId || review.kind === "boxes").slice(-MOST);
      if (!entries.length || !remember(storage, KEY, JSON.stringify(entries.map(saved)))) storage.removeItem(KEY);
    },
  };
}
