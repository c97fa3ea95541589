import assert from "node:assert/strict";
import { test } from "node:test";

import { onNewPixelRatio } from "../../static/canvas/pixelratio.js";

test("every move to a screen of another pixel ratio is noticed", () => {
  const listeners = new Map();
  globalThis.matchMedia = (query) => ({ addEventListener: (type, listener) => listeners.set(query, listener) });
  const moveTo = (ratio) => {
    const left = listeners.get(`(resolution: ${globalThis.devicePixelRatio}dppx)`);
    globalThis.devicePixelRatio = ratio;
    left();
  };
  const noticed = [];
  globalThis.devicePixelRatio = 1;
  onNewPixelRatio(() => noticed.push(devicePixelRatio));
  moveTo(2);
  moveTo(1.5);
  moveTo(1);
  assert.deepEqual(noticed, [2, 1.5, 1]);
});
