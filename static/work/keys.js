/** Listens to the keyboard: keys are commands, except where a field or a control needs them itself. */

import { combosOf, commandFor } from "./keymaps.js";

/** @import { Command } from "./keymaps.js" */

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Fields that need every key, and panels that are open above the page. */
const TAKES_ALL = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable], dialog, .popover";
/** Keys that a focused control handles itself. */
const OF_CONTROLS = new Set(["Enter", " ", "Home", "End", "PageUp", "PageDown", ...Object.keys(ARROWS)]);

/** @param {Element} target  outside the canvas @param {string} key @returns {boolean} whether the target needs the key itself */
function takes(target, key) {
  if (key === "Tab" || target.closest(TAKES_ALL)) return true;
  return OF_CONTROLS.has(key) && Boolean(target.closest("button, a, input"));
}

/**
 * No key counts while a modal dialog is open: what it would do lies behind the dialog.
 * @param {HTMLElement} box  the canvas
 * @param {Document | HTMLElement} place  where a key counts: on the whole page, wherever the last click was, or in an element
 * @param {{keymap: () => string, run: (command: Command, event: KeyboardEvent) => boolean, label: (key: string) => void,
 *   arrow: (dx: number, dy: number, leap: boolean) => void}} handlers  `run` tells whether the key was used
 */
export function listenToKeys(box, place, { keymap, run, label, arrow }) {
  /** @param {KeyboardEvent} event @returns {boolean} whether the key was used */
  function use(event) {
    const step = ARROWS[event.key];
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      arrow(step[0], step[1], event.shiftKey);
      return true;
    }
    for (const combo of combosOf(withoutAltGr(event))) {
      const command = commandFor(keymap(), combo);
      if (command) return run(command, event);
      if (/^[1-9]$/.test(combo)) {
        label(combo);
        return true;
      }
    }
    return false;
  }

  // No part of the page sees the keys with which an input method composes a word.
  const duringComposition = (/** @type {KeyboardEvent} */ event) =>
    event.isComposing || event.key === "Process" || event.keyCode === 229;
  window.addEventListener("keydown", (event) => duringComposition(event) && event.stopImmediatePropagation(), { capture: true });
  place.addEventListener("keydown", (/** @type {any} */ event) => {
    const target = /** @type {Element} */ (event.target);
    if (!box.isConnected || event.defaultPrevented || document.querySelector("dialog:modal")) return;
    if (target !== box && takes(target, event.key)) return;
    if (use(event)) event.preventDefault();
  });
}

/** AltGr makes another character; some systems report it as Ctrl and Alt as well. @param {KeyboardEvent} event */
function withoutAltGr(event) {
  const { key, code, shiftKey, metaKey } = event;
  const altGr = event.getModifierState("AltGraph");
  return { key, code, shiftKey, metaKey, ctrlKey: event.ctrlKey && !altGr, altKey: event.altKey && !altGr };
}
