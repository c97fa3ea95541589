/** Changes on their way to the server. They go in order, are repeated until confirmed, and outlive the page. */

import { ApiError, requestId } from "./api.js";
import { recall, remember } from "./storage.js";

/** @import { Entry, Outcome } from "./types.d.ts" */
/** @import { Send } from "./routes.d.ts" */

/** @typedef {ReturnType<typeof createOutbox>} Outbox */

const PREFIX = "annotator.outbox.";

/**
 * @param {{send: Send, storage: Storage, onCount?: (unsent: number) => void}} options
 */
export function createOutbox({ send, storage, onCount = () => {} }) {
  const key = PREFIX + requestId();
  /** @type {{entry: Entry, resolve: (reply: unknown) => void, reject: (error: unknown) => void}[]} */
  const queue = [];
  let running = false;
  let safe = true;
  /** @type {(() => void)[]} */
  let idleWaiters = [];

  function save() {
    onCount(queue.length);
    safe = write(
      key,
      queue.map((item) => item.entry),
    );
  }

  /** @param {string} name @param {Entry[]} entries @returns {boolean} whether they outlive the page */
  function write(name, entries) {
    if (entries.length) return remember(storage, name, JSON.stringify(entries));
    storage.removeItem(name);
    return true;
  }

  async function run() {
    running = true;
    while (queue.length) {
      const { entry, resolve, reject } = queue[0];
      try {
        resolve(await send(entry.method, entry.path, { body: entry.body, retry: "always" }));
      } catch (error) {
        reject(error);
      }
      queue.shift();
      save();
    }
    running = false;
    for (const wake of idleWaiters) wake();
    idleWaiters = [];
  }

  /**
   * @param {Entry} entry
   * @returns {Promise<unknown>} the server's reply
   */
  function push(entry) {
    return new Promise((resolve, reject) => {
      queue.push({ entry, resolve, reject });
      save();
      if (!running) void run();
    });
  }

  return {
    push,
    /** @returns {Promise<void>} when everything has been confirmed */
    idle: () => (running ? new Promise((resolve) => idleWaiters.push(resolve)) : Promise.resolve()),
    /** @returns {boolean} whether changes would be lost with this page */
    atRisk: () => !safe,
    /**
     * Sends what earlier pages could not deliver. What other open pages are still sending goes twice, which does no harm.
     * @returns {Promise<Outcome>}
     */
    async resume() {
      /** @type {Outcome} */
      const outcome = { delivered: 0, refused: [], waiting: [] };
      for (const name of Object.keys(storage).filter((other) => other.startsWith(PREFIX) && other !== key)) {
        const entries = recall(storage, name, /** @type {Entry[]} */ ([]));
        const results = await Promise.allSettled(entries.map(push));
        for (const result of results) {
          if (result.status === "fulfilled") outcome.delivered += 1;
          else outcome[isWaiting(result) ? "waiting" : "refused"].push(result.reason.message);
        }
        const settled = new Set(entries.filter((_, at) => !isWaiting(results[at])).map(idOf));
        const now = recall(storage, name, /** @type {Entry[]} */ ([])); // an open page may have added to it
        write(
          name,
          now.filter((entry) => !settled.has(idOf(entry))),
        );
      }
      return outcome;
    },
  };
}

const idOf = (/** @type {Entry} */ entry) => entry.body.request_id;

/** @param {PromiseSettledResult<unknown>} result @returns {boolean} whether the server failed, and may take the change later */
const isWaiting = (result) =>
  result.status === "rejected" && (!(result.reason instanceof ApiError) || result.reason.status >= 500);
