import assert from "node:assert/strict";
import { test } from "node:test";

import { createImporting } from "../../static/work/importing.js";
import { page, server } from "./parts.js";

const MASKS = "POST /projects/1/import";
const BOXES = "POST /projects/1/boxes";
const LIST = "GET /projects/1/images?limit=2";
const found = (id, count = 1) => ({ image_id: id, boxes: Array(count).fill({ box: [0, 0, 4, 4], category: "cup" }) });
const refuse = (reason) => () => Promise.reject(new Error(reason));

/** Imports a file of this name, or several; the server answers like this. */
async function imported(names, answers, review = { addBoxes: () => true }, state = {}) {
  const on = page({ image: null, ...state });
  const opened = [];
  const { api, calls } = server({ [LIST]: () => ({ images: [] }), ...answers });
  const session = { open: async (id) => void opened.push(id) };
  const importing = createImporting({ ...on, api, objects: {}, review, session });
  await importing.take([names].flat().map((name) => new File(["x"], name)), "/projects/1");
  const posted = calls.filter(({ method }) => method === "POST").map(({ method, path }) => `${method} ${path}`);
  const said = on.said.filter(({ kind }) => kind !== "progress");
  return { posted, opened, said: said.map(({ text }) => text), kinds: said.map(({ kind }) => kind), stays: said.map(({ stays }) => stays) };
}

test("a file whose masks are all kept is asked for nothing else", async () => {
  const { posted, said } = await imported("a.json", { [MASKS]: () => ({ kept: 2, present: 0, problems: [] }) });
  assert.deepEqual([posted, said], [[MASKS], ["2 objects imported."]]);
});

test("boxes without masks wait for review, and the first of their images is opened", async () => {
  const given = [];
  const { said, opened } = await imported(
    "a.json",
    {
      [MASKS]: () => ({ kept: 0, present: 0, problems: ["Annotation 1 has no mask."] }),
      [BOXES]: () => ({ images: [found("b", 2), found("a")], problems: [] }),
    },
    { addBoxes: (id, boxes) => given.push([id, boxes.length]) > 0 },
  );
  assert.deepEqual(given, [["b", 2], ["a", 1]]);
  assert.deepEqual(said, ["3 boxes on 2 images to review. Masks come when an image is opened."]);
  assert.deepEqual(opened, ["b"]);
});

test("a file with masks and boxes gives both", async () => {
  const { said } = await imported("a.json", {
    [MASKS]: () => ({ kept: 1, present: 0, problems: ["Annotation 2 has no mask."] }),
    [BOXES]: () => ({ images: [found("a")], problems: ["A mask is there already."] }),
  });
  assert.deepEqual(said.slice(0, 2), ["1 object imported.", "Annotation 2 has no mask."]);
  assert.match(said[2], /^1 box on 1 image/);
});

test("labels for detection are boxes, though they cannot be imported as masks", async () => {
  const { said } = await imported("labels.zip", {
    [MASKS]: refuse("It is none of the formats."),
    [BOXES]: () => ({ images: [found("a")], problems: [] }),
  });
  assert.equal(said.length, 1);
  assert.match(said[0], /^1 box on 1 image/);
});

test("a file that holds neither is told in the words of the import", async () => {
  const { said } = await imported("a.zip", { [MASKS]: refuse("It is none of the formats."), [BOXES]: refuse("No labels.") });
  assert.deepEqual(said, ["a.zip: It is none of the formats."]);
});

test("what was there already is said, and is no failure", async () => {
  const told = async (kept, present) => {
    const { said, kinds } = await imported("a.json", { [MASKS]: () => ({ kept, present, problems: [] }) });
    assert.deepEqual(kinds, [undefined]);
    return said[0];
  };
  assert.equal(await told(0, 7), "All 7 objects were there already.");
  assert.equal(await told(0, 1), "The object was there already.");
  assert.equal(await told(2, 1), "2 objects imported; 1 more was there already.");
});

test("a file of another kind is told what it is not, and is not sent", async () => {
  for (const [name, says] of [["notes.txt", /no file with objects/], ["cat.JPG", /is an image and holds no objects/]]) {
    const { posted, said } = await imported(name, {});
    assert.deepEqual(posted, []);
    assert.match(said[0], says);
  }
});

test("a CSV file is a file of boxes", async () => {
  const { posted, said } = await imported("a.csv", { [BOXES]: () => ({ images: [], problems: [] }) });
  assert.deepEqual([posted, said], [[BOXES], ["There are no boxes for the images here."]]);
});

test("boxes do not push out a review that waits on their image", async () => {
  const { said, opened } = await imported(
    "a.csv",
    { [BOXES]: () => ({ images: [found("a")], problems: [] }) },
    { addBoxes: () => false },
  );
  assert.match(said[0], /^Proposals are waiting for review on 1 image already/);
  assert.deepEqual(opened, []);
});

test("of many files one message says what they brought, and one what is wrong with which", async () => {
  const replies = [
    { kept: 2, present: 0, problems: [] },
    { kept: 1, present: 1, problems: ["X has another size here."] },
  ];
  const { said, stays } = await imported(["a.json", "b.json", "c.txt"], {
    [MASKS]: () => replies.shift(),
    [BOXES]: () => ({ images: [], problems: [] }),
  });
  assert.deepEqual(said, [
    "3 objects imported; 1 more was there already.",
    "b.json: X has another size here.\nc.txt is no file with objects: Import takes JSON, XML and CSV files, and zip archives.",
  ]);
  assert.deepEqual(stays, [undefined, true]);
});

test("boxes of several files on one image are reviewed together", async () => {
  const given = [];
  await imported(
    ["a.csv", "b.csv"],
    { [BOXES]: () => ({ images: [found("a", 2)], problems: [] }) },
    { addBoxes: (id, boxes) => given.push([id, boxes.length]) > 0 },
  );
  assert.deepEqual(given, [["a", 4]]);
});

test("boxes that arrive when another project is shown wait for their image, and open none", async () => {
  const given = [];
  const review = { addBoxes: (id, boxes) => given.push([id, boxes.length]) > 0 };
  const answers = { [BOXES]: () => ({ images: [found("a")], problems: [] }) };
  const { opened } = await imported("a.csv", answers, review, { projectId: 2 });
  assert.deepEqual([given, opened], [[["a", 1]], []]);
});
