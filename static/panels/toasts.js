/** Short messages over the canvas, announced to screen readers. */

import { el, iconButton } from "./dom.js";

/** @import { Toast } from "../data/types.d.ts" */

const SHOWN_MS = 5000;
const ERROR_MS = 10000;
const QUIET_MS = 2500;
const MAX_SHOWN = 5;

/** Removes a message. Its timer would keep it alive. @param {HTMLElement} node */
function drop(node) {
  clearTimeout(Number(node.dataset.timer));
  node.remove();
}

/**
 * @param {HTMLElement} place
 * @param {() => void} focusCanvas
 * @returns {Toast}
 */
export function createToasts(place, focusCanvas) {
  const toasts = () => /** @type {HTMLElement[]} */ ([...place.children]);

  return function toast(text, { kind, quiet = false, stays = false, action } = {}) {
    const words = el("span", { class: "toast-words" }, text);
    const bar = kind === "progress" ? el("progress", { max: "1", value: "0" }) : null;
    const node = el("div", { class: `toast ${kind ?? ""}`, role: kind === "error" ? "alert" : "status" }, words, bar);
    const close = () => {
      const focused = node.contains(document.activeElement);
      drop(node);
      if (focused) focusCanvas();
    };
    if (action) {
      const act = () => {
        close();
        action[1]();
      };
      node.append(el("button", { type: "button", class: "button plain", onclick: act }, action[0]));
    }
    if (kind !== "progress") node.append(iconButton("close", "Dismiss", close, { class: "plain small" }));
    if (!bar) for (const shown of toasts()) if (shown.dataset.text === text) drop(shown);
    node.dataset.text = text;
    place.append(node);
    const old = toasts().filter((shown) => !shown.classList.contains("progress"));
    for (const extra of old.slice(0, -MAX_SHOWN)) drop(extra);
    if (kind !== "progress" && !stays) {
      node.dataset.timer = String(setTimeout(close, kind === "error" ? ERROR_MS : quiet ? QUIET_MS : SHOWN_MS));
    }
    return {
      update(next, fraction) {
        words.textContent = next;
        if (bar) bar.value = fraction;
      },
      close,
    };
  };
}
