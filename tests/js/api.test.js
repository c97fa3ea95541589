import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, createApi, createLatest, requestId } from "../../static/data/api.js";

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

const wait = async () => {};

test("JSON goes out and comes back", async () => {
  const { fetch, calls } = script({ body: { ok: 1 } });
  assert.deepEqual(await createApi({ fetch }).post("/x", { a: 1 }), { ok: 1 });
  assert.equal(calls[0].url, "/api/v1/x");
  assert.equal(calls[0].body, '{"a":1}');
});

test("an error carries the server's sentence, status and field", async () => {
  const { fetch } = script({ status: 422, body: { detail: "A point lies outside.", field: "points" } });
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

for (const status of [503, 429]) {
  test(`who is answered ${status} asks again after the time that is named`, async () => {
    const waits = [];
    const { fetch, calls } = script({ status, headers: { "Retry-After": "2" } }, { body: { ok: 1 } });
    await createApi({ fetch, wait: async (ms) => waits.push(ms) }).post("/x");
    assert.equal(calls.length, 2);
    assert.deepEqual(waits, [2000]);
  });
}

test("hover requests are never repeated", async () => {
  const { fetch, calls } = script({ status: 503, body: { detail: "Superseded." } });
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

test("a success that was cut off on its way is a lost connection", async () => {
  const told = [];
  const answers = [new Response('{"ok"'), new Response('{"ok": 1}')];
  const api = createApi({ fetch: async () => answers.shift(), wait, onConnection: (online) => told.push(online) });
  assert.deepEqual(await api.post("/x", {}, { retry: "always" }), { ok: 1 });
  assert.deepEqual(told, [false, true]);
  const cut = createApi({ fetch: async () => new Response('{"ok"') });
  await assert.rejects(cut.post("/x"), (error) => error instanceof ApiError && error.status === 0);
});

test("a success without content is one", async () => {
  const fetch = async () => new Response(null, { status: 204 });
  assert.equal(await createApi({ fetch }).delete("/x"), null);
});

test("what the server cannot do is said at once", async () => {
  const told = [];
  const { fetch, calls } = script({ status: 503, body: { detail: "The model could not be loaded." } });
  const api = createApi({ fetch, wait, onConnection: (online) => told.push(online) });
  await assert.rejects(api.post("/x", {}, { retry: "always" }), /could not be loaded/);
  assert.equal(calls.length, 1);
  assert.deepEqual(told, [true]);
});

test("what answers in the server's place is no answer", async () => {
  const told = [];
  const answers = [new Response("<html>", { status: 503 }), new Response("{}")];
  const api = createApi({ fetch: async () => answers.shift(), wait, onConnection: (online) => told.push(online) });
  await api.post("/x");
  assert.deepEqual(told, [false, true]);
});
