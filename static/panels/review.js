/** The panel of a review: progress and cancel, then filters and what to do with the proposals. */

import { el, iconButton } from "./dom.js";
import { pointedAt } from "../canvas/hits.js";
import { gathered, visibleProposals } from "../data/proposals.js";

/** @import { Review, ReviewKind, Store } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */
/** @import { Reviewing } from "../work/review.js" */

const AREA_STEPS = 100;

/** @type {Record<ReviewKind, string>} */
const TITLES = { auto: "Auto-mask", similar: "All like the examples", boxes: "Masks for boxes" };

/**
 * @param {{store: Store, review: Reviewing, commands: Commands, focusCanvas: () => void}} context
 */
export function createReviewPanel({ store, review, commands, focusCanvas }) {
  const progress = el("progress", { max: "1", value: "0", "aria-label": "Progress" });
  const words = el("p", { class: "hint", "aria-live": "polite" });
  const here = el("p", { class: "hint under-pointer" });
  const after = (/** @type {() => unknown} */ run) => () => {
    void run();
    focusCanvas();
  };
  const cancel = iconButton(
    "close",
    "Stop (Esc)",
    after(() => review.cancel()),
    { words: "Stop" },
  );
  const accept = iconButton(
    "check",
    "Keep all shown (Enter)",
    after(() => review.acceptAll()),
    { words: "Keep all", class: "primary" },
  );
  const discard = iconButton(
    "trash",
    "Discard the rest (Esc)",
    after(() => review.close()),
    { words: "Discard" },
  );
  const resume = iconButton(
    "next",
    "Go on looking",
    after(() => review.resume()),
    { words: "Go on" },
  );
  const onward = iconButton(
    "magic",
    "Look for the same in the next image (Shift+K)",
    after(() => commands.similarNext()),
    { words: "Next image" },
  );
  const imageArea = () => {
    const { width, height } = store.get().image ?? { width: 1, height: 1 };
    return width * height;
  };
  const similarity = slider("Similar ≥", 0, 1, 0.01, (value) => review.filter({ similarity: value }));
  const score = slider("Score ≥", 0, 1, 0.01, (value) => review.filter({ score: value }));
  const stability = slider("Stability ≥", 0, 1, 0.01, (value) => review.filter({ stability: value }));
  const size = slider("Area ≥", 0, AREA_STEPS, 1, (value) => review.filter({ area: fromStep(value, imageArea()) }));
  const overlap = slider("Overlap ≤", 0, 1, 0.01, (value) => review.filter({ overlap: value }));
  const filters = el("div", { class: "filters" }, similarity.row, score.row, stability.row, size.row, overlap.row);
  const title = el("h2", {});
  const panel = el(
    "section",
    { class: "panel review", hidden: true },
    title,
    progress,
    words,
    here,
    el("div", { class: "group" }, cancel, accept, resume, discard, onward),
    filters,
  );

  store.watch(["review"], ({ review: now }) => {
    panel.hidden = !now;
    if (!now) return;
    title.textContent = TITLES[now.kind];
    const running = now.state === "running";
    const shown = visibleProposals(now).length;
    progress.hidden = !running;
    if (now.total) progress.value = now.done / now.total;
    else progress.removeAttribute("value");
    words.textContent = running ? "Looking …" : found(now, shown);
    here.textContent = underPointer(now, imageArea());
    cancel.hidden = !running;
    accept.hidden = discard.hidden = running;
    accept.disabled = shown === 0;
    /** @type {HTMLElement} */ (accept.querySelector(".words")).textContent = gathered(now).length ? "Keep as one" : "Keep all";
    resume.hidden = running || now.state === "done";
    onward.hidden = running || now.kind !== "similar";
    similarity.row.hidden = now.kind !== "similar";
    similarity.set(now.filter.similarity, now.filter.similarity.toFixed(2));
    score.set(now.filter.score, now.filter.score.toFixed(2));
    stability.set(now.filter.stability, now.filter.stability.toFixed(2));
    overlap.set(now.filter.overlap, now.filter.overlap.toFixed(2));
    size.set(toStep(now.filter.area, imageArea()), `${Math.round(now.filter.area)} px`);
  });
  return panel;
}

/** @param {Review} review @param {number} shown */
function found(review, shown) {
  const { state, done, total, proposals, gone } = review;
  const together = gathered(review).length;
  const stopped = state === "done" ? "" : `Stopped at ${Math.round((100 * done) / Math.max(total, 1))} %. `;
  if (together) return `${together} put together: click one of them to keep them as one object.`;
  const how = matchMedia("(hover: none)").matches
    ? "Tap one to keep it, draw around several; with − in hand, a tap drops one."
    : "Click one to keep it, draw around several, Shift+click puts several together, right-click drops one.";
  return `${stopped}${shown} of ${proposals.length - gone.size} shown. ${how}`;
}

/** @param {Review} review @param {number} whole  area of the image */
function underPointer(review, whole) {
  const { under, meant: item } = pointedAt(review);
  if (!item) return "Point at a mask to see its score.";
  const place = under.length > 1 ? `${under.indexOf(item) + 1} of ${under.length} here (Tab: the next)` : "Here";
  return `${place}: score ${item.score.toFixed(2)}, stability ${item.stability.toFixed(2)}, ${percent(item.area / whole)} of the image.`;
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(share < 0.01 ? 2 : 0)} %`;

/** The slider of areas is cubic, which gives small areas room. @param {number} step @param {number} whole  area of the image */
const fromStep = (step, whole) => (step / AREA_STEPS) ** 3 * whole;

/** @param {number} area @param {number} whole */
const toStep = (area, whole) => Math.round(Math.cbrt(area / whole) * AREA_STEPS);

/** @param {string} words @param {number} min @param {number} max @param {number} step @param {(value: number) => void} use */
function slider(words, min, max, step, use) {
  const input = el("input", { type: "range", min: String(min), max: String(max), step: String(step), "aria-label": words });
  const value = el("output", { class: "number" });
  input.addEventListener("input", () => use(Number(input.value)));
  return {
    row: el("label", { class: "row" }, words, input, value),
    set(/** @type {number} */ number, /** @type {string} */ text) {
      input.value = String(number);
      value.textContent = text;
    },
  };
}
