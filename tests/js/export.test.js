import assert from "node:assert/strict";
import { test } from "node:test";

import { createExport } from "../../static/work/export.js";
import { page, server } from "./parts.js";

const coco = { name: "coco", title: "COCO", file_name: "annotations.json", losses: "Little.", has_subsets: false };
const yolo = { ...coco, name: "yolo-seg", file_name: "yolo-seg.zip", has_subsets: true };
const run = (fields = {}) => ({ id: "7", state: "done", done: 4, total: 4, error: null, ...fields });

/** What is asked for, downloaded and said when the objects are saved, or not. */
async function exported({ settled = true, format = coco, split = { finished: false, percent: null, seed: 0 }, answers = {}, wait } = {}) {
  const { store, said, toast } = page();
  const begin = { "POST /projects/1/exports/coco": () => run(), "POST /projects/1/exports/yolo-seg": () => run() };
  const query = { "POST /projects/1/exports/yolo-seg?val=0.2&seed=7": () => run() };
  const { api, calls } = server({ ...begin, ...query, "DELETE /exports/7": () => null, ...answers });
  const downloads = [];
  await createExport({
    store,
    api,
    toast,
    objects: { settled: async () => settled },
    download: (path, name) => downloads.push([path, name]),
    wait: async () => wait?.(said),
  }).download(format, split);
  return { said, downloads, calls: calls.map(({ method, path }) => `${method} ${path}`) };
}

test("an export has everything that was kept", async () => {
  const { calls, downloads } = await exported();
  assert.deepEqual([calls, downloads], [["POST /projects/1/exports/coco"], [["/exports/7/file", "annotations.json"]]]);
});

test("a format with a part for validation takes a share of the images, or what their folders tell", async () => {
  const first = async (given) => (await exported(given)).calls[0];
  assert.equal(await first({ format: yolo }), "POST /projects/1/exports/yolo-seg");
  const split = { finished: false, percent: 20, seed: 7 };
  assert.equal(await first({ format: yolo, split }), "POST /projects/1/exports/yolo-seg?val=0.2&seed=7");
  assert.equal(await first({ split }), "POST /projects/1/exports/coco");
  const finished = { ...split, finished: true };
  const query = "?finished=true&val=0.2&seed=7";
  const answers = { [`POST /projects/1/exports/yolo-seg${query}`]: () => run() };
  assert.equal(await first({ format: yolo, split: finished, answers }), `POST /projects/1/exports/yolo-seg${query}`);
});

test("while it is written, the page says how far it is", async () => {
  const states = [run({ state: "running", done: 1 }), run({ state: "running", done: 3 }), run()];
  const told = [];
  const { said, downloads } = await exported({
    answers: { "POST /projects/1/exports/coco": () => run({ state: "running", done: 0, total: 0 }), "GET /exports/7": () => states.shift() },
    wait: (shown) => void told.push(shown[0].text),
  });
  assert.deepEqual(told, [
    "Writing annotations.json …",
    "Writing annotations.json: 1 of 4 images",
    "Writing annotations.json: 3 of 4 images",
  ]);
  assert.deepEqual([said.length, downloads.length], [1, 1]);
});

test("an export can be cancelled", async () => {
  const running = () => run({ state: "running" });
  const { said, downloads, calls } = await exported({
    answers: { "POST /projects/1/exports/coco": running, "GET /exports/7": running },
    wait: (shown) => shown[0].action[1](),
  });
  assert.deepEqual(calls, ["POST /projects/1/exports/coco", "DELETE /exports/7"]);
  assert.deepEqual([said.at(-1).text, downloads], ["The export was cancelled.", []]);
});

test("an export that fails says why", async () => {
  const failed = () => run({ state: "failed", error: "The file of a.jpg is gone." });
  const { said, downloads } = await exported({ answers: { "POST /projects/1/exports/coco": failed } });
  assert.deepEqual([said.at(-1).text, downloads], ["Nothing was exported: The file of a.jpg is gone.", []]);
});

test("what a format loses is told in numbers", async () => {
  const { store, toast } = page();
  const { api } = server({ "GET /projects/1/export/yolo-seg/losses": () => ({ text: "2 of 3 objects change." }) });
  const work = createExport({ store, api, toast, objects: { settled: async () => true }, download: () => {} });
  assert.equal(await work.losses(yolo, { finished: false }), "2 of 3 objects change.");
});

test("an export without an object that was to be kept says so, and does not begin", async () => {
  const { said, downloads } = await exported({ settled: false });
  assert.deepEqual(downloads, []);
  assert.match(said[0].text, /Nothing was exported/);
});
