/** Requests that go one after the other. */

/** @returns {<T>(request: () => Promise<T>) => Promise<T>} starts a request once those before it have ended, however they did */
export function createTurns() {
  let last = Promise.resolve();
  return (request) => {
    const reply = last.then(request);
    last = reply.then(
      () => {},
      () => {},
    );
    return reply;
  };
}
