/** Requests that go through one function of the server instead of an address: a host app need not know our routes. */

/**
 * @typedef {{method: string, path: string, media_type: string, body: string}} Sent  `body` in base64
 * @typedef {{status: number, headers: Record<string, string>, text: string | null, base64: string | null}} Received
 */

/**
 * @param {(request: Sent) => Promise<Received | undefined>} send  undefined: the server has failed
 * @returns {typeof globalThis.fetch} for paths like "/api/v1/status"
 */
export function createTransport(send) {
  return async (input, init) => {
    const request = new Request(new URL(String(input), "http://server/"), init);
    const body = request.method === "GET" ? "" : await toBase64(await request.blob());
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

/** @param {Blob} blob @returns {Promise<string>} */
function toBase64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
