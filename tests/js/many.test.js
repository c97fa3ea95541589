import assert from "node:assert/strict";
import { test } from "node:test";

import { masksByScore, overlappingPixels } from "../../static/canvas/overlaps.js";
import { draftOf, newStep, shownMask } from "../../static/data/draft.js";
import { createDrafts } from "../../static/data/drafts.js";
import { createOutbox } from "../../static/data/outbox.js";
import { draftsOf, withMasks } from "../../static/data/progress.js";
import { createObjects } from "../../static/work/objects.js";
import { createPrompting } from "../../static/work/prompting.js";
import { annotation, memory, page, photo, server, settle, square } from "./parts.js";

const PROMPT = "POST /images/a/prompt";
const MANY = "POST /images/a/annotations/many";
const KEEP = "POST /images/a/annotations";
const history = (revision) => ({ revision, undo: "keep objects", redo: null });

/** A server whose masks are squares of 4 pixels at the first point; each has its own score. */
function reply({ points, box }) {
  const x = box ? box[0] : points[0][0] - 1;
  return { token: `at ${x}`, candidates: [{ mask: square(x, 4), score: 1 - x / 100, stability: 1, area: 16 }], timing: {}, refined: true };
}

/** A page in the mode "many", and its objects. */
function many(answers = {}) {
  const on = page({ many: true });
  const { api, send, calls } = server({ [PROMPT]: reply, ...answers });
  const prompting = createPrompting({ ...on, api });
  const objects = createObjects({ ...on, api, outbox: createOutbox({ send, storage: memory() }), prompting });
  objects.show({ image: photo("a"), annotations: [], history: history(1) });
  const click = async (x, label = 1) => {
    prompting.addPoint(x, 1, label, 0);
    await settle();
  };
  const points = () => draftsOf(on.store.get()).map(({ now }) => now.points.map(([x, , label]) => (label ? x : -x)));
  return { ...on, prompting, objects, calls, click, points };
}

test("each click beside the objects begins another one; a click on one corrects it with its own answer", async () => {
  const { store, click, points, calls } = many();
  for (const x of [10, 30, 50]) await click(x);
  assert.deepEqual(points(), [[10], [30], [50]]);
  await click(11, 0);
  assert.deepEqual(points(), [[10, -11], [30], [50]]);
  assert.equal(calls.at(-1).body.refine.token, "at 9");
  await click(80, 0);
  assert.deepEqual(points(), [[10, -11, -80], [30], [50]], "a point beside all of them is for the one in hand");
  assert.equal(shownMask(store.get().draft.now).x, 9);
});

test("out of the mode clicks go on with the object in hand", async () => {
  const { store, click, points } = many();
  await click(10);
  await click(30);
  store.set({ many: false });
  await click(50);
  assert.deepEqual(points(), [[10], [30, 50]]);
});

test("a box begins an object of its own", async () => {
  const { prompting, click, points } = many();
  await click(10);
  prompting.setBox([40, 0, 44, 4], 0);
  await settle();
  assert.deepEqual(points(), [[10], []]);
});

test("undo goes back in time through all objects, and redo forward again", async () => {
  const { prompting, click, points } = many();
  for (const x of [10, 30]) await click(x);
  await click(11, 0);
  const steps = [[[10], [30]], [[10]], []];
  for (const expected of steps) {
    prompting.undo();
    assert.deepEqual(points(), expected);
  }
  for (const expected of [[[10]], [[10], [30]], [[10, -11], [30]]]) {
    prompting.redo();
    assert.deepEqual(points(), expected);
  }
  prompting.undo();
  await click(70);
  prompting.redo();
  assert.deepEqual(points(), [[10], [30], [70]], "a new click forgets what was undone");
});

test("what Escape drops comes back with one undo, unless the image changed", async () => {
  const { store, prompting, said, click, points } = many();
  for (const x of [10, 30]) await click(x);
  prompting.drop();
  assert.deepEqual([points(), said.at(-1).text], [[], "2 objects dropped."]);
  assert.ok(prompting.undoDrop());
  assert.deepEqual(points(), [[10], [30]]);
  prompting.drop();
  await click(50);
  prompting.undo();
  await settle();
  assert.ok(!prompting.undoDrop(), "another object was begun since");
  for (const x of [10, 30]) await click(x);
  prompting.drop();
  store.set({ history: history(2) });
  assert.ok(!prompting.undoDrop(), "something was kept or deleted since");
});

test("Enter keeps all in one request, in the order in which they were begun", async () => {
  const kept = ["one", "two", "three"].map((id) => annotation(id));
  const { store, objects, calls, click } = many({ [MANY]: () => ({ image: photo("a"), annotations: kept, history: history(2) }) });
  for (const x of [50, 10, 30]) await click(x);
  await click(51, 0);
  await objects.keep();
  assert.deepEqual(
    calls.at(-1).body.objects.map(({ mask, score, prompts }) => [mask.x, score, prompts.points.length]),
    [
      [49, 0.51, 2],
      [9, 0.91, 1],
      [29, 0.71, 1],
    ],
  );
  assert.deepEqual(
    store.get().annotations.map(({ id }) => id),
    ["one", "two", "three"],
  );
  assert.deepEqual(draftsOf(store.get()), []);
});

test("objects that the server refuses are all in progress again", async () => {
  const { objects, click, points, said } = many({
    [MANY]: () => Promise.reject(new Error("no room")),
    "GET /images/a/document": () => ({ image: photo("a"), annotations: [], history: history(1) }),
  });
  for (const x of [10, 30]) await click(x);
  await objects.keep();
  assert.deepEqual(points(), [[10], [30]]);
  assert.match(said.at(-1).text, /could not be kept: no room/);
});

test("an empty mask stays in progress while the others are kept", async () => {
  const { objects, click, store, said } = many({ [KEEP]: () => ({ annotation: annotation("one"), history: history(2) }) });
  await click(10);
  const nothing = newStep({ points: [[70, 1, 1]], answered: true });
  store.set({ draft: draftOf(nothing), others: draftsOf(store.get()) });
  await objects.keep();
  assert.deepEqual([store.get().annotations.length, store.get().draft.now.id], [1, nothing.id]);
  assert.match(said.at(-1).text, /A mask is empty/);
});

test("a prompt that gets no answer takes only its own object away", async () => {
  const { click, points } = many({
    [PROMPT]: (body) => (body.points[0][0] === 30 ? Promise.reject(new Error("busy")) : reply(body)),
  });
  for (const x of [10, 30]) await click(x);
  assert.deepEqual(points(), [[10]]);
});

test("pixels that two objects claim go to the better-scored one, and one undo takes it all back", async () => {
  const { store, prompting, click } = many();
  for (const x of [10, 14, 60]) await click(x); // 9 to 12, 13 to 16: side by side
  assert.equal(overlappingPixels(store.get()), 0);
  store.set({ many: false });
  prompting.setBox([61, 0, 65, 4], 0); // the one in hand moves
  await settle();
  store.set({ many: true });
  await click(59); // 58 to 61
  const before = store.get();
  assert.equal(overlappingPixels(before), 4);
  prompting.settleOverlaps();
  assert.equal(overlappingPixels(store.get()), 0);
  const widths = () => draftsOf(store.get()).map(({ now }) => shownMask(now).w);
  assert.deepEqual(widths(), [4, 4, 3, 4]);
  prompting.undo();
  assert.deepEqual(widths(), [4, 4, 4, 4]);
  prompting.redo();
  assert.deepEqual(widths(), [4, 4, 3, 4]);
});

test("an object within a better one keeps its pixels", () => {
  const step = (score, mask) => newStep({ answered: true, reply: { candidates: [{ mask, score }] } });
  const [outer, inner, hand] = [step(0.9, square(0, 6)), step(0.5, square(1, 2)), newStep({ edited: square(5, 3), answered: true })];
  const masks = masksByScore([outer, inner, hand]);
  assert.deepEqual([...masks.keys()], [outer]);
  assert.equal(masks.get(outer).w, 6, "what was drawn by hand wins, in its three rows");
  const progress = withMasks({ draft: draftOf(outer), others: [] }, masks);
  assert.equal(shownMask(progress.draft.now), masks.get(outer));
});

test("all objects in progress outlive a reload", async () => {
  const { store, click } = many();
  for (const x of [10, 30]) await click(x);
  const tab = memory();
  createDrafts(tab).save(new Map([["a", store.get()]]));
  const { draft, others } = createDrafts(tab).load().get("a");
  assert.deepEqual([draft, ...others].map(({ now }) => now.points[0][0]).sort(), [10, 30]);
  assert.equal(shownMask(draft.now).w, 4);
});
