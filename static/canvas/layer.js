/**
 * Draws many masks once: fills in one canvas and outlines in another, so that fills that overlap do not add up.
 * While the view moves and a redraw would take too long, the last drawing is moved instead.
 */

import { drawMask, useImageSpace } from "./paint.js";

/** @import { Mask, Size } from "../data/types.d.ts" */
/** @import { Transform } from "./viewport.js" */

/** A redraw that takes no longer is done in every frame. */
const CHEAP_MS = 8;
/** How far the drawing reaches beyond each edge of the screen, as a part of the screen. */
const MARGIN = 0.2;

/**
 * @typedef {{mask: Mask, area: number, color: string, fill: number, lines: [color: string, width: number][]}} Shape
 * @typedef {{transform: Transform, size: Size, ratio: number}} Frame  `size` in device pixels; `ratio`: device pixels per CSS pixel
 */

export function createMaskLayer() {
  const fills = surface();
  const lines = surface();
  /** The values that the drawing was made from. @type {unknown[]} */
  let drawnFrom = [];
  /** @type {Transform | null} */
  let drawnAt = null;
  let margin = [0, 0];
  let cost = 0;

  /** @param {Shape[]} shapes @param {Frame} frame */
  function draw(shapes, { transform, size, ratio }) {
    const begin = performance.now();
    margin = [Math.round(size.width * MARGIN), Math.round(size.height * MARGIN)];
    const pixel = 1 / transform.scale;
    const shifted = { scale: transform.scale, x: transform.x + margin[0] / ratio, y: transform.y + margin[1] / ratio };
    for (const context of [fills, lines]) {
      Object.assign(context.canvas, { width: size.width + 2 * margin[0], height: size.height + 2 * margin[1] });
      useImageSpace(context, shifted, ratio);
    }
    const visible = inSight(shapes, shifted, fills.canvas.width / ratio, fills.canvas.height / ratio);
    for (const { mask, color, lines: strokes, fill } of visible.sort((a, b) => b.area - a.area)) {
      if (fill) drawMask(fills, mask, { color, fill: 1, lines: [], pixel });
      drawMask(lines, mask, { color, fill: 0, lines: strokes, pixel });
    }
    drawnAt = transform;
    cost = performance.now() - begin;
  }

  /** @param {CanvasRenderingContext2D} context @param {Frame} frame @param {number} opacity */
  function copy(context, { transform, ratio }, opacity) {
    const from = /** @type {Transform} */ (drawnAt);
    const grown = transform.scale / from.scale;
    const left = transform.x * ratio - (from.x * ratio + margin[0]) * grown;
    const top = transform.y * ratio - (from.y * ratio + margin[1]) * grown;
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
     * @param {{from: unknown[], shapes: () => Shape[], opacity: number, moving: boolean}} content  `from`: the drawing is made
     *   again when one of these changed; `shapes`: small ones are drawn over large ones
     */
    show(context, frame, { from, shapes, opacity, moving }) {
      const key = [...from, frame.size.width, frame.size.height];
      const changed = key.length !== drawnFrom.length || key.some((value, i) => value !== drawnFrom[i]);
      if (changed || !drawnAt || (frame.transform !== drawnAt && !(moving && cost > CHEAP_MS))) {
        draw(shapes(), frame);
        drawnFrom = key;
      }
      copy(context, frame, opacity);
    },
  };
}

/**
 * @param {Shape[]} shapes
 * @param {Transform} transform
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
