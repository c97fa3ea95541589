/** The outline of a mask along the edges of its pixels. */

/** @import { Bitmap } from "../data/types.d.ts" */

/** Steps right, down, left, up; turning right is + 1. */
const STEP_X = [1, 0, -1, 0];
const STEP_Y = [0, 1, 0, -1];
const UP = 3;

/**
 * Traces closed loops around every part and every hole. Filling all loops of a mask with the even-odd rule gives back
 * exactly its pixels.
 * @param {Bitmap} bitmap
 * @returns {number[][]} the corners of each loop as [x, y, x, y, ...], in image coordinates
 */
export function trace({ x: left, y: top, w, h, data }) {
  const loops = [];
  const seen = new Uint8Array(w * h);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => x >= 0 && y >= 0 && x < w && y < h && data[y * w + x] === 1;
  for (let row = 0; row < h; row++) {
    for (let column = 0; column < w; column++) {
      const start = row * w + column;
      if (!data[start] || seen[start] || (column > 0 && data[start - 1])) continue;
      loops.push(follow(column, row + 1));
    }
  }
  return loops;

  /**
   * Walks with the mask on the right-hand side, first up the left edge of a pixel, until it comes back.
   * @param {number} startX
   * @param {number} startY
   */
  function follow(startX, startY) {
    const loop = [];
    let [x, y, direction] = [startX, startY, UP];
    do {
      if (direction === UP) seen[(y - 1) * w + x] = 1;
      x += STEP_X[direction];
      y += STEP_Y[direction];
      const ahead = corner(x, y, direction);
      if (!at(ahead[2], ahead[3])) {
        loop.push(left + x, top + y);
        direction = (direction + 1) & 3;
      } else if (at(ahead[0], ahead[1])) {
        loop.push(left + x, top + y);
        direction = (direction + 3) & 3;
      }
    } while (x !== startX || y !== startY || direction !== UP);
    return loop;
  }
}

/**
 * The pixels ahead of a walker at a grid corner: [left x, left y, right x, right y].
 * @param {number} x
 * @param {number} y
 * @param {number} direction
 */
function corner(x, y, direction) {
  switch (direction) {
    case 0:
      return [x, y - 1, x, y];
    case 1:
      return [x, y, x - 1, y];
    case 2:
      return [x - 1, y, x - 1, y - 1];
    default:
      return [x - 1, y - 1, x, y - 1];
  }
}
