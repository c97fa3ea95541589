/** Masks as cropped row-major runs, and what can be done with them pixel by pixel. */

/** @import { Bitmap, Box, Mask, Position } from "./types.d.ts" */

/** @type {Mask} */
export const EMPTY = Object.freeze({ x: 0, y: 0, w: 0, h: 0, runs: [] });

/**
 * @param {Mask} mask
 * @returns {Bitmap}
 */
export function decode(mask) {
  const data = new Uint8Array(mask.w * mask.h);
  let at = 0;
  for (let i = 0; i < mask.runs.length; i++) {
    const end = at + mask.runs[i];
    if (i & 1) data.fill(1, at, end);
    at = end;
  }
  return { x: mask.x, y: mask.y, w: mask.w, h: mask.h, data };
}

/**
 * The runs of a bitmap, cropped to its tight box.
 * @param {Bitmap} bitmap
 * @returns {Mask}
 */
export function encode(bitmap) {
  const box = tightBox(bitmap);
  if (!box) return EMPTY;
  const [x0, y0, x1, y1] = box;
  const runs = [];
  let value = 0;
  let length = 0;
  for (let y = y0; y < y1; y++) {
    for (let at = y * bitmap.w + x0, end = y * bitmap.w + x1; at < end; at++) {
      if (bitmap.data[at] !== value) {
        runs.push(length);
        value = bitmap.data[at];
        length = 0;
      }
      length++;
    }
  }
  runs.push(length);
  return { x: bitmap.x + x0, y: bitmap.y + y0, w: x1 - x0, h: y1 - y0, runs };
}

/**
 * @param {Bitmap} bitmap
 * @returns {Box | null} within the bitmap
 */
function tightBox({ w, h, data }) {
  let [x0, y0, x1, y1] = [w, h, 0, 0];
  for (let y = 0; y < h; y++) {
    const row = y * w;
    const first = data.subarray(row, row + w).indexOf(1);
    if (first < 0) continue;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, data.subarray(row, row + w).lastIndexOf(1) + 1);
    y0 = Math.min(y0, y);
    y1 = y + 1;
  }
  return x1 > 0 ? [x0, y0, x1, y1] : null;
}

/**
 * @param {Mask} mask
 * @returns {number} pixels set
 */
export function area(mask) {
  let sum = 0;
  for (let i = 1; i < mask.runs.length; i += 2) sum += mask.runs[i];
  return sum;
}

/** Masks never change, so each is taken apart once. @type {WeakMap<Mask, Int32Array>} */
const known = new WeakMap();

/**
 * @param {Mask} mask
 * @returns {Int32Array} y, left, right of the pixels set, row by row of the image, right excluded
 */
export function spans(mask) {
  const done = known.get(mask);
  if (done) return done;
  /** @type {number[]} */
  const found = [];
  let at = 0;
  for (let i = 0; i < mask.runs.length; i++) {
    const end = at + mask.runs[i];
    for (let from = at; i & 1 && from < end; ) {
      const row = Math.floor(from / mask.w);
      const to = Math.min(end, (row + 1) * mask.w);
      found.push(mask.y + row, mask.x + from - row * mask.w, mask.x + to - row * mask.w);
      from = to;
    }
    at = end;
  }
  const all = Int32Array.from(found);
  known.set(mask, all);
  return all;
}

/** @param {Mask} a @param {Mask} b @returns {boolean} */
export const boxesMeet = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/**
 * Masks never change, so what is asked of a pair is computed once.
 * @template T
 * @param {(a: Mask, b: Mask) => T} compute
 * @returns {(a: Mask, b: Mask) => T}
 */
export function oncePerPair(compute) {
  /** @type {WeakMap<Mask, WeakMap<Mask, T>>} */
  const pairs = new WeakMap();
  return (a, b) => {
    const ofA = pairs.get(a) ?? new WeakMap();
    pairs.set(a, ofA);
    const found = ofA.get(b) ?? compute(a, b);
    ofA.set(b, found);
    return found;
  };
}

/**
 * @param {Mask} a
 * @param {Mask} b
 * @returns {number} pixels set in both
 */
export function commonPixels(a, b) {
  if (!boxesMeet(a, b)) return 0;
  const [one, other] = [spans(a), spans(b)];
  let count = 0;
  for (let i = 0, j = 0; i < one.length && j < other.length; ) {
    const before = one[i] - other[j];
    if (!before) count += Math.max(0, Math.min(one[i + 2], other[j + 2]) - Math.max(one[i + 1], other[j + 1]));
    if (before < 0 || (!before && one[i + 2] < other[j + 2])) i += 3;
    else j += 3;
  }
  return count;
}

/**
 * @param {Mask} mask
 * @param {number} x image coordinates, fractions allowed
 * @param {number} y
 * @returns {boolean}
 */
export function contains(mask, x, y) {
  const column = Math.floor(x) - mask.x;
  const row = Math.floor(y) - mask.y;
  if (column < 0 || row < 0 || column >= mask.w || row >= mask.h) return false;
  const wanted = row * mask.w + column;
  let end = 0;
  for (let i = 0; i < mask.runs.length; i++) {
    end += mask.runs[i];
    if (wanted < end) return (i & 1) === 1;
  }
  return false;
}

/**
 * @param {Mask} a
 * @param {Mask} b
 * @returns {boolean}
 */
export function equal(a, b) {
  if (a === b) return true;
  if (a.x !== b.x || a.y !== b.y || a.w !== b.w || a.h !== b.h || a.runs.length !== b.runs.length) return false;
  return a.runs.every((run, i) => run === b.runs[i]);
}

/**
 * The bitmap of a mask with room for the given box, clipped to the image.
 * @param {Mask} mask
 * @param {Box} box
 * @param {number} width of the image
 * @param {number} height
 * @returns {Bitmap}
 */
function decodeWithRoom(mask, box, width, height) {
  const [left, top, right, bottom] = mask.w ? [mask.x, mask.y, mask.x + mask.w, mask.y + mask.h] : [width, height, 0, 0];
  const x = Math.max(0, Math.min(left, Math.floor(box[0])));
  const y = Math.max(0, Math.min(top, Math.floor(box[1])));
  const w = Math.max(0, Math.min(width, Math.max(right, Math.ceil(box[2]))) - x);
  const h = Math.max(0, Math.min(height, Math.max(bottom, Math.ceil(box[3]))) - y);
  const bitmap = { x, y, w, h, data: new Uint8Array(w * h) };
  const source = decode(mask);
  for (let row = 0; row < mask.h; row++) {
    bitmap.data.set(source.data.subarray(row * mask.w, (row + 1) * mask.w), (mask.y - y + row) * w + mask.x - x);
  }
  return bitmap;
}

/**
 * Sweeps a disc along a line of points: a pixel changes when its centre lies within the radius of the line.
 * @param {Mask} mask
 * @param {Position[]} line  at least one point
 * @param {number} radius
 * @param {0 | 1} value 1 paints, 0 erases
 * @param {number} width of the image
 * @param {number} height
 * @returns {Mask}
 */
export function stroke(mask, line, radius, value, width, height) {
  const room = value ? around(line, radius) : /** @type {Box} */ ([mask.x, mask.y, mask.x, mask.y]);
  const bitmap = decodeWithRoom(mask, room, width, height);
  for (let i = 0; i < line.length; i++) capsule(bitmap, line[Math.max(0, i - 1)], line[i], radius, value);
  return encode(bitmap);
}

/** @param {Position[]} line @param {number} radius @returns {Box} */
function around(line, radius) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of line) {
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    x1 = Math.max(x1, x);
    y1 = Math.max(y1, y);
  }
  return [x0 - radius, y0 - radius, x1 + radius, y1 + radius];
}

/**
 * Fills the pixels whose centres lie within the radius of the line from `a` to `b`, row by row: as the shape is convex, it
 * meets each row in one interval.
 * @param {Bitmap} bitmap
 * @param {Position} a
 * @param {Position} b
 * @param {number} radius
 * @param {0 | 1} value
 */
function capsule({ x: left, y: top, w, h, data }, a, b, radius, value) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const length = Math.hypot(dx, dy);
  const first = Math.max(0, Math.floor(Math.min(a[1], b[1]) - radius) - top);
  const last = Math.min(h, Math.ceil(Math.max(a[1], b[1]) + radius) - top);
  for (let row = first; row < last; row++) {
    const y = top + row + 0.5 - a[1];
    const atA = Math.sqrt(radius * radius - y * y); // half the width of the disc around a; NaN in rows that it does not meet
    const atB = Math.sqrt(radius * radius - (y - dy) * (y - dy));
    let from = Infinity; // all relative to a
    let to = -Infinity;
    if (atA >= 0) [from, to] = [-atA, atA];
    if (dx - atB < from) from = dx - atB;
    if (dx + atB > to) to = dx + atB;
    if (dx && dy) {
      // The band between the discs: x where the distance from the line is at most the radius, and where its foot is between a and b
      const middle = (y * dx) / dy;
      const half = (radius * length) / Math.abs(dy);
      const [foot, other] = [(-y * dy) / dx, (length * length - y * dy) / dx];
      const low = Math.max(middle - half, Math.min(foot, other));
      const high = Math.min(middle + half, Math.max(foot, other));
      if (low <= high && low < from) from = low;
      if (low <= high && high > to) to = high;
    } else if (dy && y * (y - dy) <= 0) [from, to] = [-radius, radius];
    const start = Math.max(0, Math.ceil(from + a[0] - 0.5) - left);
    const stop = Math.min(w, Math.floor(to + a[0] - 0.5) - left + 1);
    if (start < stop) data.fill(value, row * w + start, row * w + stop);
  }
}

/**
 * @param {Mask} mask
 * @param {Mask[]} others
 * @returns {Mask} the mask without the pixels of the others
 */
export function subtract(mask, others) {
  const bitmap = decode(mask);
  for (const other of others) {
    const { data } = decode(other);
    const [left, right] = [Math.max(mask.x, other.x), Math.min(mask.x + mask.w, other.x + other.w)];
    for (let y = Math.max(mask.y, other.y); y < Math.min(mask.y + mask.h, other.y + other.h); y++) {
      for (let x = left; x < right; x++) {
        if (data[(y - other.y) * other.w + x - other.x]) bitmap.data[(y - mask.y) * mask.w + x - mask.x] = 0;
      }
    }
  }
  return encode(bitmap);
}
