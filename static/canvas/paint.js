/** Drawing on the overlay: masks, prompts, boxes, brush. Colours and sizes live here. */

import { trace } from "./contour.js";
import { decode } from "../data/rle.js";

/** @import { Box, Mask, Position, Step } from "../data/types.d.ts" */
/** @import { Transform } from "./viewport.js" */

/** @typedef {(x: number, y: number) => Position} ToScreen */

const POSITIVE = "#16a34a";
const NEGATIVE = "#dc2626";
const MARK_RADIUS = 7;
const HATCH_STEP = 7;
const SHADOW = "rgba(0, 0, 0, 0.55)";

/** Masks never change, so the outline of each is made once. @type {WeakMap<Mask, Path2D>} */
const outlines = new WeakMap();

/**
 * @param {Mask} mask
 * @returns {Path2D} in image coordinates
 */
function outline(mask) {
  let path = outlines.get(mask);
  if (!path) {
    path = new Path2D();
    for (const loop of trace(decode(mask))) {
      path.moveTo(loop[0], loop[1]);
      for (let i = 2; i < loop.length; i += 2) path.lineTo(loop[i], loop[i + 1]);
      path.closePath();
    }
    outlines.set(mask, path);
  }
  return path;
}

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 * @param {Transform} transform
 * @param {number} ratio device pixels per CSS pixel
 */
export function useImageSpace(context, transform, ratio) {
  const scale = transform.scale * ratio;
  context.setTransform(scale, 0, 0, scale, transform.x * ratio, transform.y * ratio);
}

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context in image space
 * @param {Mask} mask
 * @param {{color: string, fill: number, lines: [color: string, width: number][], pixel: number, dash?: number[]}} style
 *   `lines`: drawn one over the other, widths in screen pixels; `pixel`: the size of a screen pixel in image pixels
 */
export function drawMask(context, mask, { color, fill, lines, pixel, dash = [] }) {
  const path = outline(mask);
  if (fill > 0) {
    context.globalAlpha = fill;
    context.fillStyle = color;
    context.fill(path, "evenodd");
    context.globalAlpha = 1;
  }
  context.lineJoin = "round";
  context.setLineDash(dash.map((length) => length * pixel));
  for (const [stroke, width] of lines) {
    context.strokeStyle = stroke;
    context.lineWidth = width * pixel;
    context.stroke(path);
  }
  context.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} context in image space
 * @param {Mask} mask
 * @param {number} pixel the size of a screen pixel in image pixels
 */
export function drawHatch(context, mask, pixel) {
  context.save();
  context.clip(outline(mask), "evenodd");
  context.beginPath();
  const step = HATCH_STEP * pixel;
  const first = Math.floor((mask.x + mask.y) / step) * step; // lines of neighbouring masks meet
  for (let at = first; at <= mask.x + mask.w + mask.y + mask.h; at += step) {
    context.moveTo(at - mask.y, mask.y);
    context.lineTo(at - mask.y - mask.h, mask.y + mask.h);
  }
  for (const [color, width] of /** @type {const} */ ([
    [SHADOW, 3.5],
    ["#fff", 1.75],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = width * pixel;
    context.stroke();
  }
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {Step} step
 * @param {ToScreen} toScreen
 */
export function drawPrompts(context, step, toScreen) {
  if (step.box) drawBox(context, step.box, toScreen);
  for (const [x, y, label] of step.points) {
    const [sx, sy] = toScreen(x, y);
    context.beginPath();
    context.arc(sx, sy, MARK_RADIUS, 0, 2 * Math.PI);
    context.fillStyle = label ? POSITIVE : NEGATIVE;
    context.strokeStyle = "#fff";
    context.lineWidth = 2;
    context.shadowColor = SHADOW;
    context.shadowBlur = 4;
    context.fill();
    context.shadowBlur = 0;
    context.stroke();
    context.beginPath();
    context.moveTo(sx - 3.5, sy);
    context.lineTo(sx + 3.5, sy);
    if (label) {
      context.moveTo(sx, sy - 3.5);
      context.lineTo(sx, sy + 3.5);
    }
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {Box} box
 * @param {ToScreen} toScreen
 */
export function drawBox(context, box, toScreen) {
  const [x0, y0] = toScreen(box[0], box[1]);
  const [x1, y1] = toScreen(box[2], box[3]);
  strokeTwice(context, [6, 4], () => context.strokeRect(x0, y0, x1 - x0, y1 - y0));
}

/**
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {string} text
 * @param {Position} at  the upper left corner, in screen coordinates
 */
export function drawTag(context, text, [x, y]) {
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = SHADOW;
  context.fillRect(x, y, context.measureText(text).width + 8, 16);
  context.fillStyle = "#fff";
  context.fillText(text, x + 4, y + 8);
}

/**
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {Position[]} line  in image coordinates
 * @param {ToScreen} toScreen
 */
export function drawLasso(context, line, toScreen) {
  context.beginPath();
  for (const [x, y] of line) context.lineTo(...toScreen(x, y));
  context.closePath();
  context.fillStyle = "rgba(255, 255, 255, 0.12)";
  context.fill();
  strokeTwice(context, [6, 4], () => context.stroke());
}

/**
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {Position} at  in screen coordinates
 * @param {number} reach length of each arm
 */
export function drawCross(context, [x, y], reach) {
  const gap = reach > 40 ? 0 : 4;
  context.beginPath();
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ]) {
    context.moveTo(x + dx * gap, y + dy * gap);
    context.lineTo(x + dx * reach, y + dy * reach);
  }
  strokeTwice(context, [], () => context.stroke());
}

/**
 * Draws the brush: its stroke so far and its circle.
 * @param {CanvasRenderingContext2D} context in screen space
 * @param {{line: Position[], at: Position | null, radius: number, color: string, erase: boolean, scale: number}} brush
 * @param {ToScreen} toScreen
 */
export function drawBrush(context, { line, at, radius, color, erase, scale }, toScreen) {
  if (line.length) {
    context.beginPath();
    for (const [x, y] of line) context.lineTo(...toScreen(x, y));
    if (line.length === 1) context.lineTo(...toScreen(line[0][0] + 0.01, line[0][1]));
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * radius * scale;
    context.strokeStyle = erase ? "#fff" : color;
    context.globalAlpha = 0.5;
    context.stroke();
    context.globalAlpha = 1;
    context.lineCap = "butt";
  }
  if (at) {
    context.beginPath();
    context.arc(...toScreen(at[0], at[1]), Math.max(1, radius * scale), 0, 2 * Math.PI);
    strokeTwice(context, erase ? [4, 3] : [], () => context.stroke());
  }
}

/**
 * Strokes a dark line and a light one over it, which is visible on every photo.
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} dash
 * @param {() => void} draw
 */
function strokeTwice(context, dash, draw) {
  context.strokeStyle = SHADOW;
  context.lineWidth = 3;
  draw();
  context.strokeStyle = "#fff";
  context.lineWidth = 1.5;
  context.setLineDash(dash);
  draw();
  context.setLineDash([]);
}
