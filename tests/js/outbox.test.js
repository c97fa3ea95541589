import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError } from "../../static/data/api.js";
import { createOutbox } from "../../static/data/outbox.js";
import { memory } from "./parts.js";

const OTHER = "annotator.outbox.other";
const entry = (id) => ({ method: "POST", path: `/things/${id}`, body: { request_id: id } });
/** Ids that a page left in the storage. */
const left = (storage) => JSON.parse(storage.getItem(OTHER) ?? "[]").map((item) => item.body.request_id);

test("the outbox sends in order and is empty afterwards", async () => {
  const sent = [];
  const storage = memory();
  const outbox = createOutbox({ storage, send: async (method, path) => sent.push(path) });
  await Promise.all([outbox.push(entry("a")), outbox.push(entry("b"))]);
  await outbox.idle();
  assert.deepEqual(sent, ["/things/a", "/things/b"]);
  assert.deepEqual(Object.keys(storage), []);
});

test("a refused change is reported and does not hold up the next", async () => {
  const send = async (method, path) => {
    if (path.endsWith("a")) throw new ApiError("No.", 422);
    return "fine";
  };
  const outbox = createOutbox({ storage: memory(), send });
  const [first, second] = await Promise.allSettled([outbox.push(entry("a")), outbox.push(entry("b"))]);
  assert.equal(first.status, "rejected");
  assert.equal(second.value, "fine");
});

test("what a killed page could not deliver is delivered by the next", async () => {
  const storage = memory();
  const killed = createOutbox({ storage, send: () => new Promise(() => {}) });
  void killed.push(entry("a"));
  void killed.push(entry("b"));
  const sent = [];
  const next = createOutbox({ storage, send: async (method, path, { body }) => sent.push([path, body.request_id]) });
  assert.deepEqual(await next.resume(), { delivered: 2, refused: [], waiting: [] });
  assert.deepEqual(sent, [
    ["/things/a", "a"],
    ["/things/b", "b"],
  ]);
  assert.deepEqual(Object.keys(storage), []);
});

test("a change the server fails on waits for the next page, one it refuses is told", async () => {
  const storage = memory({ [OTHER]: JSON.stringify(["full", "gone", "fine"].map(entry)) });
  const send = async (method, path) => {
    if (path.endsWith("full")) throw new ApiError("The disk is full.", 507);
    if (path.endsWith("gone")) throw new ApiError("There is no such object.", 404);
  };
  const outcome = await createOutbox({ storage, send }).resume();
  assert.deepEqual(outcome, { delivered: 1, refused: ["There is no such object."], waiting: ["The disk is full."] });
  assert.deepEqual(left(storage), ["full"]);
  assert.deepEqual(await createOutbox({ storage, send: async () => {} }).resume(), { delivered: 1, refused: [], waiting: [] });
  assert.deepEqual(Object.keys(storage), []);
});

test("what a living page adds meanwhile stays its own", async () => {
  const storage = memory({ [OTHER]: JSON.stringify([entry("a")]) });
  const send = async () => storage.setItem(OTHER, JSON.stringify(["a", "b"].map(entry)));
  await createOutbox({ storage, send }).resume();
  assert.deepEqual(left(storage), ["b"]);
});

test("changes are at risk while they are unsent and the storage is full", async () => {
  const storage = memory();
  let finish;
  const outbox = createOutbox({ storage, send: () => new Promise((resolve) => (finish = resolve)) });
  storage.setItem = () => {
    throw new Error("QuotaExceededError");
  };
  void outbox.push(entry("a"));
  assert.equal(outbox.atRisk(), true);
  finish();
  await outbox.idle();
  assert.equal(outbox.atRisk(), false);
});
