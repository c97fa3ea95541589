import assert from "node:assert/strict";
import { test } from "node:test";

import { area } from "../../static/data/rle.js";
import { newStep } from "../../static/data/draft.js";
import { createTools } from "../../static/work/tools.js";
import { annotation, page, review as reviewOf, square } from "./parts.js";

globalThis.HTMLCanvasElement ??= class {};
/** The canvas: events reach the listeners through `fire`. */
function canvas() {
  const listeners = {};
  const box = {
    addEventListener: (type, listener) => (listeners[type] = listener),
    getBoundingClientRect: () => ({ left: 0, top: 0 }),
    classList: { toggle() {}, remove() {} },
    focus() {},
    setPointerCapture() {},
  };
  const fire = (type, x, y) => listeners[type]({ target: box, pointerId: 1, button: 0, clientX: x, clientY: y, timeStamp: 0 });
  return { box, fire };
}
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
  const prompting = { edit: (mask) => edits.push(["draft", area(mask)]), setBox() {}, anticipate() {}, endAnticipation() {} };
  const viewport = { transform: { scale: 1 }, toImage: (x, y) => [x, y] };
  const { box, fire } = canvas();
  const review = { keepAt: (x, y) => edits.push(["keep", x, y]), dropAt: (x, y) => edits.push(["drop", x, y]) };
  return { ...on, edits, fire, tools: createTools({ box, viewport, review, objects, prompting, ...on }) };
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

test("a stroke takes no more points than its brush can show, and ends where the pointer does", () => {
  const { store, edits, fire } = tools({ tool: "brush", brush: 40, selection: ["big"] });
  fire("pointerdown", 10, 40);
  for (let i = 1; i <= 10_000; i++) fire("pointermove", 10 + i / 200, 40);
  assert.ok(store.get().scratch.line.length <= 52, `${store.get().scratch.line.length} points`);
  fire("pointerup", 60.4, 40);
  assert.equal(store.get().scratch.line, null);
  const [[id, painted]] = edits;
  assert.equal(id, "big");
  fire("pointerdown", 10, 40);
  fire("pointermove", 60.4, 40);
  fire("pointerup", 60.4, 40);
  assert.equal(edits[1][1], painted, "as far as one straight stroke");
});

test("a tap in a review keeps what is there; with minus in hand it drops it", () => {
  for (const [tool, word] of [["add", "keep"], ["remove", "drop"]]) {
    const { edits, fire } = tools({ tool, review: reviewOf() });
    fire("pointerdown", 5, 6);
    fire("pointerup", 5, 6);
    assert.deepEqual(edits, [[word, 5, 6]]);
  }
});
