/** Objects in progress, by image, that outlive a reload of the page. */

import { draftOf, newStep } from "./draft.js";
import { recall, remember } from "./storage.js";

/** @import { Draft, Step } from "./types.d.ts" */

const KEY = "annotator.drafts";
const MOST = 8;

/**
 * Only the step on the screen is kept of each draft.
 * @param {Storage} storage  of this tab alone: two tabs may work on one image
 */
export function createDrafts(storage) {
  return {
    /** @returns {Map<string, Draft>} */
    load() {
      const entries = recall(storage, KEY, /** @type {[string, Step][]} */ ([]));
      return new Map(entries.map(([id, step]) => [id, draftOf(newStep(step))]));
    },
    /** @param {Map<string, Draft>} drafts  the newest are kept */
    save(drafts) {
      const entries = [...drafts].slice(-MOST).map(([id, { now }]) => [id, now]);
      if (!entries.length || !remember(storage, KEY, JSON.stringify(entries))) storage.removeItem(KEY);
    },
  };
}
