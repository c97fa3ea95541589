/** One affine map between image and screen: screen = image * scale + offset. No DOM. */

/** @import { Position, Size } from "../data/types.d.ts" */

const MAX_SCALE = 40;
const LARGEST_FIT = 8;

/**
 * @typedef {{scale: number, x: number, y: number}} Transform  the offset in CSS pixels of the canvas
 * @typedef {{left: number, top: number, right: number, bottom: number}} Insets  the edges of the screen that a fitted image keeps clear
 * @typedef {ReturnType<typeof createViewport>} Viewport
 */

/**
 * @param {() => void} changed called after every change
 */
export function createViewport(changed) {
  /** @type {Transform} */
  let transform = { scale: 1, x: 0, y: 0 };
  /** @type {Size} */
  let image = { width: 1, height: 1 };
  /** @type {Size} */
  let screen = { width: 1, height: 1 };
  /** @type {Insets} */
  let insets = { left: 0, top: 0, right: 0, bottom: 0 };
  let fitted = true;

  /** @returns {Position} width and height that a fitted image may take */
  const room = () => [screen.width - insets.left - insets.right, screen.height - insets.top - insets.bottom];
  const fitScale = () => Math.max(1e-3, Math.min(room()[0] / image.width, room()[1] / image.height, LARGEST_FIT));

  /** @param {Transform} next */
  function apply(next) {
    transform = keepInSight(next, image, screen);
    changed();
  }

  function fit() {
    fitted = true;
    const scale = fitScale();
    const [width, height] = room();
    apply({ scale, x: insets.left + (width - image.width * scale) / 2, y: insets.top + (height - image.height * scale) / 2 });
  }

  return {
    get transform() {
      return transform;
    },
    get screen() {
      return screen;
    },
    fit,
    /** @param {Size} size a new image: it is fitted */
    setImage(size) {
      image = { width: size.width, height: size.height };
      fit();
    },
    /**
     * A fitted image stays fitted. Another keeps its centre.
     * @param {Size} size of the canvas in CSS pixels
     * @param {Insets} [clear]
     */
    setScreen(size, clear = insets) {
      const [dx, dy] = [(size.width - screen.width) / 2, (size.height - screen.height) / 2];
      screen = { width: size.width, height: size.height };
      insets = clear;
      if (fitted) fit();
      else apply({ ...transform, x: transform.x + dx, y: transform.y + dy });
    },
    /** @param {Transform} next */
    set(next) {
      fitted = false;
      apply(next);
    },
    /**
     * Zooms so that the image point under (x, y) stays there.
     * @param {number} x screen
     * @param {number} y
     * @param {number} factor
     */
    zoomAt(x, y, factor) {
      const lowest = Math.min(fitScale() / 2, 1);
      const scale = Math.min(MAX_SCALE, Math.max(lowest, transform.scale * factor));
      const ratio = scale / transform.scale;
      fitted = false;
      apply({ scale, x: x - (x - transform.x) * ratio, y: y - (y - transform.y) * ratio });
    },
    /**
     * @param {number} dx screen
     * @param {number} dy
     */
    panBy(dx, dy) {
      fitted = false;
      apply({ ...transform, x: transform.x + dx, y: transform.y + dy });
    },
    /**
     * @param {number} x screen
     * @param {number} y
     * @returns {Position} image
     */
    toImage: (x, y) => [(x - transform.x) / transform.scale, (y - transform.y) / transform.scale],
    /**
     * @param {number} x image
     * @param {number} y
     * @returns {Position} screen
     */
    toScreen: (x, y) => [x * transform.scale + transform.x, y * transform.scale + transform.y],
  };
}

/**
 * Keeps at least a strip of the image on the screen.
 * @param {Transform} transform
 * @param {Size} image
 * @param {Size} screen
 * @returns {Transform}
 */
function keepInSight(transform, image, screen) {
  const strip = (/** @type {number} */ length) => Math.min(80, length / 2);
  const clamp = (/** @type {number} */ offset, /** @type {number} */ length, /** @type {number} */ room) =>
    Math.min(room - strip(room), Math.max(strip(room) - length, offset));
  return {
    scale: transform.scale,
    x: clamp(transform.x, image.width * transform.scale, screen.width),
    y: clamp(transform.y, image.height * transform.scale, screen.height),
  };
}
