/** Objects in progress, by image, that outlive a reload of the page. */

import { draftOf, newStep } from "./draft.js";
import { recall, remember } from "./storage.js";

/** @import { Progress, Step } from "./types.d.ts" */

const KEY = "annotator.drafts";
const MOST = 8;

/**
 * Only the step on the screen is kept of each object.
 * @param {Storage} storage  of this tab alone: two tabs may work on one image
 */
export function createDrafts(storage) {
  return {
    /** @returns {Map<string, Progress>} */
    load() {
      const entries = recall(storage, KEY, /** @type {[string, Step[]][]} */ ([]));
      return new Map(
        entries.map(([id, steps]) => {
          const [draft, ...others] = steps.map((step) => draftOf(newStep(step)));
          return [id, { draft, others }];
        }),
      );
    },
    /** @param {Map<string, Progress>} all  the newest are kept */
    save(all) {
      const shown = (/** @type {Progress} */ { draft, others }) => [draft, ...others].flatMap(({ now }) => now ?? []);
      const entries = [...all].slice(-MOST).map(([id, progress]) => [id, shown(progress)]);
      if (!entries.length || !remember(storage, KEY, JSON.stringify(entries))) storage.removeItem(KEY);
    },
  };
}
