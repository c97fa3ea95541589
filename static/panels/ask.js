/** A question that is answered before anything happens. */

import { el } from "./dom.js";

/**
 * @param {HTMLElement} root
 * @returns {(question: string, action: string) => Promise<boolean>} asks; `action` is what the button says that agrees
 */
export function createAsk(root) {
  const words = el("p", { id: "annotator-question" });
  const cancel = el("button", { class: "button", value: "" }, "Cancel");
  const agree = el("button", { class: "button primary", value: "yes" });
  const form = el("form", { method: "dialog" }, words, el("div", { class: "group" }, cancel, agree));
  const dialog = el("dialog", { class: "question", "aria-labelledby": words.id }, form);
  root.append(dialog);
  return (question, action) =>
    new Promise((resolve) => {
      words.textContent = question;
      agree.textContent = action;
      dialog.returnValue = "";
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
      dialog.showModal();
    });
}
