import assert from "node:assert/strict";
import { test } from "node:test";

import { NO_DRAFT, draftOf, newStep, patchStep } from "../../static/data/draft.js";
import { createDrafts } from "../../static/data/drafts.js";
import { createParking } from "../../static/data/parking.js";
import { createReviews } from "../../static/data/reviews.js";
import { memory, page, photo, review, square } from "./parts.js";

const step = newStep({ points: [[1, 1, 1]], edited: square(), answered: true });

test("passing through an image does not lose what is parked there", () => {
  const { store, parking } = page({ draft: draftOf(step) });
  parking.park("a");
  parking.unpark("b");
  parking.park("b");
  parking.park("a"); // left again before it was ready
  parking.unpark("a");
  assert.equal(store.get().draft.now, step);
});

test("an object dropped after the return does not come back", () => {
  const { store, parking } = page({ draft: draftOf(step) });
  parking.park("a");
  parking.unpark("a");
  store.set({ draft: NO_DRAFT });
  parking.park("a");
  parking.unpark("a");
  assert.equal(store.get().draft.now, null);
});

test("a draft and a review wait together, without what was under the pointer", () => {
  const { store, parking } = page({ draft: draftOf(step), review: review({ pointer: [1, 1] }) });
  parking.park("a");
  assert.deepEqual([store.get().draft.now, store.get().review], [null, null]);
  store.set({ image: photo("b") });
  parking.unpark("b");
  assert.deepEqual([store.get().draft.now, store.get().review], [null, null]);
  parking.park("b");
  store.set({ image: photo("a") });
  parking.unpark("a");
  assert.equal(store.get().draft.now, step);
  assert.deepEqual(store.get().review, review());
});

test("work is changed wherever it is", () => {
  const { store, parking } = page({ draft: draftOf(step) });
  const change = (index) => parking.change("a", { draft: patchStep(parking.of("a").draft, step.id, { index }) });
  change(1);
  assert.equal(store.get().draft.now.index, 1);
  parking.park("a");
  store.set({ image: photo("b") });
  change(2);
  assert.equal(store.get().draft.now, null);
  store.set({ image: photo("a"), photoReady: false });
  change(3); // the image is on its way back, and its work is not shown yet
  assert.equal(store.get().draft.now, null);
  store.set({ photoReady: true });
  parking.unpark("a");
  assert.equal(store.get().draft.now.index, 3);
});

test("what is in progress outlives the page, on its own image", () => {
  const storage = memory();
  const { store } = page({ draft: draftOf(step) });
  const parking = createParking({ store, drafts: createDrafts(storage), reviews: createReviews(storage) });
  parking.park("b");
  store.set({ draft: draftOf(newStep({ points: [[2, 2, 1]], edited: square(), answered: true })) });
  parking.save();

  const { store: next } = page();
  const again = createParking({ store: next, drafts: createDrafts(storage), reviews: createReviews(storage) });
  again.unpark("a");
  assert.deepEqual(next.get().draft.now.points, [[2, 2, 1]]);
  again.unpark("b");
  assert.deepEqual(next.get().draft.now.points, step.points);
  next.set({ draft: NO_DRAFT });
  again.save();
  assert.deepEqual(Object.keys(storage), []);
});
