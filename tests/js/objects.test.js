import assert from "node:assert/strict";
import { test } from "node:test";

import { withKnownMasks } from "../../static/work/document.js";
import { createObjects } from "../../static/work/objects.js";
import { createOutbox } from "../../static/data/outbox.js";
import { draftOf, newStep } from "../../static/data/draft.js";
import { annotation, deferred, label, memory, page, photo, server, settle, square } from "./parts.js";

const KEEP = "POST /images/a/annotations";
const DELETE = "POST /images/a/annotations/delete";
const PATCH = "PATCH /images/a/annotations/one";
const DOCUMENT = "GET /images/a/document";
const HISTORY = "GET /images/a/history";
const UNDO = "POST /images/a/undo";
const history = (revision) => ({ revision, undo: "keep object", redo: null });
const made = (fields = {}) => newStep({ points: [[1, 1, 1]], edited: square(), answered: true, ...fields });

/** Image "a" with these objects on it. */
function image(annotations, answers, parts = {}) {
  const on = page();
  const { api, send, calls } = server(answers);
  const outbox = createOutbox({ send, storage: memory() });
  const objects = createObjects({
    api,
    outbox,
    ...on,
    ...parts,
    prompting: { answered: async (step) => step, giveBack: (_, progress) => on.store.set(progress), ...parts.prompting },
  });
  objects.show({ image: photo("a"), annotations, history: history(1) });
  const asked = () => calls.map(({ method, path }) => `${method} ${path}`);
  return { ...on, objects, calls, asked };
}

test("the undo of a toast is not for another image", async () => {
  const { store, said, objects, asked } = image([annotation("one")], { [DELETE]: () => ({ history: history(2) }) });
  await objects.remove(["one"]);
  store.set({ image: photo("b") });
  objects.show({ image: photo("b"), annotations: [], history: history(2) });
  await said.at(-1).action[1]();
  assert.deepEqual(asked(), [DELETE]);
  assert.match(said.at(-1).text, /a\.jpg/);
});

test("an undo right after a keep waits for the mask of what is kept", async () => {
  const mask = deferred();
  const { store, objects, calls, asked } = image(
    [annotation("one")],
    {
      [KEEP]: () => ({ annotation: annotation("two"), history: history(2) }),
      [UNDO]: () => ({ image: photo("a"), annotations: [annotation("one")], history: history(3) }),
    },
    { prompting: { answered: () => mask.promise } },
  );
  store.set({ draft: draftOf(newStep({ points: [[1, 1, 1]] })) });
  const kept = objects.keep();
  const undone = objects.undo();
  await settle();
  assert.deepEqual(asked(), []);
  mask.resolve(made());
  await Promise.all([kept, undone]);
  assert.deepEqual(asked(), [KEEP, UNDO]);
  assert.equal(calls[1].body.revision, 2);
});

test("an undo of somebody else's change says whose it was, and that an approval is taken back", async () => {
  const before = { ...history(2), undo_author: "eve" };
  const { store, said, objects } = image([], {
    [UNDO]: () => ({ image: photo("a", { status: "in_progress" }), annotations: [], history: history(3) }),
  });
  store.set({ status: { user: "ann" } });
  objects.show({ image: photo("a", { status: "approved", reviewer: "bob" }), annotations: [], history: before });
  await objects.undo();
  assert.deepEqual(
    said.map(({ text }) => text),
    ["bob had approved this image. With your change, it is in progress again.", "Undone: keep object, a change of eve"],
  );
  await settle();
  assert.equal(said[0].closed, undefined);
});

test("an undo of a keep that fails takes nothing else back", async () => {
  const mask = deferred();
  const { store, objects, asked } = image([annotation("one")], {}, { prompting: { answered: () => mask.promise } });
  store.set({ draft: draftOf(newStep({ points: [[1, 1, 1]] })) });
  const kept = objects.keep();
  const undone = objects.undo();
  mask.resolve(null);
  await Promise.all([kept, undone]);
  assert.deepEqual(asked(), []);
});

test("an undo is for the image that was open when the key was pressed", async () => {
  const { store, objects, asked } = image([annotation("one")], {});
  const undone = objects.undo();
  store.set({ image: photo("b") });
  objects.show({ image: photo("b"), annotations: [], history: history(1) });
  await undone;
  assert.deepEqual(asked(), []);
});

test("the correction of an object that was deleted meanwhile is kept as a new one", async () => {
  const { store, objects, asked } = image([], { [KEEP]: () => ({ annotation: annotation("two"), history: history(2) }) });
  store.set({ draft: draftOf(made({ annotationId: "one" })) });
  await objects.keep();
  assert.deepEqual(asked(), [KEEP]);
  assert.equal(store.get().annotations.length, 1);
});

test("a correction that changes nothing makes no step", async () => {
  const { store, objects, asked } = image([annotation("one")], {});
  store.set({ draft: draftOf(made({ annotationId: "one" })) });
  await objects.keep();
  assert.deepEqual(asked(), []);
  assert.equal(store.get().draft.now, null);
  assert.deepEqual(store.get().selection, ["one"]);
});

/** Another tab makes the one object's mask this, in its own step. */
const elsewhere = (mask, fields = {}) => ({
  [HISTORY]: () => history(2),
  [DOCUMENT]: () => ({ image: photo("a"), annotations: [annotation("one", { mask, ...fields })], history: history(2) }),
});
const corrected = (mask) => made({ annotationId: "one", origin: square(), edited: mask });

test("labels of another tab are fetched before its objects are shown", async () => {
  let fetched = 0;
  const load = async () => {
    fetched += 1;
    assert.equal(on.store.get().annotations[0].label_id, 1);
    on.store.set({ labels: [label(1), label(2)] });
  };
  const on = image([annotation("one")], elsewhere(square(), { label_id: 2 }), { labels: { load } });
  const { store, objects } = on;
  await objects.refresh();
  assert.equal(store.get().annotations[0].label_id, 2);
  await objects.refresh();
  assert.equal(fetched, 1);
});

test("a correction of what another tab changed meanwhile is kept, and said", async () => {
  const answers = {
    ...elsewhere(square(20)),
    [PATCH]: ({ mask }) => ({ annotation: annotation("one", { mask }), history: history(3) }),
  };
  const { store, said, objects } = image([annotation("one")], answers);
  store.set({ draft: draftOf(corrected(square(40))) });
  await objects.refresh();
  await objects.keep();
  assert.deepEqual(store.get().annotations[0].mask, square(40));
  assert.match(said.at(-1).text, /Another tab changed this object/);
});

test("a correction of what another tab changed unseen is kept, and said", async () => {
  const answers = {
    [PATCH]: ({ mask }) => ({ annotation: annotation("one", { mask }), history: history(2), replaced: square(20) }),
  };
  const { store, said, objects } = image([annotation("one")], answers);
  store.set({ draft: draftOf(corrected(square(40))) });
  await objects.keep();
  assert.match(said.at(-1).text, /Another tab changed this object/);
});

test("a correction of what nobody else changed is not remarked upon", async () => {
  const answers = {
    [PATCH]: ({ mask }) => ({ annotation: annotation("one", { mask }), history: history(2), replaced: square() }),
  };
  const { store, said, objects } = image([annotation("one")], answers);
  store.set({ draft: draftOf(corrected(square(40))) });
  await objects.keep();
  assert.deepEqual(said, []);
});

test("a correction that changes nothing leaves what another tab did", async () => {
  const { store, said, objects, asked } = image([annotation("one")], elsewhere(square(20)));
  store.set({ draft: draftOf(corrected(square())) });
  await objects.refresh();
  await objects.keep();
  assert.deepEqual(asked(), [HISTORY, DOCUMENT]);
  assert.deepEqual(store.get().annotations[0].mask, square(20));
  assert.deepEqual(said, []);
});

test("one's own changes are not another tab's", async () => {
  const reply = deferred();
  const own = { mask: square(20) };
  const answers = {
    [PATCH]: () => reply.promise,
    [HISTORY]: () => history(2),
    [DOCUMENT]: () => ({ image: photo("a"), annotations: [annotation("one", own)], history: history(2) }),
  };
  const { store, said, objects } = image([annotation("one")], answers);
  const step = corrected(square(40));
  const edited = objects.editMask("one", square(20));
  store.set({ draft: draftOf(step) });
  reply.resolve({ annotation: annotation("one", own), history: history(3) }); // another tab did something else as well
  await edited;
  await settle();
  await objects.keep();
  assert.deepEqual(said, []);
});

test("annotations keep their masks when the server repeats them", () => {
  const before = [{ id: "a", mask: square(1), label_id: 1 }];
  const after = [
    { id: "a", mask: square(1), label_id: 2 },
    { id: "b", mask: square(2), label_id: 1 },
  ];
  const merged = withKnownMasks(before, after);
  assert.equal(merged[0].mask, before[0].mask);
  assert.equal(merged[0].label_id, 2);
  assert.equal(merged[1], after[1]);
});

test("the page is busy from the key press on, also while the first label is being made", async () => {
  const label = deferred();
  const labels = { chosen: () => label.promise, load: async () => {} };
  const { store, objects } = image([], { [KEEP]: () => ({ annotation: annotation("one"), history: history(2) }) }, { labels });
  store.set({ draft: draftOf(made()) });
  const kept = objects.keep();
  await settle();
  assert.equal(store.get().busy, 1);
  label.resolve(1);
  await kept;
  assert.equal(store.get().busy, 0);
});
