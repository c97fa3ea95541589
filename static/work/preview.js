/** The preview of the mask under the pointer, before any click. */

import { createLatest } from "../data/api.js";
import { newStep } from "../data/draft.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { PromptRequests } from "./requests.js" */

const SLOW_LINKS = new Set(["slow-2g", "2g", "3g"]);
const SLOW_REPLY_MS = 700;

/** Of `navigator.connection`, which not every browser has. @typedef {{saveData?: boolean, effectiveType?: string}} Link */

/**
 * @param {{store: Store, requests: PromptRequests}} context
 */
export function createPreview({ store, requests }) {
  let slowReplies = 0;

  const latest = createLatest(
    async (/** @type {{imageId: string, x: number, y: number}} */ { imageId, x, y }) => {
      const begin = performance.now();
      const reply = await requests.askEarly(imageId, newStep({ points: [[x, y, 1]] }), "hover");
      slowReplies = performance.now() - begin > SLOW_REPLY_MS ? slowReplies + 1 : 0;
      return reply;
    },
    (reply, { imageId }) => {
      const { image, draft, review } = store.get();
      if (image?.id === imageId && !draft.now && !review) store.set({ hover: reply.candidates[0]?.mask ?? null });
    },
  );

  function linkIsSlow() {
    const link = /** @type {{connection?: Link}} */ (navigator).connection;
    return slowReplies > 3 || link?.saveData || SLOW_LINKS.has(link?.effectiveType ?? "");
  }

  function wanted() {
    const { image, view, draft, review, tool } = store.get();
    return view.hover && image?.embedding === "ready" && !draft.now && !review && tool === "add" && !linkIsSlow();
  }

  return {
    /** @param {number} x @param {number} y */
    show(x, y) {
      const { image } = store.get();
      if (image && wanted()) latest.ask({ imageId: image.id, x, y });
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
