import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, createApi } from "../../static/data/api.js";
import { createReview } from "../../static/work/review.js";
import { page, photo, server, square } from "./parts.js";

const proposal = { index: 0, mask: square(), score: 1, stability: 1, area: 4, bbox: [0, 0, 2, 2] };
const START = "POST /images/a/automask";
const JOB = "GET /jobs/j";
const done = { state: "done", done: 1, total: 1, proposals: [proposal] };
const running = { state: "running", done: 0, total: 1, proposals: [] };

/** A page on image "a" whose jobs answer like this, one after the other. */
function reviewing(...jobs) {
  const on = page();
  const { api, calls } = server({
    [START]: () => ({ job_id: "j" }),
    [JOB]: () => {
      const next = jobs.length > 1 ? jobs.shift() : jobs[0];
      if (next instanceof Error) throw next;
      return next;
    },
    "DELETE /jobs/j": () => ({}),
  });
  const review = createReview({ api, outbox: {}, objects: {}, ...on });
  return { ...on, review, calls };
}

test("a lost connection does not end a review", async () => {
  const answers = [{ job_id: "j" }, new TypeError("refused"), done];
  const fetch = async () => {
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return new Response(JSON.stringify(next));
  };
  const on = page();
  const review = createReview({ api: createApi({ fetch, wait: async () => {} }), outbox: {}, objects: {}, ...on });
  await review.start();
  assert.equal(on.store.get().review.proposals.length, 1);
  assert.deepEqual(on.said, []);
});

test("a run goes on while its image is left, and is there on the return", async () => {
  const { store, review, calls } = reviewing(running, done);
  const run = review.start();
  review.park("a");
  store.set({ image: photo("b") });
  assert.equal(store.get().review, null);
  review.unpark("b");
  await run;
  assert.equal(store.get().review, null);
  assert.ok(!calls.some(({ method }) => method === "DELETE"));
  store.set({ image: photo("a") });
  review.unpark("a");
  assert.equal(store.get().review.state, "done");
  assert.equal(store.get().review.proposals.length, 1);
});

test("a run that found nothing says so where it looked", async () => {
  const { store, said, review } = reviewing({ ...done, proposals: [] });
  const run = review.start();
  review.park("a");
  await run;
  assert.deepEqual(said, []);
  review.unpark("a");
  assert.match(said[0].text, /found nothing/);
  assert.equal(store.get().review, null);
});

test("a run that the server does not know any more is closed", async () => {
  const { store, said, review } = reviewing(new ApiError("It is no longer known.", 404));
  await review.start();
  assert.equal(store.get().review, null);
  assert.match(said[0].text, /no longer known/);
});

test("a run closed before it has a number is stopped", async () => {
  const { review, calls } = reviewing(done);
  const run = review.start();
  review.close();
  await run;
  assert.deepEqual(calls.at(-1).method, "DELETE");
});
