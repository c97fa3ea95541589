import assert from "node:assert/strict";
import { test } from "node:test";

import { pointedAt } from "../../static/canvas/hits.js";
import { ApiError, createApi } from "../../static/data/api.js";
import { visibleProposals } from "../../static/data/proposals.js";
import { createReview } from "../../static/work/review.js";
import { annotation, memory, page, photo, server, settle, square } from "./parts.js";

const proposal = { index: 0, mask: square(), score: 1, stability: 1, area: 4, bbox: [0, 0, 2, 2], point: [1, 1] };
const START = "POST /images/a/automask";
const JOB = "GET /jobs/j";
const done = { state: "done", done: 1, total: 1, proposals: [proposal] };
const running = { state: "running", done: 0, total: 1, proposals: [] };

/** A page on image "a" whose jobs answer like this, one after the other. */
const reviewing = (...jobs) => reviewingIn(memory(), ...jobs);

/** The same in a tab with this storage. */
function reviewingIn(tabStorage, ...jobs) {
  const on = page({}, tabStorage);
  /** What the server makes of what is kept, one after the other; null where it refuses. */
  const outcomes = [];
  const { api, calls } = server({
    [START]: () => ({ job_id: "j" }),
    [JOB]: () => {
      const next = jobs.length > 1 ? jobs.shift() : jobs[0];
      if (next instanceof Error) throw next;
      return next;
    },
    "DELETE /jobs/j": () => ({}),
  });
  const objects = { commit: async () => outcomes.shift() };
  const review = createReview({ api, outbox: { idle: async () => {} }, objects, ...on });
  return { ...on, review, calls, outcomes };
}

test("a lost connection does not end a review", async () => {
  const answers = [{ job_id: "j" }, new TypeError("refused"), done];
  const fetch = async () => {
    const next = answers.shift();
    if (next instanceof Error) throw next;
    return new Response(JSON.stringify(next));
  };
  const on = page();
  const review = createReview({ api: createApi({ fetch, wait: async () => {} }), outbox: {}, ...on });
  await review.start();
  assert.equal(on.store.get().review.proposals.length, 1);
  assert.deepEqual(on.said, []);
});

test("a run goes on while its image is left, and is there on the return", async () => {
  const { store, parking, review, calls } = reviewing(running, done);
  const run = review.start();
  parking.park("a");
  store.set({ image: photo("b") });
  assert.equal(store.get().review, null);
  parking.unpark("b");
  await run;
  assert.equal(store.get().review, null);
  assert.ok(!calls.some(({ method }) => method === "DELETE"));
  parking.park("b");
  store.set({ image: photo("a") });
  parking.unpark("a");
  assert.equal(store.get().review.state, "done");
  assert.equal(store.get().review.proposals.length, 1);
});

test("a run that found nothing says so where it looked", async () => {
  const { store, said, parking, review } = reviewing({ ...done, proposals: [] });
  const run = review.start();
  parking.park("a");
  await run;
  await settle();
  assert.deepEqual(said, []);
  parking.unpark("a");
  await settle();
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

test("proposals that could not be kept can be kept again", async () => {
  const { store, review, outcomes } = reviewing(done);
  await review.start();
  outcomes.push(null);
  await review.keepAt(1, 1);
  assert.deepEqual([...store.get().review.gone], []);
  outcomes.push({ annotations: [annotation("one")] });
  await review.keepAt(1, 1);
  assert.deepEqual([...store.get().review.gone], [0]);
});

test("an undo brings back the proposal whose object it takes away, and no other", async () => {
  const two = [proposal, { ...proposal, index: 1, mask: square(20), bbox: [20, 0, 2, 2] }];
  const { store, review, outcomes } = reviewing({ ...done, proposals: two });
  await review.start();
  const [one, other] = [annotation("one"), annotation("two")];
  outcomes.push({ annotations: [one] }, { annotations: [one, other] });
  await Promise.all([review.keepAt(1, 1), review.keepAt(21, 1)]); // the second is kept before the first is confirmed
  store.set({ annotations: [one, other] });
  await review.runUndoRedo(async () => store.set({ annotations: [one] }));
  assert.deepEqual([...store.get().review.gone], [0]);
});

test("what was dropped when a review was closed is back after an undo, and nothing else is undone", async () => {
  const { store, review } = reviewing(done);
  await review.start();
  review.close();
  assert.equal(store.get().review, null);
  assert.ok(review.undoClose());
  assert.equal(store.get().review.proposals.length, 1);
  assert.ok(!review.undoClose());
  review.close();
  store.set({ history: { ...store.get().history, revision: store.get().history.revision + 1 } });
  assert.ok(!review.undoClose(), "something else was done since");
});

/** What a click means where the pointer is. */
const meant = (store) => pointedAt(store.get().review).meant?.index ?? null;

/** A review of three proposals in each other, the largest first. */
async function nestedReview() {
  const proposals = [10, 6, 2].map((size, index) => {
    const mask = square(0, size);
    return { ...proposal, index, mask, area: size ** 2, score: 0.9 - index / 10, bbox: [0, 0, size, size] };
  });
  const on = reviewing({ ...done, proposals });
  await on.review.start();
  return on;
}

test("the pointer steps through what lies under it, and a click keeps what it stepped to", async () => {
  const { store, review, outcomes } = await nestedReview();
  assert.ok(!review.step(1), "the pointer is elsewhere");
  review.hover(1, 1);
  assert.equal(meant(store), 2);
  const seen = [1, 1, 1, -1].map((by) => {
    assert.ok(review.step(by));
    return meant(store);
  });
  assert.deepEqual(seen, [1, 0, 2, 0]);
  review.hover(1.5, 1);
  assert.equal(meant(store), 0, "the same proposals are there");
  outcomes.push({ annotations: [annotation("one")] });
  await review.keepAt(1.5, 1);
  assert.deepEqual([...store.get().review.gone], [0]);
  review.hover(5, 5);
  assert.equal(meant(store), 1);
  review.hover(8, 8);
  review.hover(9, 9);
  assert.deepEqual(store.get().review.pointer, [9, 9], "a smaller one may come to where the pointer was");
  review.endHover();
  assert.ok(!review.step(1));
});

test("what was dropped or filtered out is no longer under the pointer", async () => {
  const { store, review } = await nestedReview();
  review.hover(1, 1);
  review.dropMeant();
  assert.equal(meant(store), 1, "the next one of those there");
  review.filter({ score: 0.85 });
  assert.equal(meant(store), 0);
  review.filter({ score: 0.95 });
  review.dropMeant();
  assert.deepEqual([meant(store), [...store.get().review.gone]], [null, [2]], "nothing is shown there");
  review.filter({ score: 0 });
  review.dropAt(8, 8);
  review.dropAt(50, 50);
  assert.deepEqual([...store.get().review.gone], [2, 0]);
  review.close();
  assert.ok(review.undoClose());
  assert.equal(meant(store), null, "the pointer may be anywhere");
});

/** Waits until the review shown is not looked for any more. */
async function ended(store) {
  while (store.get().review?.state === "running") await settle();
}

test("a review comes back after a reload with what was kept and dropped, and undo goes on", async () => {
  const three = [0, 1, 2].map((index) => ({ ...proposal, index, mask: square(20 * index), bbox: [20 * index, 0, 2, 2] }));
  const tab = memory();
  const before = reviewingIn(tab, { ...done, proposals: three });
  await before.review.start();
  before.outcomes.push({ annotations: [annotation("one")] });
  await before.review.keepAt(1, 1);
  before.review.dropAt(21, 1);
  before.review.filter({ score: 0.5 });
  before.parking.save();
  assert.ok(!JSON.stringify(tab).includes("runs"), "masks stay on the server");

  const { store, parking, review, said } = reviewingIn(tab, { ...done, proposals: three });
  store.set({ annotations: [annotation("one")] });
  parking.unpark("a");
  await settle();
  await ended(store);
  assert.deepEqual([...store.get().review.gone], [0, 1]);
  assert.equal(store.get().review.filter.score, 0.5);
  assert.ok(review.undoDrop());
  await review.runUndoRedo(async () => store.set({ annotations: [] }));
  assert.deepEqual([[...store.get().review.gone], said], [[], []]);
  review.close();
  parking.save();
  assert.deepEqual(Object.keys(tab), []);
});

test("a run goes on after a reload", async () => {
  const tab = memory();
  const before = reviewingIn(tab, running);
  void before.review.start();
  await settle();
  before.parking.save();
  const kept = memory({ ...tab });
  before.review.close();
  const { store, parking } = reviewingIn(kept, running, done);
  parking.unpark("a");
  await settle();
  assert.equal(store.get().review.state, "running");
  await ended(store);
  assert.equal(store.get().review.proposals.length, 1);
});

test("a review that the server does not know after a reload is said to be lost", async () => {
  const tab = memory();
  const before = reviewingIn(tab, done);
  await before.review.start();
  before.parking.save();
  const { store, parking, said } = reviewingIn(tab, new ApiError("It is no longer known.", 404));
  parking.unpark("a");
  await settle();
  await ended(store);
  assert.equal(store.get().review, null);
  assert.deepEqual(
    said.map(({ text }) => text),
    ["The review of automatic masks is lost: It is no longer known."],
  );
});

const BOXES = [
  { box: [0, 0, 4, 4], category: "cup" },
  { box: [20, 0, 24, 4], category: "spoon" },
  { box: [40, 0, 44, 4], category: "cup" },
];

/** A page that asks for the masks of boxes; a box at 40 has none. */
function boxing(tabStorage = memory(), answer = (body) => body) {
  const on = page({}, tabStorage);
  const bodies = [];
  const mask = ({ box: [x] }) => ({ mask: x === 40 ? square(0, 0) : square(x, 4), score: 0.9, stability: 1, area: 16 });
  const { api, calls } = server({ "POST /images/a/prompts": (body) => answer({ objects: body.objects.map(mask) }) });
  const objects = { commit: async (_, { body }) => (bodies.push(body), { annotations: [] }) };
  const labels = { ...on.labels, named: async (name) => name.length };
  const review = createReview({ ...on, api, outbox: {}, objects, labels });
  return { ...on, review, calls, bodies };
}

test("boxes of a file become proposals once their image is shown, and are kept under the labels of their classes", async () => {
  const { store, said, review, calls, bodies } = boxing();
  assert.ok(review.addBoxes("b", BOXES));
  await settle();
  assert.equal(calls.length, 0);
  assert.ok(review.addBoxes("a", BOXES));
  assert.ok(!review.addBoxes("a", BOXES), "a review that waits stays");
  await ended(store);
  assert.deepEqual(
    store.get().review.proposals.map(({ index, category }) => [index, category]),
    [
      [0, "cup"],
      [1, "spoon"],
    ],
  );
  assert.equal(said[0].text, "1 box gave no mask.");
  await review.acceptAll();
  assert.deepEqual(
    bodies[0].objects.map(({ label_id, source, prompts }) => [label_id, source, prompts]),
    [
      [3, "box", { points: [], box: BOXES[0].box }],
      [5, "box", { points: [], box: BOXES[1].box }],
    ],
  );
});

test("boxes outlive a reload with what was kept of them", async () => {
  const tab = memory();
  const before = boxing(tab);
  before.review.addBoxes("a", BOXES);
  await ended(before.store);
  await before.review.keepAt(21, 1);
  before.parking.save();
  const { store, parking } = boxing(tab);
  parking.unpark("a");
  await settle();
  await ended(store);
  assert.deepEqual([...store.get().review.gone], [1]);
});

test("boxes whose masks could not be made can be tried again", async () => {
  let tries = 0;
  const { store, said, review } = boxing(memory(), (reply) => {
    tries += 1;
    if (tries === 1) throw new ApiError("Out of memory.", 507);
    return reply;
  });
  review.addBoxes("a", BOXES);
  await settle();
  await ended(store);
  assert.deepEqual([store.get().review.state, said[0].text], ["failed", "Masks for boxes could not be made: Out of memory."]);
  await review.resume();
  await settle();
  await ended(store);
  assert.equal(store.get().review.proposals.length, 2);
});

test("a search shows what is like the examples, and the slider shows less or more", async () => {
  const on = page();
  const alike = [0.9, 0.6, 0.3].map((similarity, index) => ({ ...proposal, index, similarity, bbox: [20 * index, 0, 2, 2] }));
  const { api, calls } = server({ "POST /images/a/similar": () => ({ job_id: "j" }), [JOB]: () => ({ ...done, proposals: alike }) });
  const review = createReview({ ...on, api, outbox: {}, objects: {} });
  await review.startSimilar(["one"], "b");
  assert.deepEqual(calls[0].body, { annotation_ids: ["one"], examples_in: "b" });
  const shown = () => visibleProposals(on.store.get().review).map(({ index }) => index);
  assert.deepEqual(shown(), [0, 1]);
  review.filter({ similarity: 0.2 });
  assert.deepEqual(shown(), [0, 1, 2]);
});
