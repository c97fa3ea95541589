/** Draws what changed, once per animation frame: the photo when the view moves, the overlay when anything on it changes. */

import { shownMask } from "../data/draft.js";
import { draftsOf } from "../data/progress.js";
import { visibleProposals } from "../data/proposals.js";
import { distinct, objectColor } from "./colors.js";
import { pointedAt } from "./hits.js";
import { createMaskLayer } from "./layer.js";
import { area } from "../data/rle.js";
import { overlapsOf } from "./overlaps.js";
import { drawBox, drawBrush, drawCross, drawHatch, drawLasso, drawMask, drawPrompts, drawTag, useImageSpace } from "./paint.js";

/** @import { Draft, Review, Size, State, Store } from "../data/types.d.ts" */
/** @import { Frame, Shape } from "./layer.js" */
/** @import { Photo } from "./photo.js" */
/** @import { Viewport } from "./viewport.js" */

/** The values that the overlay shows. @type {(keyof State)[]} */
const DRAWN = [
  "annotations",
  "labels",
  "labelId",
  "selection",
  "hidden",
  "draft",
  "others",
  "review",
  "hover",
  "view",
  "scratch",
  "tool",
  "brush",
  "photoReady",
  "detail",
];

/** The view counts as moving until it has stood still for this long. */
const SETTLE_MS = 120;

/**
 * @param {{photoCanvas: HTMLCanvasElement, overlayCanvas: HTMLCanvasElement, photo: Photo, viewport: Viewport, store: Store,
 *   onPainted: (now: number) => void}} context  `onPainted` is called after each frame
 */
export function createRenderer({ photoCanvas, overlayCanvas, photo, viewport, store, onPainted }) {
  const below = /** @type {CanvasRenderingContext2D} */ (photoCanvas.getContext("2d"));
  const above = /** @type {CanvasRenderingContext2D} */ (overlayCanvas.getContext("2d"));
  const kept = createMaskLayer();
  const proposed = createMaskLayer();
  const aside = createMaskLayer();
  let ratio = 1;
  let photoStale = true;
  let overlayStale = true;
  let scheduled = false;
  let movedAt = -SETTLE_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let settling;

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(frame);
  }

  function frame() {
    scheduled = false;
    if (photoStale) drawPhoto();
    if (overlayStale) drawOverlay();
    photoStale = overlayStale = false;
    requestAnimationFrame(() => onPainted(performance.now()));
  }

  function drawPhoto() {
    clearTimeout(settling);
    if (moving()) settling = setTimeout(settle, SETTLE_MS);
    below.setTransform(1, 0, 0, 1, 0, 0);
    below.clearRect(0, 0, photoCanvas.width, photoCanvas.height);
    photo.draw(below, viewport.transform, ratio, moving());
  }

  function drawOverlay() {
    const state = store.get();
    above.setTransform(1, 0, 0, 1, 0, 0);
    above.clearRect(0, 0, overlayCanvas.width, overlayCanvas.height);
    if (!state.photoReady) return;
    drawKept(state);
    drawProposals(state);
    drawOthers(state);
    const pixel = 1 / viewport.transform.scale;
    useImageSpace(above, viewport.transform, ratio);
    drawChosenProposals(state, pixel);
    const color = draftColor(state, state.draft, draftsOf(state));
    if (state.hover) drawMask(above, state.hover, { color, fill: 0.22, lines: [["#fff", 1.5]], pixel, dash: [5, 4] });
    const mask = shownMask(state.draft.now);
    if (mask) drawMask(above, mask, { ...maskStyle(state, color, true), pixel });
    for (const overlap of overlapsOf(state)) drawHatch(above, overlap, pixel);
    above.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawGestures(state, brushColor(state) ?? color);
  }

  /** @param {State} state @param {string} color @param {boolean} strong */
  function maskStyle({ view }, color, strong) {
    const fill = view.style === "outline" ? 0 : Math.min(1, view.opacity + (strong ? 0.1 : 0));
    /** @type {Shape["lines"]} */
    const lines = strong
      ? [
          ["#fff", 4],
          [color, 2],
        ]
      : [[color, 1.75]];
    return { color, fill, lines: view.style === "fill" && !strong ? [] : lines };
  }

  /** @param {State} state @param {Draft} draft @param {Draft[]} all @returns {string} that of the object corrected, or of a next one */
  function draftColor(state, draft, all) {
    const { annotations, labelId } = state;
    const corrected = annotations.findIndex((item) => item.id === draft.now?.annotationId);
    if (corrected >= 0) return objectColor(state, annotations[corrected].label_id, corrected);
    return objectColor(state, labelId, annotations.length + Math.max(0, all.indexOf(draft)));
  }

  /** @returns {Frame} */
  const frameNow = () => ({
    transform: viewport.transform,
    size: { width: overlayCanvas.width, height: overlayCanvas.height },
    ratio,
  });
  const moving = () => performance.now() - movedAt < SETTLE_MS;

  /** @param {State} state */
  function drawKept(state) {
    const { annotations, labels, selection, hidden, view, review } = state;
    const corrected = draftsOf(state).flatMap(({ now }) => now?.annotationId ?? []);
    const shapes = () =>
      annotations.flatMap((item, i) => {
        const selected = selection.includes(item.id);
        const invisible = hidden.has(item.id) || corrected.includes(item.id) || (view.only && !selected);
        return invisible
          ? []
          : [{ mask: item.mask, area: item.area, ...maskStyle(state, objectColor(state, item.label_id, i), selected) }];
      });
    const opacity = view.style === "outline" ? 0 : view.opacity * (review ? 0.5 : 1);
    kept.show(above, frameNow(), {
      from: [annotations, labels, selection, hidden, view, String(corrected)],
      shapes,
      opacity,
      moving: moving(),
    });
  }

  /** The objects in progress that are not in hand. @param {State} state */
  function drawOthers(state) {
    const { annotations, labels, labelId, view, others } = state;
    if (!others.length) return;
    const shapes = () => {
      const all = draftsOf(state);
      return others.flatMap((other) => {
        const mask = shownMask(other.now);
        return mask ? [{ mask, area: area(mask), ...maskStyle(state, draftColor(state, other, all), true) }] : [];
      });
    };
    const opacity = view.style === "outline" ? 0 : view.opacity;
    const from = [others, annotations, labels, labelId, view];
    aside.show(above, frameNow(), { from, shapes, opacity, moving: moving() });
  }

  /** @param {State} state */
  function drawProposals({ review }) {
    if (!review) return;
    const shapes = () =>
      visibleProposals(review).map(({ mask, area, index }) => {
        const color = proposalColor(review, index);
        return { mask, area, color, fill: 1, lines: /** @type {Shape["lines"]} */ ([[color, 1.5]]) };
      });
    proposed.show(above, frameNow(), {
      from: [review.proposals, review.gone, review.filter, review.together],
      shapes,
      opacity: 0.4,
      moving: moving(),
    });
  }

  /** @param {State} state @param {number} pixel */
  function drawChosenProposals({ review }, pixel) {
    if (!review) return;
    const { meant } = pointedAt(review);
    for (const { index, mask } of visibleProposals(review)) {
      if (index !== meant?.index && !review.together.has(index)) continue;
      const color = proposalColor(review, index);
      drawMask(above, mask, {
        color,
        fill: 0.4,
        lines: [
          ["#fff", 5],
          [color, 2],
        ],
        pixel,
      });
    }
  }

  /** Proposals that are put together have one colour. @param {Review} review @param {number} index */
  const proposalColor = ({ together }, index) => distinct(together.has(index) ? Math.min(...together) : index);

  /** @param {State} state @returns {string | null} the colour of the kept object under the brush */
  function brushColor(state) {
    const at = state.draft.now ? -1 : state.annotations.findIndex((item) => state.selection.includes(item.id));
    return at < 0 ? null : objectColor(state, state.annotations[at].label_id, at);
  }

  /** @param {State} state @param {string} color */
  function drawGestures({ draft, others, review, scratch, view, tool, brush, detail }, color) {
    const { toScreen } = viewport;
    for (const { category, bbox } of visibleProposals(review)) if (category) drawTag(above, category, toScreen(bbox[0], bbox[1]));
    if (detail) drawBox(above, [detail.x, detail.y, detail.x + detail.width, detail.y + detail.height], toScreen);
    for (const { now } of others) if (now && !now.answered) drawPrompts(above, now, toScreen);
    if (draft.now) drawPrompts(above, draft.now, toScreen);
    if (scratch.box) drawBox(above, scratch.box, toScreen);
    if (scratch.lasso) drawLasso(above, scratch.lasso, toScreen);
    if (tool === "brush" || tool === "eraser") {
      const [line, at] = [scratch.line ?? [], scratch.pointer ?? null];
      drawBrush(above, { line, at, radius: brush, color, erase: tool === "eraser", scale: viewport.transform.scale }, toScreen);
    } else if (view.crosshair && scratch.pointer) drawCross(above, toScreen(scratch.pointer[0], scratch.pointer[1]), 4000);
    if (scratch.cursor) drawCross(above, toScreen(scratch.cursor[0], scratch.cursor[1]), 16);
  }

  function staleOverlay() {
    overlayStale = true;
    schedule();
  }

  /** The view stands still: draws everything once more, at its best. */
  function settle() {
    photoStale = overlayStale = true;
    schedule();
  }

  /** The view or the photo changed. */
  function invalidate() {
    movedAt = performance.now();
    settle();
  }

  store.watch(DRAWN, staleOverlay);

  return {
    invalidate,
    /** @param {Size} size  in CSS pixels */
    resize({ width, height }) {
      ratio = devicePixelRatio || 1;
      for (const canvas of [photoCanvas, overlayCanvas]) {
        canvas.width = Math.max(1, Math.round(width * ratio));
        canvas.height = Math.max(1, Math.round(height * ratio));
      }
      photoStale = overlayStale = true;
      frame();
    },
  };
}
