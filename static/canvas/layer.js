/**
 * Many masks drawn once: fills in one canvas, outlines in another, so that fills which overlap do not add up.
 * While the view moves and a redraw would take too long, the last drawing is moved along instead.
 */

import { drawMask, useImageSpace } from "./paint.js";

/** A redraw this quick is done in every frame. */
const CHEAP_MS = 8;
/** How far the drawing reaches beyond each edge of the screen, as a part of the screen. */
const MARGIN = 0.2;

/**
 * @typedef {{mask: import("./rle.js").Mask, area: number, color: string, fill: number, lines: [string, number][]}} Shape
 * @typedef {import("./viewport.js").View} View
 * @typedef {{view: View, size: {width: number, height: number}, ratio: number}} Frame  size in device pixels
 */

export function createMaskLayer() {
  const fills = surface();
  const lines = surface();
  /** What the drawing shows. @type {any[]} */
  let drawnFrom = [];
  /** @type {View | null} */
  let drawnAt = null;
  let margin = [0, 0];
  let cost = 0;

  /** @param {Shape[]} shapes @param {Frame} frame */
  function draw(shapes, { view, size, ratio }) {
    const begin = performance.now();
    margin = [Math.round(size.width * MARGIN), Math.round(size.height * MARGIN)];
    const pixel = 1 / view.scale;
    const shifted = { scale: view.scale, x: view.x + margin[0] / ratio, y: view.y + margin[1] / ratio };
    for (const context of [fills, lines]) {
      Object.assign(context.canvas, { width: size.width + 2 * margin[0], height: size.height + 2 * margin[1] });
      useImageSpace(context, shifted, ratio);
    }
    const seen = inSight(shapes, shifted, fills.canvas.width / ratio, fills.canvas.height / ratio);
    for (const { mask, color, lines: strokes, fill } of seen.sort((a, b) => b.area - a.area)) {
      if (fill) drawMask(fills, mask, { color, fill: 1, lines: [], pixel });
      drawMask(lines, mask, { color, fill: 0, lines: strokes, pixel });
    }
    drawnAt = view;
    cost = performance.now() - begin;
  }

  /** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {number} opacity */
  function copy(context, { view, ratio }, opacity) {
    const from = /** @type {View} */ (drawnAt);
    const grown = view.scale / from.scale;
    const left = view.x * ratio - (from.x * ratio + margin[0]) * grown;
    const top = view.y * ratio - (from.y * ratio + margin[1]) * grown;
    context.setTransform(1, 0, 0, 1, 0, 0);
    for (const [source, alpha] of /** @type {const} */ ([
      [fills, opacity],
      [lines, 1],
    ])) {
      if (alpha === 0) continue;
      context.globalAlpha = alpha;
      context.drawImage(source.canvas, left, top, source.canvas.width * grown, source.canvas.height * grown);
    }
    context.globalAlpha = 1;
  }

  return {
    /**
     * @param {CanvasRenderingContext2D} context
     * @param {Frame} frame
     * @param {{from: any[], shapes: () => Shape[], opacity: number, moving: boolean}} content  `from`: when none of these
     *   changed, the drawing is still right; large shapes go below small ones
     */
    show(context, frame, { from, shapes, opacity, moving }) {
      const key = [...from, frame.size.width, frame.size.height];
      const changed = key.length !== drawnFrom.length || key.some((value, i) => value !== drawnFrom[i]);
      if (changed || !drawnAt || (frame.view !== drawnAt && !(moving && cost > CHEAP_MS))) {
        draw(shapes(), frame);
        drawnFrom = key;
      }
      copy(context, frame, opacity);
    },
  };
}

/**
 * @param {Shape[]} shapes
 * @param {View} view
 * @param {number} width
 * @param {number} height
 */
function inSight(shapes, { scale, x: left, y: top }, width, height) {
  return shapes.filter(({ mask: { x, y, w, h } }) => {
    const [x0, y0] = [x * scale + left, y * scale + top];
    return x0 <= width && y0 <= height && x0 + w * scale >= 0 && y0 + h * scale >= 0;
  });
}

/** @returns {OffscreenCanvasRenderingContext2D} */
const surface = () => /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d"));
