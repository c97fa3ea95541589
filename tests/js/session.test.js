import assert from "node:assert/strict";
import { test } from "node:test";

import { createSession } from "../../static/session.js";
import { deferred, memory, page, photo, server, settle } from "./parts.js";

globalThis.setInterval = /** @type {any} */ (() => 0);
globalThis.document = /** @type {any} */ ({ hidden: true });
globalThis.Image = /** @type {any} */ (class {});

const still = { park() {}, unpark() {}, show() {}, refresh: async () => {} };

/** A session on the images "a" and "b", with "a" open. */
function session(answers, parts = {}) {
  const on = page({ total: 2, ...parts.state });
  const { api } = server({
    ...Object.fromEntries(
      ["a", "b"].map((id) => [
        `POST /images/${id}/open`,
        () => ({ image: photo(id), annotations: [], history: { revision: 0 } }),
      ]),
    ),
    ...answers,
  });
  const context = { api, outbox: {}, objects: still, prompting: still, review: still, storage: memory(), ...on, ...parts };
  return { ...on, session: createSession({ photo: { load: async () => {}, clear() {} }, ...context }) };
}

test("a status that arrives after the next image was opened stays with its own", async () => {
  const reply = deferred();
  const { store, session: of } = session({ "PATCH /images/a": () => reply.promise });
  const changed = of.setStatus("done");
  await of.open("b");
  reply.resolve(photo("a", { status: "done" }));
  await changed;
  assert.equal(store.get().image.id, "b");
  assert.deepEqual(
    store.get().images.map((image) => image.status),
    ["done", "new"],
  );
});

test("images that arrive while one is removed stay in the queue", async () => {
  const reply = deferred();
  const { store, session: of } = session({ "DELETE /images/a": () => reply.promise });
  const removed = of.removeImage("a");
  of.adopt([photo("c")]);
  reply.resolve({});
  await removed;
  assert.deepEqual(
    store.get().images.map((image) => image.id),
    ["b", "c"],
  );
  assert.equal(store.get().image.id, "b");
  assert.equal(store.get().total, 2);
});

test("a removed image that cannot be restored is told", async () => {
  const refused = () => {
    throw new Error("The disk is full.");
  };
  const { said, session: of } = session({ "DELETE /images/b": () => ({}), "POST /images/b/restore": refused });
  await of.removeImage("b");
  await said.at(-1).action[1]();
  assert.match(said.at(-1).text, /could not be restored: The disk is full/);
});

test("what is in progress is parked with its image, also when no image is left", async () => {
  const parked = [];
  const review = { ...still, park: (id) => parked.push(id), unpark: (id) => parked.push(`back to ${id}`) };
  const { session: of } = session({ "DELETE /images/b": () => ({}) }, { review, state: { images: [photo("b")], total: 1 } });
  await of.open("b");
  await of.removeImage("b");
  await settle();
  assert.deepEqual(parked, ["a", "back to b", "b"]);
});

test("changes of an earlier page are told by what became of them", async () => {
  const resume = async () => ({ delivered: 1, refused: ["It is gone."], waiting: ["The disk is full."] });
  const answers = {
    "GET /status": () => ({ project_id: 1 }),
    "GET /projects/1/labels": () => [],
    "GET /samples": () => [],
    "GET /projects/1/images?offset=0&limit=200": () => ({ images: [], total: 0 }),
  };
  const { said, session: of } = session(answers, { outbox: { resume }, state: { images: [], image: null } });
  await of.boot();
  assert.deepEqual(
    said.map(({ kind }) => kind),
    [undefined, "error", "error"],
  );
  assert.match(said[1].text, /It is gone/);
});
