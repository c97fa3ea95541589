import assert from "node:assert/strict";
import { test } from "node:test";

import { createBin } from "../../static/work/bin.js";
import { deferred, page, photo, server } from "./parts.js";

const BIN = "GET /projects/1/images?removed=true&limit=1000";

/** A page with the images "a" and "b", and whoever answers its questions. */
function binning(answers, agrees = true) {
  const on = page();
  const asked = [];
  const opened = [];
  const { api, calls } = server(answers);
  const session = { drop: async () => {}, adopt: () => {}, open: async (id) => void opened.push(id) };
  const ask = async (question) => {
    asked.push(question);
    return agrees;
  };
  return { ...on, asked, opened, calls, bin: createBin({ ...on, api, session, ask }) };
}

test("a removed image can be had back at once, and is opened", async () => {
  const { said, opened, bin } = binning({ "DELETE /images/b": () => ({}), "POST /images/b/restore": () => photo("b") });
  await bin.remove("b");
  await said.at(-1).action[1]();
  assert.deepEqual(opened, ["b"]);
});

test("a removed image that cannot be restored is told", async () => {
  const refused = () => {
    throw new Error("The disk is full.");
  };
  const { said, bin } = binning({ "DELETE /images/b": () => ({}), "POST /images/b/restore": refused });
  await bin.remove("b");
  await said.at(-1).action[1]();
  assert.match(said.at(-1).text, /could not be restored: The disk is full/);
});

test("the bin shows an image whose removal is on its way", async () => {
  const removed = deferred();
  let gone = false;
  const answers = {
    "DELETE /images/b": () => removed.promise.then(() => void (gone = true)),
    [BIN]: () => ({ images: gone ? [photo("b")] : [], total: 0, next: null }),
  };
  const { store, bin } = binning(answers);
  const both = [bin.remove("b"), bin.open()];
  removed.resolve();
  await Promise.all(both);
  assert.deepEqual(
    store.get().bin.map((image) => image.id),
    ["b"],
  );
});

test("the bin is emptied once its size was agreed to", async () => {
  const removed = [photo("x", { annotations: 2 }), photo("y", { annotations: 1 })];
  const answers = { [BIN]: () => ({ images: removed, total: 2, next: null }), "DELETE /projects/1/bin": () => ({ removed: 2 }) };
  const kept = binning(answers, false);
  await kept.bin.empty();
  assert.deepEqual(kept.asked, ["Remove 2 images and 3 objects for good? This cannot be undone."]);
  assert.deepEqual(
    kept.calls.map(({ method }) => method),
    ["GET"],
  );
  const { store, said, bin } = binning(answers);
  await bin.empty();
  assert.deepEqual([store.get().bin, said.at(-1).text], [[], "2 images removed for good."]);
});

test("a bin larger than a page is shown whole", async () => {
  const answers = {
    [BIN]: () => ({ images: [photo("x"), photo("y")], total: 3, next: "y" }),
    [`${BIN}&after=y`]: () => ({ images: [photo("z")], total: 3, next: null }),
  };
  const { store, bin } = binning(answers);
  await bin.open();
  assert.deepEqual(
    store.get().bin.map(({ id }) => id),
    ["x", "y", "z"],
  );
});
