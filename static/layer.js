/** Many masks drawn once: fills in one canvas, outlines in another, so that fills which overlap do not add up. */

import { drawMask, useImageSpace } from "./paint.js";

/**
 * @typedef {{mask: import("./rle.js").Mask, area: number, color: string, fill: number, lines: [string, number][]}} Shape
 */

/** @returns {{draw: Function, copyTo: Function}} */
export function createMaskLayer() {
  const fills = surface();
  const lines = surface();

  return {
    /**
     * Large shapes go below small ones.
     * @param {Shape[]} shapes
     * @param {{width: number, height: number}} size in device pixels
     * @param {import("./viewport.js").View} view
     * @param {number} ratio device pixels per CSS pixel
     */
    draw(shapes, size, view, ratio) {
      const pixel = 1 / view.scale;
      for (const context of [fills, lines]) {
        Object.assign(context.canvas, { width: size.width, height: size.height });
        useImageSpace(context, view, ratio);
      }
      for (const { mask, color, lines: strokes, fill } of [...shapes].sort((a, b) => b.area - a.area)) {
        if (fill) drawMask(fills, mask, { color, fill: 1, lines: [], pixel });
        drawMask(lines, mask, { color, fill: 0, lines: strokes, pixel });
      }
    },
    /**
     * @param {CanvasRenderingContext2D} context in device pixels
     * @param {number} opacity of the fills
     */
    copyTo(context, opacity) {
      context.globalAlpha = opacity;
      if (opacity > 0) context.drawImage(fills.canvas, 0, 0);
      context.globalAlpha = 1;
      context.drawImage(lines.canvas, 0, 0);
    },
  };
}

/** @returns {OffscreenCanvasRenderingContext2D} */
const surface = () => /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d"));
