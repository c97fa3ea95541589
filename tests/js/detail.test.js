import assert from "node:assert/strict";
import { test } from "node:test";

import { gains, stillThere, viewOf, visiblePart } from "../../static/work/detail.js";
import { createViewport } from "../../static/canvas/viewport.js";

const IMAGE = { width: 1000, height: 800 };

function zoomedIn() {
  const viewport = createViewport(() => {});
  viewport.setScreen({ width: 200, height: 100 });
  viewport.setImage(IMAGE);
  viewport.set({ scale: 2, x: -600, y: -400 });
  return viewport;
}

test("the visible part is what the screen shows, in whole image pixels", () => {
  assert.deepEqual(visiblePart(zoomedIn(), IMAGE), { x: 300, y: 200, width: 100, height: 50 });
});

test("the visible part ends at the image's edge", () => {
  const viewport = zoomedIn();
  viewport.set({ scale: 2, x: 50, y: -400 });
  assert.deepEqual(visiblePart(viewport, IMAGE), { x: 0, y: 200, width: 75, height: 50 });
});

test("a little panning or zooming stays with the detail, leaving or zooming out does not", () => {
  const detail = { x: 300, y: 200, width: 100, height: 50 };
  assert.equal(stillThere(detail, { ...detail, x: 330 }), true);
  assert.equal(stillThere(detail, { x: 320, y: 210, width: 50, height: 25 }), true);
  assert.equal(stillThere(detail, { ...detail, x: 380 }), false);
  assert.equal(stillThere(detail, { x: 0, y: 0, width: 1000, height: 800 }), false);
});

test("an image no larger than the model's input has no finer detail", () => {
  assert.equal(gains({ width: 512, height: 300 }, 512), false);
  assert.equal(gains({ width: 300, height: 513 }, 512), true);
});

test("a prompt's view is the detail without what only the page needs", () => {
  assert.equal(viewOf({ detail: null }), null);
  assert.deepEqual(viewOf({ detail: { x: 1, y: 2, width: 3, height: 4, imageId: "a" } }), { x: 1, y: 2, width: 3, height: 4 });
});
