/** Requests that go through one function of the server instead of an address: a host app need not know our routes. */

/**
 * @typedef {{method: string, path: string, media_type: string, body: string}} Sent  `body` in base64
 * @typedef {{status: number, headers: Record<string, string>, text: string | null, base64: string | null}} Received
 */

const CHUNK = 1 << 15; // bytes: a function takes only so many arguments

/**
 * @param {(request: Sent) => Promise<Received | undefined>} send  undefined: the server has failed
 * @returns {typeof globalThis.fetch} for paths like "/api/v1/status"
 */
export function createTransport(send) {
  return async (input, init) => {
    const request = new Request(new URL(String(input), "http://server/"), init);
    const body = request.method === "GET" ? "" : toBase64(new Uint8Array(await request.arrayBuffer()));
    const path = request.url.slice(request.url.indexOf("/", "http://".length));
    const media_type = request.headers.get("Content-Type") ?? "";
    const reply = await send({ method: request.method, path, media_type, body });
    request.signal.throwIfAborted();
    if (!reply) throw new TypeError("The server has failed.");
    const { status, headers, text, base64 } = reply;
    const bytes = base64 === null ? text : Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new Response(status === 204 ? null : bytes, { status, headers });
  };
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  let characters = "";
  for (let at = 0; at < bytes.length; at += CHUNK) characters += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(characters);
}
