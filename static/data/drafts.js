/** Objects in progress, by image, that outlive a reload of the page. */

import { newStep } from "./state.js";
import { remember } from "./storage.js";

const KEY = "annotator.drafts";
const MOST = 8;

/**
 * Of each draft its last step is kept: what is on the screen.
 * @param {Storage} storage  of this tab alone: two tabs may work on one image
 */
export function createDrafts(storage) {
  return {
    /** @returns {Map<string, import("./state.js").Draft>} */
    load() {
      try {
        const entries = JSON.parse(storage.getItem(KEY) ?? "[]");
        return new Map(entries.map((/** @type {any} */ [id, step]) => [id, { past: [], now: newStep(step), future: [] }]));
      } catch {
        return new Map();
      }
    },
    /** @param {Map<string, import("./state.js").Draft>} drafts  of more than some, the newest are kept */
    save(drafts) {
      const entries = [...drafts].slice(-MOST).map(([id, { now }]) => [id, now]);
      if (!entries.length || !remember(storage, KEY, JSON.stringify(entries))) storage.removeItem(KEY);
    },
  };
}
