/** What a tap, a drag or an arrow key means with the tool in hand. */

import { listenToGestures } from "../canvas/gestures.js";
import { contains, EMPTY, equal, stroke, subtract } from "../canvas/rle.js";
import { NO_DRAFT, nearestPoint, newStep, shownMask } from "../data/state.js";

const REACH = 12;
const SMALLEST_BOX = 4;
const CURSOR_STEP = 6;
const CURSOR_LEAP = 48;
const MAX_BRUSH = 400;

/**
 * @param {{box: HTMLElement, viewport: any, store: any, prompting: any, objects: any, review: any, toast: (text: string) => void}} context
 */
export function createTools({ box, viewport, store, prompting, objects, review, toast }) {
  const scratch = (/** @type {any} */ fields) => store.set({ scratch: { ...store.get().scratch, ...fields } });
  const image = (/** @type {{x: number, y: number}} */ spot) => viewport.toImage(spot.x, spot.y);
  const painting = () => ["brush", "eraser"].includes(store.get().tool);

  /** @param {[number, number]} point @returns {[number, number]} the nearest point of the image */
  function inside([x, y]) {
    const { width, height } = store.get().image;
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }

  /** @param {number} x image @param {number} y @returns {any} the smallest kept object there */
  function objectAt(x, y) {
    const { annotations, hidden } = store.get();
    const hits = annotations.filter(
      (/** @type {any} */ item) => !item.pending && !hidden.has(item.id) && contains(item.mask, x, y),
    );
    return hits.reduce(
      (/** @type {any} */ best, /** @type {any} */ item) => (best && best.area <= item.area ? best : item),
      null,
    );
  }

  /** @param {number} x image @param {number} y @param {boolean} more */
  function select(x, y, more) {
    const hit = objectAt(x, y);
    const { selection } = store.get();
    if (!hit) return store.set({ selection: [] });
    const others = selection.filter((/** @type {string} */ id) => id !== hit.id);
    if (!more) store.set({ selection: [hit.id] });
    else store.set({ selection: others.length < selection.length ? others : [...selection, hit.id] });
  }

  /** @param {number} x image @param {number} y */
  function removePrompt(x, y) {
    const step = store.get().draft.now;
    const reach = REACH / viewport.view.scale;
    const index = nearestPoint(step, x, y, reach);
    if (index >= 0) return prompting.remove(index);
    if (step?.box && onEdge(step.box, x, y, reach)) prompting.remove("box");
  }

  /** @param {string} id @param {import("../canvas/rle.js").Mask} mask */
  function editKept(id, mask) {
    if (mask.w) return objects.editMask(id, mask);
    return toast("Nothing would be left of the object: delete it instead.");
  }

  /** @param {number[][]} line @param {0 | 1} value */
  function applyStroke(line, value) {
    const state = store.get();
    const { width, height } = state.image;
    const step = state.draft.now;
    if (step) return prompting.edit(stroke(shownMask(step) ?? EMPTY, line, state.brush, value, width, height));
    const [only, ...others] = state.annotations.filter((/** @type {any} */ item) => state.selection.includes(item.id));
    if (only && !others.length) return editKept(only.id, stroke(only.mask, line, state.brush, value, width, height));
    if (!value) return toast("Select an object to erase from.");
    const edited = stroke(EMPTY, line, state.brush, 1, width, height);
    store.set({ draft: { ...NO_DRAFT, now: newStep({ edited, answered: true }) } });
  }

  /** @param {import("../canvas/gestures.js").Spot} spot @returns {0 | 1} */
  const labelOf = (spot) => (spot.negative || store.get().tool === "remove" ? 0 : 1);

  /** @param {import("../canvas/gestures.js").Spot} spot @param {number} x image @param {number} y */
  function reviewTap(spot, x, y) {
    if (spot.shift) return review.gatherAt(x, y);
    return spot.negative ? review.dropHovered() : review.keepAt(x, y);
  }

  listenToGestures(box, {
    press(spot) {
      const { photoReady, review: reviewing } = store.get();
      if (!photoReady || reviewing || spot.touch || spot.alt || spot.ctrl) return;
      const [x, y] = image(spot);
      prompting.anticipate(x, y, labelOf(spot));
    },
    tap(spot) {
      const state = store.get();
      if (!state.photoReady) return;
      const [x, y] = image(spot);
      scratch({ cursor: null });
      if (state.review) return reviewTap(spot, x, y);
      if (spot.alt) return removePrompt(x, y);
      if (spot.ctrl) return select(x, y, true);
      prompting.addPoint(x, y, labelOf(spot), spot.at);
    },
    double(spot) {
      const { review: reviewing, draft } = store.get();
      const [x, y] = image(spot);
      const hit = objectAt(x, y);
      const fresh = (draft.now?.points.length ?? 0) <= 2 && !draft.now?.annotationId && !draft.now?.box;
      if (reviewing || painting() || !hit || !fresh || spot.ctrl) return;
      prompting.correct(hit);
    },
    immediate: () => painting() && store.get().photoReady && !store.get().review,
    begin(spot) {
      const state = store.get();
      if (!state.photoReady || (spot.touch && state.tool !== "box" && !painting() && !state.review)) return false;
      if (painting() && !state.review) scratch({ line: [inside(image(spot))] });
      else if (state.review) scratch({ lasso: [image(spot)] });
      else scratch({ box: [...inside(image(spot)), ...inside(image(spot))] });
      return true;
    },
    move(spot) {
      const { scratch: now } = store.get();
      const point = image(spot);
      if (now.line) scratch({ line: [...now.line, point], pointer: point });
      else if (now.lasso) scratch({ lasso: [...now.lasso, point] });
      else if (now.box) scratch({ box: [now.box[0], now.box[1], ...inside(point)] });
    },
    end(spot) {
      const { scratch: now, tool } = store.get();
      scratch({ line: null, lasso: null, box: null });
      if (now.line) applyStroke(now.line, (tool === "brush") !== spot.negative ? 1 : 0);
      else if (now.lasso) review.keepInside(now.lasso, spot.shift);
      else if (now.box) {
        const [x0, y0, x1, y1] = now.box;
        const sorted = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
        if (sorted[2] - sorted[0] >= SMALLEST_BOX && sorted[3] - sorted[1] >= SMALLEST_BOX) prompting.setBox(sorted, spot.at);
      }
    },
    cancel: () => scratch({ line: null, lasso: null, box: null }),
    hover(spot) {
      const state = store.get();
      if (!state.photoReady) return;
      const [x, y] = image(spot);
      if (painting() || state.view.crosshair) scratch({ pointer: [x, y] });
      if (state.review) review.hover(x, y);
      else prompting.hover(x, y);
    },
    leave() {
      if (store.get().scratch.pointer) scratch({ pointer: null });
      prompting.endHover();
    },
    pan: viewport.panBy,
    zoom: viewport.zoomAt,
  });

  /** @returns {[number, number]} where the keyboard points, in image coordinates */
  function cursor() {
    const { screen } = viewport;
    return store.get().scratch.cursor ?? inside(viewport.toImage(screen.width / 2, screen.height / 2));
  }

  return {
    objectAt,
    /** @param {number} dx @param {number} dy @param {boolean} leap */
    moveCursor(dx, dy, leap) {
      if (!store.get().photoReady) return;
      const step = (leap ? CURSOR_LEAP : CURSOR_STEP) / viewport.view.scale;
      const [x, y] = cursor();
      const next = store.get().scratch.cursor ? inside([x + dx * step, y + dy * step]) : [x, y];
      scratch({ cursor: next });
      const { corner } = store.get().scratch;
      if (corner) scratch({ box: [...corner, ...next] });
      const [sx, sy] = viewport.toScreen(...next);
      const { width, height } = viewport.screen;
      const off = (/** @type {number} */ at, /** @type {number} */ length) =>
        Math.min(0, length - 24 - at) + Math.max(0, 24 - at);
      if (off(sx, width) || off(sy, height)) viewport.panBy(off(sx, width), off(sy, height));
    },
    /** @param {0 | 1} label @param {number} at */
    pointAtCursor(label, at) {
      if (!store.get().photoReady) return;
      const { width, height } = store.get().image;
      const [x, y] = cursor();
      scratch({ cursor: [x, y] });
      prompting.addPoint(Math.min(x, width - 1), Math.min(y, height - 1), label, at);
    },
    /** The first call sets one corner, the second the other. @param {number} at */
    cornerAtCursor(at) {
      const { scratch: now, photoReady } = store.get();
      if (!photoReady) return;
      const point = cursor();
      if (!now.corner) return scratch({ cursor: point, corner: point });
      const [x0, y0, x1, y1] = [...now.corner, ...point];
      scratch({ corner: null, box: null });
      const sorted = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
      if (sorted[2] > sorted[0] && sorted[3] > sorted[1]) prompting.setBox(sorted, at);
    },
    /** Takes the selected objects away from the one in progress; without one, the others from the one selected first. */
    subtractSelected() {
      const { annotations, selection, draft } = store.get();
      const from = draft.now
        ? { id: draft.now.annotationId, mask: shownMask(draft.now) }
        : annotations.find((/** @type {any} */ item) => item.id === selection[0]);
      const others = annotations.filter((/** @type {any} */ item) => selection.includes(item.id) && item.id !== from?.id);
      if (!from?.mask || !others.length)
        return toast("Select the object to subtract from, then those to subtract: Ctrl+click on the image or in the list.");
      const mask = subtract(
        from.mask,
        others.map((/** @type {any} */ item) => item.mask),
      );
      if (equal(mask, from.mask)) return toast("The objects do not overlap: there is nothing to subtract.");
      return draft.now ? prompting.edit(mask) : editKept(from.id, mask);
    },
    /** @param {number} factor */
    resizeBrush: (factor) =>
      store.set({ brush: Math.max(1, Math.min(MAX_BRUSH, Math.round(store.get().brush * factor + Math.sign(factor - 1)))) }),
  };
}

/** @param {number[]} box @param {number} x @param {number} y @param {number} reach */
function onEdge([x0, y0, x1, y1], x, y, reach) {
  const within = x > x0 - reach && x < x1 + reach && y > y0 - reach && y < y1 + reach;
  const deep = x > x0 + reach && x < x1 - reach && y > y0 + reach && y < y1 - reach;
  return within && !deep;
}
