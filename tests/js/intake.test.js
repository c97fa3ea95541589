import assert from "node:assert/strict";
import { test } from "node:test";

import { filesOf, inOrder, isImage } from "../../static/work/folders.js";
import { createIntake } from "../../static/work/intake.js";
import { page, photo, server } from "./parts.js";

const file = (name) => ({ isFile: true, name, fullPath: `/${name}`, file: (use) => use(new File(["x"], name)) });
const broken = (name) => ({ isFile: true, name, fullPath: `/${name}`, file: (_, fail) => fail(new Error("gone")) });
/** A folder that tells what is in it two at a time. */
function folder(name, ...children) {
  const within = (entries) => {
    for (const entry of entries) {
      entry.fullPath = `/${name}${entry.fullPath}`;
      within(entry.children ?? []);
    }
  };
  within(children);
  const createReader = () => {
    const left = [...children];
    return { readEntries: (use) => use(left.splice(0, 2)) };
  };
  return { isFile: false, name, fullPath: `/${name}`, children, createReader };
}

test("a folder gives all its files, however deep, in the order of their names", async () => {
  const deep = folder("deep", file("b10.png"), file("b9.png"), folder("empty"), broken("b1.png"));
  const entries = [folder("photos", file("c.jpg"), file("a.jpg"), deep, file("notes.txt")), file("0.jpg")];
  const paths = (await filesOf(/** @type {any} */ (entries))).map(({ path }) => path);
  const photos = ["a.jpg", "c.jpg", "deep/b9.png", "deep/b10.png", "notes.txt"].map((name) => `photos/${name}`);
  assert.deepEqual(paths, ["0.jpg", ...photos]);
});

test("one folder's files are called by their path in it", async () => {
  const entries = [folder("photos", file("c.jpg"), folder("deep", file("c.jpg")))];
  const found = await filesOf(/** @type {any} */ (entries));
  assert.deepEqual(
    found.map(({ path }) => path),
    ["c.jpg", "deep/c.jpg"],
  );
});

test("a folder may hold any number of files", async () => {
  const one = file("one.jpg");
  const many = Array.from({ length: 150_000 }, () => ({ ...one, file: (use) => use(one) }));
  const all = { isFile: false, name: "all", createReader: () => ({ readEntries: (use) => use(many.splice(0, 100)) }) };
  assert.equal((await filesOf([all])).length, 150_000);
});

test("a picked folder is taken in the order of its paths", () => {
  const files = ["x/b/1.jpg", "x/a10.jpg", "x/a9.jpg"].map((webkitRelativePath) => ({ webkitRelativePath }));
  const paths = inOrder(/** @type {any} */ (files)).map(({ path }) => path);
  assert.deepEqual(paths, ["a9.jpg", "a10.jpg", "b/1.jpg"]);
});

test("what the server cannot read and hidden files are no images", () => {
  const names = ["a.JPG", "b.jpeg", "c.tif", "._a.jpg", "notes.txt", "d.json", "jpg"];
  assert.deepEqual(
    names.filter((name) => isImage(/** @type {any} */ ({ name }))),
    ["a.JPG", "b.jpeg", "c.tif"],
  );
});

test("of a folder the images are uploaded, and the rest is counted", async () => {
  const { store, said, toast } = page();
  const adopted = [];
  const session = { adopt: (images) => (adopted.push(...images), images), open: async () => {} };
  const answer = (form) => ({ images: [photo(form.get("files").name)], known: [], errors: [] });
  const { api } = server({ "POST /projects/1/images": answer });
  const intake = createIntake({ store, api, importing: {}, session, toast });
  const names = ["a.jpg", "notes.txt", "b.png", ".DS_Store"];
  await intake.takeFolder(names.map((name) => ({ file: new File(["x"], name), path: `deep/${name}` })));
  assert.deepEqual(
    adopted.map(({ id }) => id),
    ["deep/a.jpg", "deep/b.png"],
  );
  assert.equal(said[0].text, "2 files that are no images were left out.");
  assert.equal(said.at(-1).kind, "progress", "and nothing more");
  await intake.takeFolder([]);
  assert.equal(said.at(-1).text, "There are no images in this folder.");
});

test("files of a folder that may hold objects are imported once a person says so", async () => {
  const { store, said, toast } = page();
  const { api } = server({ "POST /projects/1/images": () => ({ images: [], known: [], errors: [] }) });
  const taken = [];
  const importing = { take: async (files) => void taken.push(...files.map(({ name }) => name)) };
  const intake = createIntake({ store, api, importing, session: { adopt: () => [], open: async () => {} }, toast });
  const names = ["a.jpg", "a.json", "b.json"];
  await intake.takeFolder(names.map((name) => ({ file: new File(["x"], name), path: name })));
  const { text, action } = said.at(-1);
  assert.deepEqual([text, taken], ["2 files of the folder may hold objects.", []]);
  action[1]();
  assert.deepEqual(taken, ["a.json", "b.json"]);
});

test("uploads go to the project they began in", async () => {
  const { store, toast } = page({ projectId: 1 });
  const session = { adopt: () => [], open: async () => {} };
  const answer = () => {
    store.set({ projectId: 2 });
    return { images: [], known: [], errors: [] };
  };
  const { api, calls } = server({ "POST /projects/1/images": answer });
  const intake = createIntake({ store, api, importing: {}, session, toast });
  await intake.take(["a.jpg", "b.jpg"].map((name) => new File(["x"], name)));
  assert.equal(calls.length, 2);
});

test("images that are there already are said, and the first is opened when nothing new came", async () => {
  const { store, said, toast } = page({ projectId: 1 });
  const opened = [];
  const session = { adopt: (images) => images.filter(({ id }) => id === "new"), open: async (id) => void opened.push(id) };
  const answer = (form) => {
    const image = photo(form.get("files").name);
    return image.id === "new" ? { images: [image], known: [], errors: [] } : { images: [], known: [image], errors: [] };
  };
  const { api } = server({ "POST /projects/1/images": answer });
  const intake = createIntake({ store, api, importing: {}, session, toast });
  const files = (...names) => names.map((name) => new File(["x"], name));
  await intake.take(files("old", "older"));
  assert.equal(said.at(-1).text, "2 images were here already.");
  await intake.take(files("old", "new"));
  assert.equal(said.at(-1).text, "old.jpg was here already.");
  assert.deepEqual(opened, ["old", "new"]);
});

test("files with objects or boxes are imported, and everything else is uploaded", async () => {
  const { store, toast } = page({ projectId: 1, image: null });
  const imported = [];
  const session = { adopt: () => [], open: async () => {} };
  const { api, calls } = server({ "POST /projects/1/images": () => ({ images: [], known: [], errors: [] }) });
  const importing = { take: async (files, into) => void imported.push(...files.map(({ name }) => `${name} ${into}`)) };
  const intake = createIntake({ store, api, importing, session, toast });
  await intake.take(["a.jpg", "yolo.ZIP", "coco.json", "boxes.csv"].map((name) => new File(["x"], name)));
  assert.deepEqual([calls.length, imported], [1, ["yolo.ZIP", "coco.json", "boxes.csv"].map((name) => `${name} /projects/1`)]);
});
