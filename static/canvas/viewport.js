/** One affine map between image and screen: screen = image * scale + offset. No DOM. */

const MAX_SCALE = 40;
const LARGEST_FIT = 8;

/**
 * @typedef {{scale: number, x: number, y: number}} View
 * @typedef {{width: number, height: number}} Size
 * @typedef {{left: number, top: number, right: number, bottom: number}} Insets  screen edges a fitted image keeps clear
 */

/**
 * @param {() => void} changed called after every change
 */
export function createViewport(changed) {
  /** @type {View} */
  let view = { scale: 1, x: 0, y: 0 };
  /** @type {Size} */
  let image = { width: 1, height: 1 };
  /** @type {Size} */
  let screen = { width: 1, height: 1 };
  /** @type {Insets} */
  let insets = { left: 0, top: 0, right: 0, bottom: 0 };
  let fitted = true;

  const room = () => [screen.width - insets.left - insets.right, screen.height - insets.top - insets.bottom];
  const fitScale = () => Math.max(1e-3, Math.min(room()[0] / image.width, room()[1] / image.height, LARGEST_FIT));

  /** @param {View} next */
  function apply(next) {
    view = keepInSight(next, image, screen);
    changed();
  }

  function fit() {
    fitted = true;
    const scale = fitScale();
    const [width, height] = room();
    apply({ scale, x: insets.left + (width - image.width * scale) / 2, y: insets.top + (height - image.height * scale) / 2 });
  }

  return {
    get view() {
      return view;
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
     * A fitted image stays fitted, another keeps its centre.
     * @param {Size} size of the canvas in CSS pixels
     * @param {Insets} [clear]
     */
    setScreen(size, clear = insets) {
      const [dx, dy] = [(size.width - screen.width) / 2, (size.height - screen.height) / 2];
      screen = { width: size.width, height: size.height };
      insets = clear;
      if (fitted) fit();
      else apply({ ...view, x: view.x + dx, y: view.y + dy });
    },
    /** @param {View} next */
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
      const scale = Math.min(MAX_SCALE, Math.max(lowest, view.scale * factor));
      const ratio = scale / view.scale;
      fitted = false;
      apply({ scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio });
    },
    /**
     * @param {number} dx screen
     * @param {number} dy
     */
    panBy(dx, dy) {
      fitted = false;
      apply({ ...view, x: view.x + dx, y: view.y + dy });
    },
    /**
     * @param {number} x screen
     * @param {number} y
     * @returns {[number, number]} image
     */
    toImage: (x, y) => [(x - view.x) / view.scale, (y - view.y) / view.scale],
    /**
     * @param {number} x image
     * @param {number} y
     * @returns {[number, number]} screen
     */
    toScreen: (x, y) => [x * view.scale + view.x, y * view.scale + view.y],
  };
}

/**
 * Keeps at least a strip of the image on the screen.
 * @param {View} view
 * @param {Size} image
 * @param {Size} screen
 * @returns {View}
 */
function keepInSight(view, image, screen) {
  const strip = (/** @type {number} */ length) => Math.min(80, length / 2);
  const clamp = (/** @type {number} */ offset, /** @type {number} */ length, /** @type {number} */ room) =>
    Math.min(room - strip(room), Math.max(strip(room) - length, offset));
  return {
    scale: view.scale,
    x: clamp(view.x, image.width * view.scale, screen.width),
    y: clamp(view.y, image.height * view.scale, screen.height),
  };
}
