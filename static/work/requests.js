/** Prompt requests. Some are made ahead of their click: for the place under the pointer, or when the pointer goes down. */

import { requestId } from "../data/api.js";
import { viewOf } from "./detail.js";

/** @import { PromptReply, Question, Step, Store } from "../data/types.d.ts" */
/** @import { Api, RequestOptions } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createPromptRequests>} PromptRequests */

/**
 * @param {{store: Store, api: Api}} context
 */
export function createPromptRequests({ store, api }) {
  /** Tells the server whose hover requests these are: a newer one replaces the one before. */
  const client = requestId();
  /** The last request made ahead of its click. @type {{key: string, reply: Promise<PromptReply>, abort: AbortController} | null} */
  let early = null;

  /**
   * The mask is not sent if the server knows the answer to refine. In fine detail it is always sent, for the part outside
   * the view.
   * @param {Step} step
   * @returns {Question}
   */
  function questionOf({ points, box, base, start }) {
    const view = viewOf(store.get());
    return { points, box, refine: base, mask: base && !view ? null : start, view };
  }
  const keyOf = (/** @type {string} */ imageId, /** @type {Question} */ question) => imageId + JSON.stringify(question);

  return {
    /**
     * Asks ahead of the click that makes this step.
     * @param {string} imageId
     * @param {Step} step
     * @param {"click" | "hover"} kind
     * @returns {Promise<PromptReply>}
     */
    askEarly(imageId, step, kind) {
      const question = questionOf(step);
      const key = keyOf(imageId, question);
      if (early?.key === key) return early.reply;
      const abort = new AbortController();
      const options = /** @type {RequestOptions} */ ({ retry: kind === "hover" ? "never" : "busy", signal: abort.signal });
      const reply = api.post(`/images/${imageId}/prompt`, { ...question, kind, client }, options);
      reply.catch(() => {}); // the click asks again
      early = { key, reply, abort };
      return reply;
    },
    /** Gives up the last request made ahead: no click follows. */
    cancelEarly() {
      early?.abort.abort();
      early = null;
    },
    /**
     * @param {string} imageId
     * @param {Step} step
     * @returns {Promise<PromptReply>} the answer to a step, which may have been asked for already
     */
    async fetchReply(imageId, step) {
      const question = questionOf(step);
      const asked = early?.key === keyOf(imageId, question) ? early.reply : null;
      early = null;
      const path = /** @type {const} */ (`/images/${imageId}/prompt`);
      const reply = (await asked?.catch(() => null)) ?? (await api.post(path, question));
      if (reply.refined || !step.start || question.mask) return reply;
      return api.post(path, { ...question, mask: step.start }); // the server has forgotten the answer: after a restart
    },
  };
}
