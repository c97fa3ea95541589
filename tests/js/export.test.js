import assert from "node:assert/strict";
import { test } from "node:test";

import { createExport } from "../../static/work/export.js";
import { page, server } from "./parts.js";

/** What is downloaded and said when the objects are saved, or not. */
async function exported(settled) {
  const { store, said, toast } = page();
  const { api } = server({ "GET /status": () => ({}) });
  const downloads = [];
  await createExport({
    store,
    api,
    toast,
    objects: { settled: async () => settled },
    download: (path) => downloads.push(path),
  })();
  return { said, downloads };
}

test("an export has everything that was kept", async () => {
  assert.deepEqual(await exported(true), { said: [], downloads: ["/projects/1/export/coco"] });
});

test("an export without an object that was to be kept says so, and does not begin", async () => {
  const { said, downloads } = await exported(false);
  assert.deepEqual(downloads, []);
  assert.match(said[0].text, /Nothing was exported/);
});
