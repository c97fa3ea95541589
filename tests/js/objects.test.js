import assert from "node:assert/strict";
import { test } from "node:test";

import { createObjects } from "../../static/objects.js";
import { createOutbox } from "../../static/outbox.js";
import { newStep } from "../../static/state.js";
import { annotation, deferred, memory, page, photo, server, settle, square } from "./parts.js";

const KEEP = "POST /images/a/annotations";
const DELETE = "POST /images/a/annotations/delete";
const UNDO = "POST /images/a/undo";
const history = (revision) => ({ revision, undo: "keep object", redo: null });
const draftOf = (step) => ({ past: [], now: step, future: [] });
const made = (fields = {}) => newStep({ points: [[1, 1, 1]], edited: square(), answered: true, ...fields });

/** Image "a" with these objects on it. */
function image(annotations, answers, parts = {}) {
  const on = page();
  const { api, send, calls } = server(answers);
  const outbox = createOutbox({ send, storage: memory() });
  const objects = createObjects({ api, outbox, answered: async (step) => step, ...on, ...parts });
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
    { answered: () => mask.promise },
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

test("an undo of a keep that fails takes nothing else back", async () => {
  const mask = deferred();
  const { store, objects, asked } = image([annotation("one")], {}, { answered: () => mask.promise });
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
