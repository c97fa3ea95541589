import assert from "node:assert/strict";
import { test } from "node:test";

import { createViewport } from "../../static/canvas/viewport.js";

const INSETS = { left: 60, top: 10, right: 20, bottom: 40 };

function make(image = { width: 400, height: 200 }, screen = { width: 1000, height: 600 }, insets = INSETS) {
  let changes = 0;
  const viewport = createViewport(() => changes++);
  viewport.setScreen(screen, insets);
  viewport.setImage(image);
  return { viewport, changes: () => changes };
}

const close = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

test("a new image is fitted between the insets", () => {
  const { viewport } = make();
  const [x0, y0] = viewport.toScreen(0, 0);
  const [x1, y1] = viewport.toScreen(400, 200);
  close(x0, 60);
  close(x1, 980);
  close((y0 + y1) / 2, (10 + 560) / 2);
});

test("toImage undoes toScreen", () => {
  const { viewport } = make();
  viewport.zoomAt(300, 200, 3.7);
  const [x, y] = viewport.toImage(...viewport.toScreen(123.4, 56.7));
  close(x, 123.4);
  close(y, 56.7);
});

test("zooming keeps the image point under the pointer", () => {
  const { viewport } = make();
  const before = viewport.toImage(420, 300);
  viewport.zoomAt(420, 300, 2.5);
  const after = viewport.toImage(420, 300);
  close(before[0], after[0]);
  close(before[1], after[1]);
});

test("the scale stays between half the fit and the largest", () => {
  const { viewport } = make();
  const fitted = viewport.transform.scale;
  viewport.zoomAt(500, 300, 1e9);
  assert.equal(viewport.transform.scale, 40);
  viewport.zoomAt(500, 300, 1e-9);
  assert.equal(viewport.transform.scale, Math.min(fitted / 2, 1));
});

test("panning never loses the image", () => {
  const { viewport } = make();
  viewport.panBy(1e6, -1e6);
  const [x0] = viewport.toScreen(0, 0);
  const [, y1] = viewport.toScreen(400, 200);
  assert.ok(x0 < 1000 && y1 > 0);
});

test("a fitted image stays fitted when the window changes, another keeps its centre", () => {
  const { viewport } = make();
  viewport.setScreen({ width: 500, height: 600 });
  close(viewport.toScreen(0, 0)[0], 60);
  viewport.zoomAt(250, 300, 2);
  const centre = viewport.toImage(250, 300);
  viewport.setScreen({ width: 700, height: 500 });
  const moved = viewport.toImage(350, 250);
  close(centre[0], moved[0]);
  close(centre[1], moved[1]);
});

test("every change is announced", () => {
  const { viewport, changes } = make();
  const before = changes();
  viewport.panBy(1, 1);
  viewport.fit();
  assert.equal(changes(), before + 2);
});

test("a small image is not blown up beyond reason", () => {
  assert.equal(make({ width: 4, height: 4 }).viewport.transform.scale, 8);
});
