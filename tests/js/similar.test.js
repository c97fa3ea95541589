import assert from "node:assert/strict";
import { test } from "node:test";

import { createSimilar } from "../../static/work/similar.js";
import { annotation, label, page, photo, review, settle } from "./parts.js";

/** A page whose next image is "b"; what is looked for is in `searches`. */
function searching(fields = {}, waiting = null) {
  const on = page(fields);
  const searches = [];
  const startSimilar = (ids, imageId, labelId) => {
    searches.push([on.store.get().image.id, ids, imageId]);
    on.store.set({ review: review({ id: searches.length, kind: "similar", labelId }) });
  };
  const step = async () => on.store.set({ image: photo("b"), annotations: [], selection: [], review: waiting });
  return { ...on, searches, similar: createSimilar({ ...on, review: { startSimilar }, session: { step } }) };
}

const cups = [annotation("one"), annotation("two", { label_id: 2 }), annotation("three", { label_id: 2 })];

test("the selected objects are the examples, and their label is chosen until the review ends", async () => {
  const labels = [label(1), label(2), label(3)];
  const { store, searches, similar } = searching({ annotations: cups, selection: ["two", "three"], labels });
  similar.here();
  assert.deepEqual(searches, [["a", ["two", "three"], "a"]]);
  await settle();
  assert.equal(store.get().labelId, 2);
  store.set({ review: null });
  await settle();
  assert.equal(store.get().labelId, 1);
  similar.here();
  await settle();
  store.set({ labelId: 3 });
  await settle();
  assert.equal(store.get().review.labelId, 3, "it is there when the person comes back to the image");
  store.set({ review: null });
  await settle();
  assert.equal(store.get().labelId, 3, "another one was chosen meanwhile");
  similar.here();
  similar.here();
  await settle();
  assert.equal(store.get().labelId, 2, "a new search over the old one");
  store.set({ labels: [label(1), label(2)] });
  store.set({ review: null });
  await settle();
  assert.equal(store.get().labelId, 2, "the one before is gone");
});

test("without an object selected, the page asks for one", () => {
  const { said, searches, similar } = searching({ annotations: cups });
  similar.here();
  assert.deepEqual(searches, []);
  assert.match(said[0].text, /^Select one or more kept objects/);
});

test("the examples serve in the next image, too", async () => {
  const { store, searches, similar } = searching({ annotations: cups, selection: ["one"] });
  await similar.next();
  similar.here();
  store.set({ image: photo("a") });
  await similar.next();
  const again = ["b", ["one"], "a"];
  assert.deepEqual(searches, [again, again, again]);
});

test("a review that waits on the next image stays", async () => {
  const { said, searches, similar } = searching({ annotations: cups, selection: ["one"] }, review());
  await similar.next();
  assert.deepEqual(searches, []);
  assert.match(said[0].text, /waiting for review/);
});

test("examples of another project are none", () => {
  const { store, said, similar } = searching({ annotations: cups, selection: ["one"] });
  similar.here();
  store.set({ projectId: 2, selection: [] });
  similar.here();
  assert.match(said[0].text, /^Select one/);
});
