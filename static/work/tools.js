/** What a tap, a drag or an arrow key means with the tool in hand. */

import { listenToGestures } from "../canvas/gestures.js";
import { nearestPoint, objectAt, onEdge } from "../canvas/hits.js";
import { EMPTY, equal, stroke, subtract } from "../data/rle.js";
import { draftOf, newStep, shownMask } from "../data/draft.js";

/** @import { Box, Image, Mask, Position, Scratch, Store, Toast } from "../data/types.d.ts" */
/** @import { Spot } from "../canvas/gestures.js" */
/** @import { Viewport } from "../canvas/viewport.js" */
/** @import { Objects } from "./objects.js" */
/** @import { Prompting } from "./prompting.js" */
/** @import { Reviewing } from "./review.js" */

/** @typedef {ReturnType<typeof createTools>} Tools */

/** How near a prompt must be to be removed, in screen pixels. */
const REACH = 12;
/** Sides in image pixels. */
const SMALLEST_BOX = 4;
/** A stroke takes a further point after this many screen pixels, or after this part of the brush's radius. */
const FINEST_STEP = 0.5;
const STEPS_PER_RADIUS = 40;
/** Steps of the keyboard's cross in screen pixels. */
const CURSOR_STEP = 6;
const CURSOR_LEAP = 48;
const MAX_BRUSH = 400;

/**
 * @param {{box: HTMLElement, viewport: Viewport, store: Store, prompting: Prompting, objects: Objects, review: Reviewing,
 *   toast: Toast}} context
 */
export function createTools({ box, viewport, store, prompting, objects, review, toast }) {
  const scratch = (/** @type {Scratch} */ fields) => store.set({ scratch: { ...store.get().scratch, ...fields } });
  const toImage = (/** @type {Spot} */ spot) => viewport.toImage(spot.x, spot.y);
  const painting = () => ["brush", "eraser"].includes(store.get().tool);

  /** To be called while an image is open. @returns {Image} */
  const openImage = () => /** @type {Image} */ (store.get().image);

  /** @param {Position} point @returns {Position} the nearest point of the image */
  function inside([x, y]) {
    const { width, height } = openImage();
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }

  /** Selects the object there, or takes it out of the selection. @param {number} x @param {number} y */
  function toggle(x, y) {
    const hit = objectAt(store.get(), x, y);
    const { selection } = store.get();
    if (!hit) return store.set({ selection: [] });
    const others = selection.filter((id) => id !== hit.id);
    store.set({ selection: others.length < selection.length ? others : [...selection, hit.id] });
  }

  /** @param {number} x @param {number} y */
  function removePrompt(x, y) {
    const step = store.get().draft.now;
    const reach = REACH / viewport.transform.scale;
    const index = nearestPoint(step, x, y, reach);
    if (index >= 0) return prompting.remove(index);
    if (step?.box && onEdge(step.box, x, y, reach)) prompting.remove("box");
  }

  /** @param {string} id @param {Mask} mask */
  function editKept(id, mask) {
    if (mask.w) return objects.editMask(id, mask);
    return toast("Nothing would be left of the object: delete it instead.");
  }

  /** @param {Position[]} line @param {0 | 1} value */
  function applyStroke(line, value) {
    const state = store.get();
    const { width, height } = openImage();
    const step = state.draft.now;
    if (step) return prompting.edit(stroke(shownMask(step) ?? EMPTY, line, state.brush, value, width, height));
    const [only, ...others] = state.annotations.filter((item) => state.selection.includes(item.id));
    if (only && !others.length) return editKept(only.id, stroke(only.mask, line, state.brush, value, width, height));
    if (!value) return toast("Select an object to erase from.");
    const edited = stroke(EMPTY, line, state.brush, 1, width, height);
    store.set({ draft: draftOf(newStep({ edited, answered: true })) });
  }

  /** @param {Spot} spot @returns {0 | 1} */
  const labelOf = (spot) => (spot.negative || store.get().tool === "remove" ? 0 : 1);

  /** @param {Spot} spot @param {number} x @param {number} y */
  function reviewTap(spot, x, y) {
    if (spot.shift) return review.gatherAt(x, y);
    return labelOf(spot) ? review.keepAt(x, y) : review.dropAt(x, y);
  }

  listenToGestures(box, {
    press(spot) {
      const { photoReady, review: reviewing } = store.get();
      if (!photoReady || reviewing || spot.touch || spot.alt || spot.ctrl) return;
      const [x, y] = toImage(spot);
      prompting.anticipate(x, y, labelOf(spot));
    },
    tap(spot) {
      const state = store.get();
      if (!state.photoReady) return;
      const [x, y] = toImage(spot);
      scratch({ cursor: null });
      if (state.review) return reviewTap(spot, x, y);
      if (spot.alt) return removePrompt(x, y);
      if (spot.ctrl) return toggle(x, y);
      prompting.addPoint(x, y, labelOf(spot), spot.at);
    },
    double(spot) {
      const { review: reviewing, draft, many } = store.get();
      const [x, y] = toImage(spot);
      const hit = objectAt(store.get(), x, y);
      const fresh = (draft.now?.points.length ?? 0) <= 2 && !draft.now?.annotationId && !draft.now?.box;
      if (reviewing || many || painting() || !hit || !fresh || spot.ctrl) return;
      prompting.correct(hit);
    },
    immediate: () => painting() && store.get().photoReady && !store.get().review,
    begin(spot) {
      const state = store.get();
      if (!state.photoReady || (spot.touch && state.tool !== "box" && !painting() && !state.review)) return false;
      prompting.endAnticipation();
      if (painting() && !state.review) scratch({ line: [inside(toImage(spot))] });
      else if (state.review) scratch({ lasso: [toImage(spot)] });
      else scratch({ box: [...inside(toImage(spot)), ...inside(toImage(spot))] });
      return true;
    },
    move(spot) {
      const { scratch: now } = store.get();
      const point = toImage(spot);
      if (now.line) {
        extendLine(now.line, point, Math.max(FINEST_STEP / viewport.transform.scale, store.get().brush / STEPS_PER_RADIUS));
        scratch({ pointer: point });
      } else if (now.lasso) {
        extendLine(now.lasso, point, FINEST_STEP / viewport.transform.scale);
        scratch({});
      } else if (now.box) scratch({ box: [now.box[0], now.box[1], ...inside(point)] });
    },
    end(spot) {
      const { scratch: now, tool } = store.get();
      scratch({ line: null, lasso: null, box: null });
      if (now.line) applyStroke([...now.line, toImage(spot)], (tool === "brush") !== spot.negative ? 1 : 0);
      else if (now.lasso) review.keepInside(now.lasso, spot.shift);
      else if (now.box) {
        const drawn = sorted(now.box);
        if (drawn[2] - drawn[0] >= SMALLEST_BOX && drawn[3] - drawn[1] >= SMALLEST_BOX) prompting.setBox(drawn, spot.at);
      }
    },
    cancel: () => scratch({ line: null, lasso: null, box: null }),
    hover(spot) {
      const state = store.get();
      if (!state.photoReady) return;
      const [x, y] = toImage(spot);
      if (painting() || state.view.crosshair) scratch({ pointer: [x, y] });
      if (state.review) review.hover(x, y);
      else prompting.hover(x, y);
    },
    leave() {
      if (store.get().scratch.pointer) scratch({ pointer: null });
      review.endHover();
      prompting.endHover();
    },
    pan: viewport.panBy,
    zoom: viewport.zoomAt,
  });

  /** @returns {Position} where the keyboard points */
  function cursor() {
    const { screen } = viewport;
    return store.get().scratch.cursor ?? inside(viewport.toImage(screen.width / 2, screen.height / 2));
  }

  return {
    /** @param {number} dx @param {number} dy @param {boolean} leap */
    moveCursor(dx, dy, leap) {
      if (!store.get().photoReady) return;
      const step = (leap ? CURSOR_LEAP : CURSOR_STEP) / viewport.transform.scale;
      const [x, y] = cursor();
      /** @type {Position} */
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
      const { width, height } = openImage();
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
      scratch({ corner: null, box: null });
      const drawn = sorted([...now.corner, ...point]);
      if (drawn[2] > drawn[0] && drawn[3] > drawn[1]) prompting.setBox(drawn, at);
    },
    /** Takes the selected objects away from the one in progress; without one, the others from the one selected first. */
    subtractSelected() {
      const { annotations, selection, draft } = store.get();
      const from = draft.now
        ? { id: draft.now.annotationId, mask: shownMask(draft.now) }
        : annotations.find((item) => item.id === selection[0]);
      const others = annotations.filter((item) => selection.includes(item.id) && item.id !== from?.id);
      if (!from?.mask || !others.length)
        return toast("Select the object to subtract from, then those to subtract: Ctrl+click on the image or in the list.");
      const mask = subtract(
        from.mask,
        others.map((item) => item.mask),
      );
      if (equal(mask, from.mask)) return toast("The objects do not overlap: there is nothing to subtract.");
      return draft.now ? prompting.edit(mask) : editKept(/** @type {string} */ (from.id), mask);
    },
    /** @param {number} factor */
    resizeBrush: (factor) =>
      store.set({ brush: Math.max(1, Math.min(MAX_BRUSH, Math.round(store.get().brush * factor + Math.sign(factor - 1)))) }),
  };
}

/** @param {Box} box  between any two corners @returns {Box} */
const sorted = ([x0, y0, x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];

/** Appends a point to a line that is being drawn, unless it is too near to its last one. @param {Position[]} line @param {Position} point @param {number} step */
function extendLine(line, point, step) {
  const [x, y] = line[line.length - 1];
  if (Math.hypot(point[0] - x, point[1] - y) >= step) line.push(point);
}
