/** The pixels of the open image, at two sizes so that a large photo stays cheap to draw while zoomed out. */

const SMALL_SIDE = 2048;

/**
 * @param {() => void} changed
 */
export function createPhoto(changed) {
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
      const bitmap = await createImageBitmap(await response.blob());
      const shrink = SMALL_SIDE / Math.max(bitmap.width, bitmap.height);
      const reduced =
        shrink < 0.75
          ? await createImageBitmap(bitmap, { resizeWidth: Math.round(bitmap.width * shrink), resizeQuality: "medium" })
          : null;
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
     * @param {import("./viewport.js").View} view
     * @param {number} ratio device pixels per CSS pixel
     * @param {boolean} moving  speed before beauty
     */
    draw(context, view, ratio, moving) {
      if (!full) return;
      const scale = view.scale * ratio;
      const source = small && scale * full.width <= small.width ? small : full;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.imageSmoothingEnabled = scale < 3;
      context.imageSmoothingQuality = moving ? "low" : "medium";
      context.drawImage(source, view.x * ratio, view.y * ratio, full.width * scale, full.height * scale);
    },
  };
}
