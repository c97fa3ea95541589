/** The preview of the mask under the pointer, before any click. */

import { createLatest } from "../data/api.js";
import { newStep } from "../data/draft.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { PromptRequests } from "./requests.js" */

const SLOW_LINKS = new Set(["slow-2g", "2g", "3g"]);
const SLOW_REPLY_MS = 700;

/** Of `navigator.connection`, which not every browser has. @typedef {{saveData?: boolean, effectiveType?: string}} Link */

/**
 * @param {{store: Store, requests: PromptRequests, beginsAnother: (x: number, y: number) => boolean}} context
 *   `beginsAnother`: whether a click there would begin an object
 */
export function createPreview({ store, requests, beginsAnother }) {
  let slowReplies = 0;

  const latest = createLatest(
    async (/** @type {{imageId: string, x: number, y: number}} */ { imageId, x, y }) => {
      const begin = performance.now();
      const reply = await requests.askEarly(imageId, newStep({ points: [[x, y, 1]] }), "hover");
      slowReplies = performance.now() - begin > SLOW_REPLY_MS ? slowReplies + 1 : 0;
      return reply;
    },
    (reply, { imageId, x, y }) => {
      const { image, review } = store.get();
      if (image?.id === imageId && beginsAnother(x, y) && !review) store.set({ hover: reply.candidates[0]?.mask ?? null });
    },
  );

  function linkIsSlow() {
    const link = /** @type {{connection?: Link}} */ (navigator).connection;
    return slowReplies > 3 || link?.saveData || SLOW_LINKS.has(link?.effectiveType ?? "");
  }

  /** @param {number} x @param {number} y */
  function wanted(x, y) {
    const { image, view, review, tool } = store.get();
    return view.hover && image?.embedding === "ready" && !review && tool === "add" && !linkIsSlow() && beginsAnother(x, y);
  }

  return {
    /** @param {number} x @param {number} y */
    show(x, y) {
      const { image } = store.get();
      if (image && wanted(x, y)) latest.ask({ imageId: image.id, x, y });
      else this.end();
    },
    end() {
      latest.cancel();
      if (store.get().hover) store.set({ hover: null });
    },
    /** An answer on its way is not shown any more. */
    cancel: latest.cancel,
  };
}
