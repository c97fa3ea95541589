import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, createApi, createLatest, requestId } from "../../static/api.js";
import { createOutbox } from "../../static/outbox.js";

/** A fetch that gives these answers in turn; an Error is thrown. */
function script(...answers) {
  const calls = [];
  const fetch = async (url, options) => {
    calls.push({ url, ...options });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
    return new Response(JSON.stringify(answer.body ?? {}), { status: answer.status ?? 200, headers: answer.headers });
  };
  return { fetch, calls };
}

/** The part of the browser's storage that is used; its keys are its properties. */
function memory(entries = {}) {
  const storage = Object.create({
    getItem: (key) => storage[key] ?? null,
    setItem: (key, value) => void (storage[key] = value),
    removeItem: (key) => void delete storage[key],
  });
  return Object.assign(storage, entries);
}

const wait = async () => {};
const entry = (id) => ({ method: "POST", path: `/things/${id}`, body: { request_id: id } });

test("JSON goes out and comes back", async () => {
  const { fetch, calls } = script({ body: { ok: 1 } });
  assert.deepEqual(await createApi({ fetch }).post("/x", { a: 1 }), { ok: 1 });
  assert.equal(calls[0].url, "/api/x");
  assert.equal(calls[0].body, '{"a":1}');
});

test("an error carries the server's sentence, status and field", async () => {
  const { fetch } = script({ status: 422, body: { error: "A point lies outside.", field: "points" } });
  await assert.rejects(
    createApi({ fetch }).get("/x"),
    (error) =>
      error instanceof ApiError && error.message === "A point lies outside." && error.status === 422 && error.field === "points",
  );
});

test("an answer without JSON still gives a sentence", async () => {
  const fetch = async () => new Response("<html>", { status: 500 });
  await assert.rejects(createApi({ fetch }).get("/x"), /answered 500/);
});

test("a busy server is asked again after the time it names", async () => {
  const waits = [];
  const { fetch, calls } = script({ status: 503, headers: { "Retry-After": "2" } }, { body: { ok: 1 } });
  await createApi({ fetch, wait: async (ms) => waits.push(ms) }).post("/x");
  assert.equal(calls.length, 2);
  assert.deepEqual(waits, [2000]);
});

test("hover requests are never repeated", async () => {
  const { fetch, calls } = script({ status: 503, body: { error: "Superseded." } });
  await assert.rejects(createApi({ fetch, wait }).post("/x", {}, { retry: "never" }), /Superseded/);
  assert.equal(calls.length, 1);
});

test("a lost connection is told, and only safe requests wait for it", async () => {
  const told = [];
  const { fetch } = script(new TypeError("refused"), new TypeError("refused"), { body: { ok: 1 } });
  const api = createApi({ fetch, wait, onConnection: (online) => told.push(online) });
  await assert.rejects(api.post("/x"), (error) => error.status === 0);
  assert.deepEqual(await api.post("/x", {}, { retry: "always" }), { ok: 1 });
  assert.deepEqual(told, [false, false, true]);
});

test("of many wishes one is in flight and only the newest is answered", async () => {
  const started = [];
  const releases = [];
  const used = [];
  const latest = createLatest(
    (wish) => {
      started.push(wish);
      return new Promise((resolve) => releases.push(() => resolve(`answer ${wish}`)));
    },
    (answer) => used.push(answer),
  );
  for (const wish of [1, 2, 3]) latest.ask(wish);
  assert.deepEqual(started, [1]);
  releases[0]();
  await new Promise((resolve) => setTimeout(resolve));
  releases[1]();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(started, [1, 3]);
  assert.deepEqual(used, ["answer 3"]);
});

test("a cancelled wish is not answered", async () => {
  const used = [];
  const latest = createLatest(
    async (wish) => wish,
    (answer) => used.push(answer),
  );
  latest.ask("a");
  latest.cancel();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(used, []);
});

test("request ids differ", () => {
  assert.notEqual(requestId(), requestId());
});

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
  assert.equal(await next.resume(), 2);
  assert.deepEqual(sent, [
    ["/things/a", "a"],
    ["/things/b", "b"],
  ]);
  assert.deepEqual(Object.keys(storage), []);
});
