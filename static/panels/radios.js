/** A group of radio buttons: one of them is in the tab order, and the arrow keys move the choice. */

import { el } from "./dom.js";

/** @type {Record<string, number>} */
const ARROWS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/**
 * @param {Record<string, unknown>} props  of the group's element
 * @param {(index: number) => void} choose  an arrow key chose the radio at this place
 */
export function createRadios(props, choose) {
  const element = el("div", { ...props, role: "radiogroup" });
  const radios = () => /** @type {HTMLElement[]} */ ([...element.querySelectorAll('[role="radio"]')]);
  const focusedAt = () => radios().findIndex((radio) => radio === document.activeElement);

  element.addEventListener("keydown", (event) => {
    const at = focusedAt();
    if (at < 0 || !(event.key in ARROWS)) return;
    event.preventDefault();
    const count = radios().length;
    choose((at + ARROWS[event.key] + count) % count);
  });

  return {
    element,
    /** Shows these in place of what is there. The focus stays in the group. @param {HTMLElement[]} children */
    show(children) {
      const focused = focusedAt() >= 0;
      element.replaceChildren(...children);
      const chosen = radios().find((radio) => radio.ariaChecked === "true") ?? radios()[0];
      for (const radio of radios()) radio.tabIndex = radio === chosen ? 0 : -1;
      if (focused) chosen?.focus();
    },
  };
}
