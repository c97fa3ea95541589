import assert from "node:assert/strict";
import { test } from "node:test";

import { createTeam } from "../../static/work/team.js";
import { draftOf, newStep } from "../../static/data/draft.js";
import { page, photo, review, server } from "./parts.js";

/** The page of ann, or of the one person where there is no login; `agrees` answers questions. */
function team(state, { agrees = true, settled = true } = {}) {
  const on = page(state);
  const { api, calls } = server({ "POST /projects/1/next-image": () => ({ image: null }) });
  const done = [];
  const ask = async (question) => done.push(["ask", question]) && agrees;
  const setStatus = async (status) => {
    done.push(["set", status]);
    on.store.set({ image: { ...on.store.get().image, status } });
  };
  const session = { setStatus, place: () => "stuck" };
  const objects = { settled: async () => settled };
  return { ...on, done, calls, team: createTeam({ ...on, api, session, objects, ask, client: "tab" }) };
}

test("why there is no other image to annotate is said for one person and for several", async () => {
  for (const [user, total, words] of [
    [null, 0, /^There is no image yet/],
    [null, 2, /^Every other image is done/],
    ["ann", 2, /others have it open/],
  ]) {
    const on = team({ status: { user }, total });
    await on.team.nextFree();
    assert.match(on.said[0].text, words);
    assert.deepEqual(on.calls[0].body, { client: "tab", after: "stuck" });
  }
});

test("an approval is taken back after a question only", async () => {
  const image = photo("a", { status: "approved", reviewer: "eve" });
  const refused = team({ image }, { agrees: false });
  await refused.team.toggleDone();
  assert.deepEqual(refused.done, [["ask", "eve approved this image. Reopening it takes the approval back."]]);
  const agreed = team({ image });
  await agreed.team.toggleDone();
  assert.deepEqual(agreed.done[1], ["set", "in_progress"]);
});

test("what is done is reopened, and what is not is done, without a question", async () => {
  for (const [status, next] of [["done", "in_progress"], ["rejected", "done"]]) {
    const on = team({ image: photo("a", { status }) });
    await on.team.toggleDone();
    assert.deepEqual(on.done, [["set", next]]);
  }
});

test("an image is not done while something on it is neither kept nor dropped", async () => {
  const draft = draftOf(newStep({ points: [[1, 1, 1]] }));
  for (const [state, words] of [
    [{ draft }, /an object is in progress/],
    [{ draft, others: [draft] }, /2 objects are in progress/],
    [{ review: review() }, /proposals wait/],
    [{ review: review({ state: "running" }) }, /still looked for/],
    [{ draft, image: photo("a", { status: "done" }) }, /an object is in progress/],
  ]) {
    const on = team({ image: photo("a"), ...state });
    await on.team.finish();
    assert.deepEqual(on.done, []);
    assert.match(on.said[0].text, words);
    assert.equal(on.said.length, 1, "the page stays on the image");
  }
});

test("an image that is not there yet, or whose objects could not be kept, is not done", async () => {
  for (const [state, options] of [[{ photoReady: false }, {}], [{}, { settled: false }]]) {
    const on = team({ image: photo("a"), ...state }, options);
    await on.team.finish();
    assert.deepEqual([on.done, on.said], [[], []]);
  }
});

test("one key marks an image as done and goes on", async () => {
  const on = team({ image: photo("a"), total: 2 });
  await on.team.finish();
  assert.deepEqual(on.done, [["set", "done"]]);
  assert.match(on.said[0].text, /^Every other image is done/);
});
