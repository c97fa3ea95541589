import assert from "node:assert/strict";
import { test } from "node:test";

import { draftOf, newStep } from "../../static/data/draft.js";
import { createPrompting } from "../../static/work/prompting.js";
import { deferred, page, photo, server, settle, square } from "./parts.js";

const PROMPT = "POST /images/a/prompt";
const step = newStep({ points: [[1, 1, 1]], edited: square(), answered: true });
const reply = (token, ...masks) => ({
  token,
  candidates: masks.map((mask) => ({ mask, score: 0.9, stability: 0.9, area: 4 })),
  timing: {},
  refined: true,
});

/** The prompting of a page whose state has these fields; the server answers like this. */
function prompting(fields = {}, answers = {}) {
  const on = page(fields);
  const { api, calls } = server(answers);
  return { ...on, calls, prompting: createPrompting({ ...on, api }) };
}

test("another candidate after the brush leaves the stroke behind, to be had back", () => {
  const painted = newStep({ ...step, reply: reply("t", square(0), square(9)) });
  const { store, prompting: of } = prompting({ draft: draftOf(painted) });
  of.cycle(1);
  assert.equal(store.get().draft.now.edited, null);
  assert.equal(store.get().draft.now.index, 1);
  of.undo();
  assert.equal(store.get().draft.now, painted);
});

test("what could not be kept is in progress again, or waits where it was made", () => {
  const { store, said, parking, prompting: of } = prompting();
  const { image } = store.get();
  of.giveBack(image, { draft: draftOf(step), others: [] });
  assert.equal(store.get().draft.now, step);
  of.drop();
  parking.park("a");
  store.set({ image: photo("b") });
  of.giveBack(image, { draft: draftOf(step), others: [] });
  assert.equal(store.get().draft.now, null);
  assert.match(said.at(-1).text, /waits on a\.jpg/);
  parking.unpark("a");
  assert.equal(store.get().draft.now, step);
});

test("what could not be kept does not push out what was begun meanwhile", () => {
  const { store, prompting: of } = prompting({ draft: draftOf(step) });
  of.giveBack(store.get().image, { draft: draftOf(newStep({ points: [[2, 2, 1]] })), others: [] });
  assert.equal(store.get().draft.now, step);
});

test("an answer finds its step on an image that was left", async () => {
  const answer = deferred();
  const { store, parking, prompting: of } = prompting({}, { [PROMPT]: () => answer.promise });
  of.addPoint(5, 5, 1, 0);
  parking.park("a");
  store.set({ image: photo("b") });
  answer.resolve(reply("t", square(3)));
  await settle();
  assert.equal(store.get().draft.now, null);
  assert.deepEqual(parking.of("a").draft.now.reply.candidates[0].mask, square(3));
});

test("a draft that came back without its answer is asked again", async () => {
  const { store, calls, parking } = prompting({ photoReady: false }, { [PROMPT]: () => reply("t", square(3)) });
  parking.change("a", { draft: draftOf(newStep({ points: [[5, 5, 1]] })) });
  store.set({ photoReady: true });
  parking.unpark("a");
  await settle();
  assert.equal(calls.length, 1);
  assert.equal(store.get().draft.now.answered, true);
});

test("a press that becomes a drag asks nothing", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { calls, prompting: of } = prompting({}, { [PROMPT]: () => reply("t", square(3)) });
  of.anticipate(5, 5, 1);
  context.mock.timers.tick(20);
  of.endAnticipation();
  context.mock.timers.tick(1000);
  assert.equal(calls.length, 0);
});

test("a press that was asked for already is given up when it becomes a drag", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { calls, prompting: of } = prompting({}, { [PROMPT]: () => new Promise(() => {}) });
  of.anticipate(5, 5, 1);
  context.mock.timers.tick(100);
  assert.equal(calls[0].signal.aborted, false);
  of.endAnticipation();
  assert.equal(calls[0].signal.aborted, true);
});

for (const [held, expected] of [
  [10, "click without waiting"],
  [200, "press"],
])
  test(`a press of ${held} ms is asked for once, by the ${expected}`, async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { store, calls, prompting: of } = prompting({}, { [PROMPT]: () => reply("t", square(3)) });
    of.anticipate(5, 5, 1);
    context.mock.timers.tick(held);
    assert.equal(calls.length, held > 100 ? 1 : 0);
    of.addPoint(5, 5, 1, 0);
    context.mock.timers.tick(1000);
    context.mock.timers.reset();
    await settle();
    assert.equal(calls.length, 1);
    assert.deepEqual(store.get().draft.now.reply.candidates[0].mask, square(3));
  });

test("an image that could not be prepared is, once a prompt was answered", async () => {
  const { store, prompting: of } = prompting(
    { image: photo("a", { embedding: "failed" }) },
    { [PROMPT]: () => reply("t", square(3)) },
  );
  of.addPoint(5, 5, 1, 0);
  await settle();
  assert.equal(store.get().image.embedding, "ready");
});

/** The bodies of the requests that two points make, where the server knows the first answer or has forgotten it. */
async function refining(knows, fields = {}) {
  const answer = ({ refine, mask }) => ({ ...reply("t", square(3)), refined: Boolean((refine && knows) || mask) });
  const { calls, prompting: of } = prompting(fields, { [PROMPT]: answer });
  for (const x of [5, 9]) {
    of.addPoint(x, 5, 1, 0);
    await settle();
  }
  return calls.slice(1).map(({ body: { refine, mask } }) => ({ refine: refine?.token ?? null, mask }));
}

test("a refinement names the answer before, and sends no mask", async () => {
  assert.deepEqual(await refining(true), [{ refine: "t", mask: null }]);
});

test("a server that has forgotten the answer before gets its mask", async () => {
  assert.deepEqual(await refining(false), [
    { refine: "t", mask: null },
    { refine: "t", mask: square(3) },
  ]);
});

test("in fine detail the mask goes along, for what lies outside the view", async () => {
  const detail = { imageId: "a", x: 0, y: 0, width: 50, height: 50 };
  assert.deepEqual(await refining(true, { detail }), [{ refine: "t", mask: square(3) }]);
});
