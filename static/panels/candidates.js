/** The bar over the canvas while an object is in progress: candidates with scores, keep, drop. */

import { el, iconButton } from "./dom.js";
import { createRadios } from "./radios.js";
import { shownMask } from "../data/draft.js";
import { draftsOf } from "../data/progress.js";

/** @import { Step, Store } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */
/** @import { Prompting } from "../work/prompting.js" */

/**
 * @param {{store: Store, prompting: Prompting, commands: Commands, focusCanvas: () => void}} context
 */
export function createCandidateBar({ store, prompting, commands, focusCanvas }) {
  const chips = createRadios({ class: "chips", "aria-label": "Candidate masks (Tab)" }, prompting.choose);
  const words = el("span", { class: "bar-words" });
  const after = (/** @type {() => void} */ run) => () => {
    run();
    focusCanvas();
  };
  const keep = iconButton(
    "check",
    "Keep (Enter)",
    after(() => commands.keep()),
    { words: "Keep", class: "primary" },
  );
  const drop = iconButton(
    "close",
    "Drop (Esc)",
    after(() => commands.drop()),
    { words: "Drop", class: "plain" },
  );
  const name = el("span", { class: "clip" });
  const suggested = el(
    "button",
    { type: "button", class: "suggestion", title: "Take the suggested label (Y)", onclick: after(() => commands.takeLabel()) },
    name,
    el("kbd", {}, "Y"),
  );
  const bar = el(
    "div",
    { class: "candidate-bar", hidden: true, role: "toolbar", "aria-label": "Object in progress" },
    words,
    chips.element,
    keep,
    drop,
    suggested,
  );

  store.watch(["suggestion", "labels", "labelId"], ({ suggestion, labels, labelId }) => {
    const label = labels.find((one) => one.id === suggestion && one.id !== labelId);
    suggested.hidden = !label;
    name.textContent = label ? `${label.name}?` : "";
  });
  store.watch(["draft", "others"], (state) => {
    const step = state.draft.now;
    const count = draftsOf(state).length;
    rename(keep, count > 1 ? `Keep ${count}` : "Keep");
    rename(drop, count > 1 ? "Drop all" : "Drop");
    bar.hidden = !step;
    if (!step) return;
    const list = step.edited && !step.reply ? [] : (step.reply?.candidates ?? []);
    words.textContent = wordsOf(step);
    words.hidden = !words.textContent;
    chips.element.hidden = list.length === 0;
    keep.disabled = count < 2 && (!step.answered || !shownMask(step)?.w);
    chips.show(
      list.map((candidate, index) => {
        const chosen = !step.edited && index === step.index;
        return el(
          "button",
          {
            type: "button",
            class: chosen ? "chip chosen" : "chip",
            role: "radio",
            "aria-checked": String(chosen),
            title: `Candidate ${index + 1}: predicted quality ${candidate.score.toFixed(2)}`,
            onclick: after(() => prompting.choose(index)),
          },
          el("span", { class: "rank" }, String(index + 1)),
          el("span", { class: "score" }, candidate.score.toFixed(2)),
        );
      }),
    );
  });
  return bar;
}

/** @param {HTMLElement} button @param {string} words */
function rename(button, words) {
  /** @type {HTMLElement} */ (button.querySelector(".words")).textContent = words;
  button.setAttribute("aria-label", `${words} ${button.title.slice(button.title.indexOf("("))}`);
}

/** @param {Step} step */
function wordsOf(step) {
  if (!step.answered) return "Segmenting …";
  if (!shownMask(step)?.w) return "Nothing found: add a point";
  if (step.annotationId) return "Correcting";
  return step.edited ? "Edited" : "";
}
