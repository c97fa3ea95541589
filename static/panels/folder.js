/** Adding a folder of the server by its path, where the operator allows it. */

import { el } from "./dom.js";

/**
 * @param {{store: any, intake: {addFolder: (path: string) => Promise<void>}, done: () => void}} context
 */
export function createFolderPanel({ store, intake, done }) {
  const path = el("input", { type: "text", list: "image-folders", "aria-label": "Path of a folder", spellcheck: false, required: true });
  const allowed = el("datalist", { id: "image-folders" });
  const add = el("button", { type: "submit", class: "button primary", dataset: { closes: "" } }, "Add its images");
  const form = el("form", { class: "menu" }, el("label", {}, "Folder of the server", path), allowed, add);
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void intake.addFolder(path.value.trim()).then(done);
  });
  store.watch(["status"], (/** @type {any} */ { status }) => {
    const folders = status?.image_folders ?? [];
    allowed.replaceChildren(...folders.map((/** @type {string} */ value) => el("option", { value })));
    path.value ||= folders[0] ?? "";
  });
  return form;
}
