import assert from "node:assert/strict";
import { test } from "node:test";

import { createOthers } from "../../static/work/others.js";
import { annotation, page, photo, settle, square } from "./parts.js";

const NOTHING = { version: 2, images: [], removed: [], reload: false, labels: false, project: false, places: null };

/** What others do, on the images "a" and "b" with "a" open, as ann sees it. */
function others(state = {}, parts = {}) {
  const on = page({ status: { user: "ann" }, history: { revision: 1, undo: null, redo: null }, ...state });
  const done = [];
  const session = {
    adopt: (images) => done.push(["adopt", ...images.map(({ id }) => id)]),
    drop: async (id) => void done.push(["drop", id]),
    reload: async () => void done.push(["reload"]),
    update: (id, fields) => done.push(["update", id, Object.keys(fields)]),
    reaches: () => true,
    exists: async () => false,
    ...parts.session,
  };
  const objects = { refresh: async () => void done.push(["refresh"]), ...parts.objects };
  const projects = { refresh: async () => void done.push(["projects"]) };
  const labels = { load: async () => void done.push(["labels"]) };
  const { show } = createOthers({ ...on, session, objects, labels, projects });
  return { ...on, done, show: (fields) => show({ ...NOTHING, ...fields }) };
}

const changed = (id, fields = {}, by = "bob", revision = 1) => ({ image: photo(id, fields), revision, by });

test("a new image joins the queue, unless its page is not loaded yet", async () => {
  const all = others();
  await all.show({ images: [changed("c")] });
  assert.deepEqual(all.done, [["adopt", "c"]]);
  const some = others({}, { session: { reaches: () => false } });
  await some.show({ images: [changed("c")] });
  assert.deepEqual(some.done, []);
});

test("the objects of the open image are counted here, those of others are told", async () => {
  const { done, show } = others();
  await show({ images: [changed("a"), changed("b")] });
  assert.deepEqual(done[0], ["update", "a", ["name", "status", "reviewer", "review_comment"]]);
  assert.ok(done[1][2].includes("annotations"));
  assert.equal(done.length, 2, "at the same revision, nothing is fetched");
});

test("a verdict of somebody else is told, an own one is not", async () => {
  const { said, show } = others();
  const verdict = { status: "rejected", reviewer: "bob", review_comment: "more" };
  await show({ images: [changed("a", verdict, "ann")] });
  assert.equal(said.length, 0);
  await show({ images: [changed("a", verdict)] });
  assert.deepEqual([said[0].text, said[0].stays], ["bob rejected this image: more", true]);
});

test("a rejection is told until another image is open, or the image's state is another one", async () => {
  const verdict = { status: "rejected", reviewer: "bob", review_comment: "more" };
  for (const [status, next] of [["rejected", photo("b")], ["done", photo("a", { status: "done" })]]) {
    const { store, said, show } = others();
    await show({ images: [changed("a", verdict)] });
    store.set({ image: photo("a", verdict) });
    await settle();
    assert.equal(said[0].closed, undefined);
    store.set({ image: next });
    await settle();
    assert.equal(said[0].closed, true, status);
  }
});

test("a reviewer at an image is told that its approval is taken back", async () => {
  const { said, show } = others({ image: photo("a", { status: "approved", reviewer: "ann" }) });
  await show({ images: [changed("a", { status: "in_progress" })] });
  assert.equal(said[0].text, "bob took the approval of this image back: it is in progress.");
});

test("who corrects an object is told when somebody else changes it", async () => {
  const step = { annotationId: "x", points: [], box: null };
  const objects = {
    refresh: async () =>
      store.set({ annotations: [annotation("x", { mask: square(3) })], history: { revision: 2, undo: null, redo: null } }),
  };
  const { store, said, show } = others(
    { annotations: [annotation("x")], draft: { past: [], now: step, future: [] } },
    { objects },
  );
  await show({ images: [changed("a", {}, "bob", 2)] });
  assert.match(said[0].text, /^bob changed the object that you are correcting/);
  assert.equal(store.get().draft.now, step, "what is in progress stays");
});

test("who corrects an object is told when another tab deletes it", async () => {
  for (const [user, by, words] of [
    ["ann", "ann", /^Another tab deleted/],
    [null, "local", /^Another tab deleted/],
    ["ann", "bob", /^bob deleted/],
  ]) {
    const step = { annotationId: "x", points: [], box: null };
    const objects = { refresh: async () => store.set({ annotations: [], history: { revision: 2, undo: null, redo: null } }) };
    const { store, said, show } = others(
      { status: { user }, annotations: [annotation("x")], draft: { past: [], now: step, future: [] } },
      { objects },
    );
    await show({ images: [changed("a", {}, by, 2)] });
    assert.match(said[0].text, words);
    assert.equal(said.length, by === "bob" ? 2 : 1, "only of others it is told that they changed the image");
  }
});

test("an image that somebody removed goes, and the person at it is told", async () => {
  const { done, said, show } = others();
  await show({ removed: [{ id: "a", by: "bob" }, { id: "z", by: "bob" }] });
  assert.deepEqual(done, [["drop", "a"]]);
  assert.equal(said[0].text, "bob removed a.jpg from the project.");
});

test("an image that was restored before its removal is told stays", async () => {
  const { done, said, show } = others({}, { session: { exists: async () => true } });
  await show({ removed: [{ id: "a", by: "bob" }] });
  assert.deepEqual([done, said], [[], []]);
});

test("labels, members and too many changes are fetched again", async () => {
  const { done, show } = others();
  await show({ labels: true, project: true, reload: true });
  assert.deepEqual(done, [["reload"], ["refresh"], ["labels"], ["projects"]]);
});
