/** Talking to the server: one way to send, clear errors, patience where it is safe. */

/** An answer that is not a success. `status` is 0 when the server could not be reached. */
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
    /** How long the server wants to be left alone, in ms. @type {number | undefined} */
    this.retryAfter = undefined;
    /** Whether to ask again in a while: the server is busy, or something on the way to it answered in its place. */
    this.busy = false;
    /** The whole answer, where it was JSON. @type {any} */
    this.data = null;
  }
}

const UNREACHABLE = "The server cannot be reached.";
const BUSY = new Set([502, 503, 504]);
const MAX_BUSY_TRIES = 8;
const NO_CONTENT = 204;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @typedef {object} Options
 * @property {any} [body]  an object sent as JSON, or a FormData
 * @property {AbortSignal} [signal]
 * @property {"busy" | "always" | "never"} [retry]  "busy" (the default) waits when the server says it is busy; "always" also
 *   waits for a lost connection to come back, for requests that may safely arrive twice
 */

/**
 * @param {{fetch: typeof fetch, base?: string, onConnection?: (online: boolean) => void, wait?: (ms: number) => Promise<any>}} options
 */
export function createApi({ fetch, base = "/api", onConnection = () => {}, wait = sleep }) {
  /**
   * @param {string} method
   * @param {string} path
   * @param {Options} [options]
   * @returns {Promise<any>}
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
   * @param {Options} options
   */
  async function once(method, path, { body, signal }) {
    const json = body !== undefined && !(body instanceof FormData);
    let response;
    let data;
    try {
      response = await fetch(base + path, {
        method,
        signal,
        headers: json ? { "Content-Type": "application/json" } : {},
        body: json ? JSON.stringify(body) : body,
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
    /** @param {string} path @param {Options} [options] */
    get: (path, options) => send("GET", path, options),
    /** @param {string} path @param {any} [body] @param {Options} [options] */
    post: (path, body = {}, options = {}) => send("POST", path, { ...options, body }),
    /** @param {string} path @param {any} body @param {Options} [options] */
    patch: (path, body, options = {}) => send("PATCH", path, { ...options, body }),
    /** @param {string} path @param {any} body @param {Options} [options] */
    put: (path, body, options = {}) => send("PUT", path, { ...options, body }),
    /** @param {string} path @param {Options} [options] */
    delete: (path, options) => send("DELETE", path, options),
    send,
  };
}

/**
 * @param {Response} response
 * @returns {Promise<any>} null where there is no JSON; rejects when a success was cut off on its way
 */
function read(response) {
  const json = response.json();
  return response.ok && response.status !== NO_CONTENT ? json : json.catch(() => null);
}

/**
 * @param {Response} response
 * @param {any} data
 * @returns {ApiError}
 */
function failure(response, data) {
  const told = typeof data?.error === "string";
  const sentence = told ? data.error : `The server answered ${response.status}.`;
  const error = new ApiError(sentence, response.status, data?.field ?? null);
  error.busy = BUSY.has(response.status) && (!told || response.headers.has("Retry-After"));
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) error.retryAfter = Math.min(seconds, 10) * 1000;
  error.data = data;
  return error;
}

/**
 * One request in flight; while it runs only the newest wish is remembered. Answers of older wishes are dropped.
 * @template A, R
 * @param {(wish: A) => Promise<R>} run
 * @param {(result: R, wish: A) => void} use called with the answer to the newest wish only
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
