import assert from "node:assert/strict";
import { test } from "node:test";

import { createQueue } from "../../static/work/queue.js";
import { page, photo, server } from "./parts.js";

const [A, B, C, D] = ["a", "b", "c", "d"].map((id, index) => photo(id, { ordinal: index + 1 }));
const FIRST = "GET /projects/1/images?limit=200";

/** A queue with the first page of what the server has. */
async function queued(pages) {
  const { store } = page({ images: [], image: null });
  const { api } = server(pages);
  const queue = createQueue({ store, api });
  await queue.loadMore();
  return { store, queue, ids: () => store.get().images.map(({ id }) => id).join("") };
}

test("images come to their places, in whatever order they are told", async () => {
  const { store, queue, ids } = await queued({ [FIRST]: () => ({ images: [A, C], total: 2, next: null, version: 1 }) });
  queue.adopt([D, B]);
  assert.equal(ids(), "abcd");
  queue.drop("a");
  queue.adopt([A]);
  assert.equal(ids(), "abcd");
  assert.equal(store.get().total, 4);
});

test("pages that are fetched later come before what was added meanwhile", async () => {
  const { queue, ids } = await queued({
    [FIRST]: () => ({ images: [A], total: 3, next: "a", version: 1 }),
    [`${FIRST}&after=a`]: () => ({ images: [B, D], total: 4, next: null, version: 1 }),
  });
  assert.ok(!queue.reaches(D));
  queue.adopt([D]);
  assert.ok(queue.reaches(B));
  await queue.loadMore();
  queue.adopt([C]);
  assert.equal(ids(), "abcd");
});

test("an image that is told while all is fetched again stays, and one that is gone goes", async () => {
  const { store, queue, ids } = await queued({
    [FIRST]: () => ({ images: [A, B], total: 2, next: null, version: 1 }),
    "GET /projects/1/images?limit=1000": () => {
      queue.adopt([D]);
      return { images: [B, C], total: 2, next: null, version: 2 };
    },
  });
  await queue.reload();
  assert.equal(ids(), "bcd");
  assert.equal(store.get().total, 3);
});
