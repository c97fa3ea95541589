import assert from "node:assert/strict";
import { test } from "node:test";

import { createExport } from "../../static/work/export.js";
import { page, server } from "./parts.js";

const coco = { name: "coco", title: "COCO", file_name: "annotations.json", losses: "Little.", has_subsets: false };
const yolo = { ...coco, name: "yolo-seg", file_name: "yolo-seg.zip", has_subsets: true };

/** What is downloaded and said when the objects are saved, or not. */
async function exported(settled, format = coco, split = { percent: null, seed: 0 }) {
  const { store, said, toast } = page();
  const { api } = server({ "GET /status": () => ({}) });
  const downloads = [];
  await createExport({
    store,
    api,
    toast,
    objects: { settled: async () => settled },
    download: (path, name) => downloads.push([path, name]),
  }).download(format, split);
  return { said, downloads };
}

test("an export has everything that was kept", async () => {
  assert.deepEqual(await exported(true), { said: [], downloads: [["/projects/1/export/coco", "annotations.json"]] });
});

test("a format with a part for validation takes a share of the images, or what their folders tell", async () => {
  const paths = async (...given) => (await exported(true, ...given)).downloads.map(([path]) => path);
  assert.deepEqual(await paths(yolo), ["/projects/1/export/yolo-seg"]);
  assert.deepEqual(await paths(yolo, { percent: 20, seed: 7 }), ["/projects/1/export/yolo-seg?val=0.2&seed=7"]);
  assert.deepEqual(await paths(coco, { percent: 20, seed: 7 }), ["/projects/1/export/coco"]);
});

test("what a format loses is told in numbers", async () => {
  const { store, toast } = page();
  const { api } = server({ "GET /projects/1/export/yolo-seg/losses": () => ({ text: "2 of 3 objects change." }) });
  const work = createExport({ store, api, toast, objects: { settled: async () => true }, download: () => {} });
  assert.equal(await work.losses(yolo), "2 of 3 objects change.");
});

test("an export without an object that was to be kept says so, and does not begin", async () => {
  const { said, downloads } = await exported(false);
  assert.deepEqual(downloads, []);
  assert.match(said[0].text, /Nothing was exported/);
});
