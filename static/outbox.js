/** Changes on their way to the server: in order, repeated until acknowledged, kept across reloads of the page. */

import { ApiError, requestId } from "./api.js";

const PREFIX = "annotator.outbox.";

/**
 * @typedef {{method: string, path: string, body: any}} Entry  carries its request id, so that it may arrive twice
 */

/**
 * @param {{send: (method: string, path: string, options: any) => Promise<any>, storage: Storage,
 *   onCount?: (unsent: number) => void}} options
 */
export function createOutbox({ send, storage, onCount = () => {} }) {
  const key = PREFIX + requestId();
  /** @type {{entry: Entry, resolve: (reply: any) => void, reject: (error: unknown) => void}[]} */
  const queue = [];
  let running = false;
  /** @type {(() => void)[]} */
  let idleWaiters = [];

  function save() {
    onCount(queue.length);
    try {
      if (queue.length) storage.setItem(key, JSON.stringify(queue.map((item) => item.entry)));
      else storage.removeItem(key);
    } catch {
      // A full or forbidden storage only loses the protection against a killed tab.
    }
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
   * @returns {Promise<any>} the server's reply
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
    /** @returns {Promise<void>} when everything has been acknowledged */
    idle: () => (running ? new Promise((resolve) => idleWaiters.push(resolve)) : Promise.resolve()),
    /**
     * Sends again what earlier pages could not deliver.
     * @returns {Promise<number>} how many changes reached the server
     */
    async resume() {
      const keys = Object.keys(storage).filter((name) => name.startsWith(PREFIX) && name !== key);
      const left = keys.flatMap((name) => parse(storage.getItem(name)));
      const results = await Promise.allSettled(left.map(push));
      const failed = results.find((result) => result.status === "rejected" && !(result.reason instanceof ApiError));
      if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
      for (const name of keys) storage.removeItem(name);
      return results.filter((result) => result.status === "fulfilled").length;
    },
  };
}

/**
 * @param {string | null} text
 * @returns {Entry[]}
 */
function parse(text) {
  try {
    return JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
}
