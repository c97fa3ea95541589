/** What happens when a login ends while the page is open. */

/**
 * A fetch that calls `leave` when the server wants a login. The request is never answered then, so nothing is taken for
 * refused: what was to be sent stays in the outbox, and is sent when the page is there again.
 * @param {typeof globalThis.fetch} fetch
 * @param {() => void} leave
 * @returns {typeof globalThis.fetch}
 */
export function whileLoggedIn(fetch, leave) {
  return async (...request) => {
    const response = await fetch(...request);
    if (response.status !== 401) return response;
    leave();
    return new Promise(() => {});
  };
}
