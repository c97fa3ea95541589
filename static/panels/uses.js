/** Ways to use the program without the page. */

import { el } from "./dom.js";

/** @returns {HTMLElement} links, for the end of the key sheet */
export function createUses() {
  const listed = el("button", { type: "button", class: "button", onclick: showEndpoints }, "Use via API");
  return el("div", { class: "group uses" }, listed, el("a", { class: "button plain", href: "docs", target: "_blank" }, "REST routes"));

  function showEndpoints() {
    listed.closest("dialog")?.close();
    // Gradio lists its endpoints, with code to call them, when the button in its own footer is clicked. style.css hides it.
    /** @type {HTMLElement | null} */ (document.querySelector("footer .show-api"))?.click();
  }
}
