/** Panels that open under a button. */

import { el, iconButton } from "./dom.js";

/** @import { IconName } from "./dom.js" */

/**
 * A button that opens a panel under itself.
 * @param {IconName} name @param {string} title @param {HTMLElement} panel
 * @param {{words?: string, class?: string, opened?: () => void}} [options]  `opened` is called when the panel is shown
 */
export function popover(name, title, panel, options = { class: "plain" }) {
  const button = iconButton(name, title, () => {}, options);
  anchor(button, panel, options.opened);
  return el("span", { class: "anchor" }, button, panel);
}

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 * @param {() => void} [opened]  called when the panel is shown
 * @returns {(open: boolean) => void} shows the panel under the button, or hides it
 */
export function anchor(button, panel, opened = () => {}) {
  panel.hidden = true;
  panel.classList.add("popover");
  button.setAttribute("aria-expanded", "false");
  const show = (/** @type {boolean} */ open) => {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) opened();
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
