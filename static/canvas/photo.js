/** The pixels of the open image, at two sizes: a large photo stays cheap to draw while zoomed out. */

/** @import { Transform } from "./viewport.js" */

/** @typedef {ReturnType<typeof createPhoto>} Photo */

const SMALL_SIDE = 2048;

/**
 * @param {() => void} changed
 * @param {typeof globalThis.fetch} fetch
 */
export function createPhoto(changed, fetch) {
  /** @type {ImageBitmap | null} */
  let full = null;
  /** @type {ImageBitmap | null} */
  let small = null;
  let loading = 0;

  function clear() {
    loading += 1;
    full?.close();
    small?.close();
    full = small = null;
    changed();
  }

  return {
    clear,
    /** @param {string} url */
    async load(url) {
      clear();
      const ticket = loading;
      const response = await fetch(url);
      if (!response.ok) throw new Error(`its pixels are missing (${response.status}).`);
      const bitmap = await createImageBitmap(await response.blob()).catch(() => {
        throw new Error("this browser cannot show so large an image.");
      });
      const shrink = SMALL_SIDE / Math.max(bitmap.width, bitmap.height);
      const resizeWidth = Math.max(1, Math.round(bitmap.width * shrink));
      const reduced = shrink < 0.75 ? await createImageBitmap(bitmap, { resizeWidth, resizeQuality: "medium" }) : null;
      if (ticket !== loading) {
        bitmap.close();
        reduced?.close();
        return;
      }
      [full, small] = [bitmap, reduced];
      changed();
    },
    /**
     * @param {CanvasRenderingContext2D} context
     * @param {Transform} transform
     * @param {number} ratio device pixels per CSS pixel
     * @param {boolean} moving  whether speed matters more than beauty
     */
    draw(context, transform, ratio, moving) {
      if (!full) return;
      const scale = transform.scale * ratio;
      const source = small && scale * full.width <= small.width ? small : full;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.imageSmoothingEnabled = scale < 3;
      context.imageSmoothingQuality = moving ? "low" : "medium";
      context.drawImage(source, transform.x * ratio, transform.y * ratio, full.width * scale, full.height * scale);
    },
  };
}
