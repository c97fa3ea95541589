import assert from "node:assert/strict";
import test from "node:test";

import { createTransport } from "../../static/data/transport.js";

const OK = { status: 200, headers: { "Content-Type": "application/json" }, text: "{}", base64: null };

/** A transport whose server answers this, and what was sent through it. */
function transport(reply) {
  const sent = [];
  return { sent, fetch: createTransport(async (request) => (sent.push(request), reply)) };
}

test("a request with JSON arrives as it was sent, and so does its answer", async () => {
  const { fetch, sent } = transport({ ...OK, status: 422, text: '{"detail":"No."}' });
  const headers = { "Content-Type": "application/json" };
  const reply = await fetch("/api/v1/images/7/prompt?a=1", { method: "POST", headers, body: '{"ä":1}' });
  const [{ method, path, media_type, body }] = sent;
  assert.deepEqual([method, path, media_type], ["POST", "/api/v1/images/7/prompt?a=1", "application/json"]);
  assert.equal(Buffer.from(body, "base64").toString(), '{"ä":1}');
  assert.equal(reply.ok, false);
  assert.deepEqual(await reply.json(), { detail: "No." });
});

test("a file of any size goes up as a form", async () => {
  const { fetch, sent } = transport(OK);
  const form = new FormData();
  form.append("files", new Blob([new Uint8Array(100_000).fill(200)]), "a.jpg");
  await fetch("/api/v1/projects/1/images", { method: "POST", body: form });
  assert.match(sent[0].media_type, /^multipart\/form-data; boundary=/);
  assert.ok(Buffer.from(sent[0].body, "base64").length > 100_000);
});

test("pixels come as bytes, and an answer without content has none", async () => {
  const pixels = transport({ ...OK, text: null, base64: Buffer.from([0, 255, 128]).toString("base64") });
  const reply = await pixels.fetch("api/v1/images/7/pixels");
  assert.deepEqual([...new Uint8Array(await reply.arrayBuffer())], [0, 255, 128]);
  assert.equal(pixels.sent[0].path, "/api/v1/images/7/pixels");
  assert.equal((await transport({ ...OK, status: 204, text: null, base64: "" }).fetch("/api/v1/images/7")).status, 204);
});

test("a request that was given up, or that failed, rejects", async () => {
  const { fetch } = transport(OK);
  await assert.rejects(fetch("/api/v1/status", { signal: AbortSignal.abort() }), { name: "AbortError" });
  await assert.rejects(transport(undefined).fetch("/api/v1/status"), TypeError);
});
