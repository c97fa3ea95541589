import assert from "node:assert/strict";
import { test } from "node:test";

import { createSession } from "../../static/work/session.js";
import { deferred, memory, page, photo, server, settle } from "./parts.js";

globalThis.setInterval = /** @type {any} */ (() => 0);
globalThis.document = /** @type {any} */ ({ hidden: true, createElement: () => ({}) });

const still = { show() {}, refresh: async () => {} };

const queueOf = (store) => store.get().images.map((image) => image.id);

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
  const context = { api, outbox: {}, objects: still, storage: memory(), ...on, ...parts };
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

test("a dropped image gives way to its neighbour", async () => {
  const { store, session: of } = session({});
  of.adopt([photo("c")]);
  await of.drop("a");
  assert.deepEqual([queueOf(store), store.get().image.id, store.get().total], [["b", "c"], "b", 2]);
});

test("an image that has come back is in its place, before those that arrived meanwhile", async () => {
  const answers = {
    "GET /projects/1/images?limit=200": () => ({ images: [photo("a"), photo("b")], total: 201, next: "b" }),
    "GET /projects/1/images?limit=1000": () => ({ images: [photo("a")], total: 202, next: "a" }),
    "GET /projects/1/images?limit=1000&after=a": () => ({ images: [photo("aa"), photo("b"), photo("bb")], total: 202, next: "bb" }),
  };
  const { store, session: of } = session(answers);
  await of.loadMore();
  of.adopt([photo("z")]);
  await of.reload();
  assert.deepEqual(queueOf(store), ["a", "aa", "b", "bb", "z"]);
  assert.equal(store.get().total, 202);
});

test("what is in progress is parked with its image, also when no image is left", async () => {
  const parked = [];
  const parking = { park: (id) => parked.push(id), unpark: (id) => parked.push(`back to ${id}`) };
  const { session: of } = session({}, { parking, state: { images: [photo("b")], total: 1 } });
  await of.open("b");
  await of.drop("b");
  await settle();
  assert.deepEqual(parked, ["a", "back to b", "b"]);
});

test("changes of an earlier page are told by what became of them", async () => {
  const resume = async () => ({ delivered: 1, refused: ["It is gone."], waiting: ["The disk is full."] });
  const answers = {
    "GET /status": () => ({ project_id: 1 }),
    "GET /projects": () => [{ id: 1, name: "Annotations" }],
    "GET /samples": () => [],
    "GET /projects/1/images?limit=200": () => ({ images: [], total: 0, next: null }),
  };
  const { said, session: of } = session(answers, { outbox: { resume }, state: { images: [], image: null } });
  await of.boot();
  assert.deepEqual(
    said.map(({ kind }) => kind),
    [undefined, "error", "error"],
  );
  assert.match(said[1].text, /It is gone/);
});

/** Two projects: "a" and "b" are in the first, "c" and "d" in the second. */
const projects = {
  "GET /status": () => ({ project_id: 1 }),
  "GET /projects": () => [
    { id: 1, name: "Cats" },
    { id: 2, name: "Dogs" },
  ],
  "GET /samples": () => [],
  "GET /projects/1/images?limit=200": () => ({ images: [photo("a"), photo("b")], total: 2, next: null }),
  "GET /projects/2/images?limit=200": () => ({ images: ["c", "d"].map((id) => photo(id, { project_id: 2 })), total: 2, next: null }),
  ...Object.fromEntries(
    ["c", "d"].flatMap((id) => [
      [`GET /images/${id}`, () => photo(id)],
      [`POST /images/${id}/open`, () => ({ image: photo(id, { project_id: 2 }), annotations: [], history: { revision: 0 } })],
    ]),
  ),
  "GET /images/a": () => photo("a"),
};
const resumed = { resume: async () => ({ delivered: 0, refused: [], waiting: [] }) };
test("another project is shown with its labels and the image open last, what is in progress waits", async () => {
  const parked = [];
  const parts = { storage: memory(), parking: { park: (id) => parked.push(id), unpark() {} } };
  const { store, session: of } = session(projects, parts);
  parts.storage.setItem("annotator.image.2", "c");
  store.set({ queueStatus: "done" });
  await of.switchProject(2);
  assert.deepEqual(parked, ["a"]);
  assert.deepEqual(queueOf(store), ["c", "d"]);
  assert.deepEqual([store.get().image.id, store.get().queueStatus, store.get().booted], ["c", "", true]);
  await of.open("d");
  await of.switchProject(1);
  await of.switchProject(2);
  assert.equal(store.get().image.id, "d");
});

test("a page begins with the project shown last, if there still is one", async () => {
  for (const [last, expected] of [
    ["2", 2],
    ["7", 1],
    [null, 1],
  ]) {
    const storage = memory(last ? { "annotator.project": last } : {});
    const { store, session: of } = session(projects, { storage, outbox: resumed, state: { images: [], image: null } });
    await of.boot();
    assert.equal(store.get().projectId, expected);
  }
});

test("of two projects chosen one after the other the second is shown", async () => {
  const reply = deferred();
  const answers = { ...projects, "GET /projects/2/images?limit=200": () => reply.promise };
  const { store, session: of } = session(answers, { state: { images: [], image: null } });
  const first = of.switchProject(2);
  await of.switchProject(1);
  reply.resolve({ images: [photo("c", { project_id: 2 })], total: 1, next: null });
  await first;
  assert.deepEqual([store.get().projectId, store.get().image.id], [1, "a"]);
  assert.deepEqual(queueOf(store), ["a", "b"]);
});

test("images of another project stay out of the queue", async () => {
  const { store, session: of } = session({});
  assert.deepEqual(of.adopt([photo("c", { project_id: 2 })]), []);
  assert.deepEqual(queueOf(store), ["a", "b"]);
});

test("the page stops asking about an image whose encode failed", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const answers = {
    "POST /images/b/open": () => ({ image: photo("b", { embedding: "none" }), annotations: [], history: { revision: 0 } }),
    "GET /images/b": () => photo("b", { embedding: ++asked < 3 ? "none" : "failed" }),
  };
  const { store, session: of } = session(answers);
  await of.open("b");
  for (let i = 0; i < 50; i++) {
    context.mock.timers.tick(10_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(asked, 3);
  assert.equal(store.get().image.embedding, "failed");
});

test("an image that is not encoded is asked about ever more rarely", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const none = (id) => photo(id, { embedding: "none" });
  const answers = {
    "POST /images/b/open": () => ({ image: none("b"), annotations: [], history: { revision: 0 } }),
    "GET /images/b": () => (asked++, none("b")),
  };
  const { session: of } = session(answers);
  await of.open("b");
  for (let second = 0; second < 60; second++) {
    context.mock.timers.tick(1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(asked > 5 && asked < 25, `${asked} times in a minute`);
  const before = asked;
  await of.open("a");
  context.mock.timers.tick(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(asked, before, "and not at all after it was left");
});

test("an image that cannot be opened is named, and the next step leads past it", async () => {
  const missing = () => {
    throw new Error("its pixels are missing.");
  };
  const of = session({ "POST /images/b/open": missing, "POST /images/c/open": () => ({ image: photo("c"), annotations: [], history: { revision: 0 } }) });
  of.session.adopt([photo("c")]);
  await of.session.step(1);
  assert.deepEqual([of.store.get().image.id, of.said.at(-1).text], ["a", "b.jpg could not be opened: its pixels are missing."]);
  assert.equal(of.session.place(), "b");
  await of.session.step(1);
  assert.deepEqual([of.store.get().image.id, of.session.place()], ["c", "c"]);
});

test("the step past an image that could not be opened is for once, and for that image", async () => {
  const failing = (error) => ({
    "POST /images/b/open": () => {
      throw new Error(error);
    },
    "POST /images/c/open": () => ({ image: photo("c"), annotations: [], history: { revision: 0 } }),
  });
  const removed = session(failing("missing"));
  removed.session.adopt([photo("c")]);
  await removed.session.step(1);
  await removed.session.drop("b");
  await removed.session.step(1);
  assert.equal(removed.store.get().image.id, "c");

  const offline = session(failing("The server cannot be reached."));
  offline.session.adopt([photo("c")]);
  offline.store.set({ online: false });
  await offline.session.step(1);
  assert.equal(offline.session.place(), "a", "without a connection, no image is to blame");
});
