/** Panels that open under a button. */

import { el, iconButton } from "./dom.js";

/** @import { IconName } from "./dom.js" */

/**
 * A button that opens a panel under itself.
 * @param {IconName} name @param {string} title @param {HTMLElement} panel
 */
export function popover(name, title, panel) {
  const button = iconButton(name, title, () => {}, { class: "plain" });
  anchor(button, panel);
  return el("span", { class: "anchor" }, button, panel);
}

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 * @returns {(open: boolean) => void} shows the panel under the button, or hides it
 */
export function anchor(button, panel) {
  panel.hidden = true;
  panel.classList.add("popover");
  button.setAttribute("aria-expanded", "false");
  const show = (/** @type {boolean} */ open) => {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => show(panel.hidden === true));
  document.addEventListener("pointerdown", (event) => {
    const target = /** @type {Node} */ (event.target);
    if (!panel.hidden && !panel.contains(target) && !button.contains(target)) show(false);
  });
  const onEscape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    event.preventDefault();
    show(false);
    button.focus();
  };
  document.addEventListener("keydown", onEscape, { capture: true }); // before it becomes a command
  panel.addEventListener("click", (event) => {
    if (/** @type {HTMLElement} */ (event.target).closest("[data-closes]")) show(false);
  });
  return show;
}
