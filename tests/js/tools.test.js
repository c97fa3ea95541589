import assert from "node:assert/strict";
import { test } from "node:test";

import { area } from "../../static/canvas/rle.js";
import { newStep } from "../../static/data/draft.js";
import { createTools } from "../../static/work/tools.js";
import { annotation, page, square } from "./parts.js";

const box = /** @type {any} */ ({ addEventListener() {} });
const three = [
  annotation("big", { mask: square(0, 10) }),
  annotation("left", { mask: square(0, 2) }),
  annotation("right", { mask: square(8, 4) }),
];

/** The page's tools with these fields of its state; what was edited is in `edits`. */
function tools(fields) {
  const on = page({ annotations: three, ...fields });
  const edits = [];
  const objects = { editMask: (id, mask) => edits.push([id, area(mask)]) };
  const prompting = { edit: (mask) => edits.push(["draft", area(mask)]) };
  return { ...on, edits, tools: createTools({ box, viewport: {}, review: {}, objects, prompting, ...on }) };
}

test("the others are subtracted from the object selected first", () => {
  const { edits, tools: of } = tools({ selection: ["big", "right", "left"] });
  of.subtractSelected();
  assert.deepEqual(edits, [["big", 100 - 4 - 8]]);
});

test("the selected are subtracted from the object in progress", () => {
  const now = newStep({ edited: square(0, 10), answered: true, annotationId: "big" });
  const { edits, tools: of } = tools({ draft: { past: [], now, future: [] }, selection: ["big", "left"] });
  of.subtractSelected();
  assert.deepEqual(edits, [["draft", 96]]);
});

for (const [selection, words] of [
  [["big"], /Select the object to subtract from/],
  [["left", "right"], /do not overlap/],
  [["left", "big"], /Nothing would be left/],
])
  test(`subtracting with ${selection} selected changes nothing, and says so`, () => {
    const { edits, said, tools: of } = tools({ selection });
    of.subtractSelected();
    assert.deepEqual(edits, []);
    assert.match(said[0].text, /** @type {RegExp} */ (words));
  });
