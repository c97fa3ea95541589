/** The panel of the mode "many": how many objects are in progress, and where they overlap. */

import { overlappingPixels } from "../canvas/overlaps.js";
import { draftsOf } from "../data/progress.js";
import { el, iconButton } from "./dom.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */

/**
 * @param {{store: Store, commands: Commands, focusCanvas: () => void}} context
 */
export function createManyPanel({ store, commands, focusCanvas }) {
  const count = el("span", { class: "count" });
  const overlap = el("span", { class: "bar-words" });
  const settle = iconButton(
    "subtract",
    "Settle by score: the best-scored object keeps the pixels (Shift+C)",
    () => {
      commands.settleOverlaps();
      focusCanvas();
    },
    { words: "Settle by score" },
  );
  const overlaps = el("div", { class: "group" }, overlap, settle);
  const hint = el(
    "p",
    { class: "hint" },
    "Each click or box is an object. Click on one to correct it. Enter keeps all, Esc drops all.",
  );
  const panel = el(
    "section",
    { class: "panel many", hidden: true },
    el("h2", {}, "Many objects", count),
    hint,
    overlaps,
  );

  store.watch(["many", "draft", "others", "review"], (state) => {
    const objects = draftsOf(state).length;
    panel.hidden = !state.many && objects < 2;
    hint.hidden = state.review !== null; // a click means something else then
    count.textContent = String(objects);
    const pixels = overlappingPixels(state);
    overlaps.hidden = pixels === 0;
    overlap.textContent = `${pixels} px overlap`;
  });
  return panel;
}
