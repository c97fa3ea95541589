import assert from "node:assert/strict";
import { test } from "node:test";

import { createApi } from "../../static/data/api.js";
import { whileLoggedIn } from "../../static/data/login.js";
import { createOutbox } from "../../static/data/outbox.js";
import { memory } from "./parts.js";

const wait = async () => {};

test("a change that meets the end of a login is sent after the next one", async () => {
  const storage = memory();
  let left = 0;
  let loggedIn = false;
  const got = [];
  const server = async (url, { body }) => {
    if (!loggedIn) return new Response(JSON.stringify({ detail: "Log in first." }), { status: 401 });
    got.push(JSON.parse(body));
    return new Response("{}");
  };
  const open = () => {
    const api = createApi({ fetch: whileLoggedIn(server, () => left++), wait });
    return createOutbox({ send: api.send, storage });
  };
  const entry = { method: "POST", path: "/images/a/annotations", body: { request_id: "12345678", label_id: 1 } };
  let answered = false;
  void open().push(entry).finally(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual([left, answered, got.length], [1, false, 0]);
  loggedIn = true;
  assert.deepEqual(await open().resume(), { delivered: 1, refused: [], waiting: [] });
  assert.deepEqual(got, [entry.body]);
});
