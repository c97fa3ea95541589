/** Requests to the server. They fail with clear errors, and are repeated where that is safe. */

/** @import { Api, RequestOptions } from "./routes.d.ts" */

/** A request that failed. `status` is 0 when the server could not be reached. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   * @param {string | null} [field]
   */
  constructor(message, status, field = null) {
    super(message);
    this.status = status;
    this.field = field;
    /** Milliseconds to wait before the next try, where the server names them. @type {number | undefined} */
    this.retryAfter = undefined;
    /** Whether to try again later: the server is busy, or a proxy answered in its place. */
    this.busy = false;
  }
}

const UNREACHABLE = "The server cannot be reached.";
const BUSY = new Set([429, 502, 503, 504]);
const MAX_BUSY_TRIES = 8;
const NO_CONTENT = 204;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {{fetch: typeof globalThis.fetch, base?: string, onConnection?: (online: boolean) => void,
 *   wait?: (ms: number) => Promise<unknown>}} options
 * @returns {Api}
 */
export function createApi({ fetch, base = "/api/v1", onConnection = () => {}, wait = sleep }) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   * @returns {Promise<any>} the server's JSON, unchecked: `Api` says what each route answers
   */
  async function send(method, path, options = {}) {
    const { retry = "busy" } = options;
    for (let tries = 1; ; tries++) {
      try {
        return await once(method, path, options);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const lost = error.status === 0 && retry === "always";
        const busy = error.busy && retry !== "never" && (retry === "always" || tries < MAX_BUSY_TRIES);
        if (!lost && !busy) throw error;
        await wait(error.retryAfter ?? Math.min(250 * 2 ** (tries - 1), 4000));
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} options
   * @returns {Promise<unknown>}
   */
  async function once(method, path, { body, signal }) {
    const form = body instanceof FormData;
    let response;
    let data;
    try {
      response = await fetch(base + path, {
        method,
        signal,
        headers: body && !form ? { "Content-Type": "application/json" } : {},
        body: form ? body : JSON.stringify(body),
      });
      data = await read(response);
    } catch (error) {
      if (signal?.aborted) throw error;
      onConnection(false);
      throw new ApiError(UNREACHABLE, 0);
    }
    if (response.ok) {
      onConnection(true);
      return data;
    }
    const error = failure(response, data);
    onConnection(!error.busy || response.headers.has("Retry-After"));
    throw error;
  }

  return {
    get: (/** @type {string} */ path, /** @type {RequestOptions} */ options) => send("GET", path, options),
    post: (/** @type {string} */ path, /** @type {object} */ body = {}, /** @type {RequestOptions} */ options = {}) =>
      send("POST", path, { ...options, body }),
    patch: (/** @type {string} */ path, /** @type {object} */ body) => send("PATCH", path, { body }),
    put: (/** @type {string} */ path, /** @type {object} */ body) => send("PUT", path, { body }),
    delete: (/** @type {string} */ path) => send("DELETE", path),
    send,
  };
}

/**
 * @param {Response} response
 * @returns {Promise<any>} what `JSON.parse` gives; null where there is no JSON. Rejects when a success was cut off on its way
 */
function read(response) {
  const json = response.json();
  return response.ok && response.status !== NO_CONTENT ? json : json.catch(() => null);
}

/**
 * @param {Response} response
 * @param {any} data  what `JSON.parse` gives, from this server or from a proxy
 * @returns {ApiError}
 */
function failure(response, data) {
  const told = typeof data?.detail === "string";
  const sentence = told ? data.detail : `The server answered ${response.status}.`;
  const error = new ApiError(sentence, response.status, data?.field ?? null);
  error.busy = BUSY.has(response.status) && (!told || response.headers.has("Retry-After"));
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) error.retryAfter = Math.min(seconds, 10) * 1000;
  return error;
}

/**
 * Keeps one request in flight. Of the wishes that come meanwhile only the newest is remembered, and answers to older
 * wishes are dropped.
 * @template A, R
 * @param {(wish: A) => Promise<R>} run
 * @param {(result: R, wish: A) => void} use  called with the answer to the newest wish only
 */
export function createLatest(run, use) {
  let sequence = 0;
  let running = false;
  /** @type {{wish: A, number: number} | null} */
  let waiting = null;

  async function next() {
    running = true;
    while (waiting) {
      const { wish, number } = waiting;
      waiting = null;
      const result = await run(wish).catch(() => null);
      if (number === sequence && result) use(result, wish);
    }
    running = false;
  }

  return {
    /** @param {A} wish */
    ask(wish) {
      sequence += 1;
      waiting = { wish, number: sequence };
      if (!running) void next();
    },
    cancel() {
      sequence += 1;
      waiting = null;
    },
  };
}

/** @returns {string} a random id for a request that may arrive twice */
export function requestId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}
