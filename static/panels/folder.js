/** Adding a folder of the server by its path, where the operator allows it. */

import { el } from "./dom.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Intake } from "../work/intake.js" */

/**
 * @param {{store: Store, intake: Pick<Intake, "addFolder">, focusCanvas: () => void}} context
 */
export function createFolderPanel({ store, intake, focusCanvas }) {
  const path = el("input", {
    type: "text",
    list: "image-folders",
    "aria-label": "Path of a folder",
    spellcheck: false,
    required: true,
  });
  const allowed = el("datalist", { id: "image-folders" });
  const add = el("button", { type: "submit", class: "button primary", dataset: { closes: "" } }, "Add its images");
  const form = el("form", { class: "menu" }, el("label", {}, "Folder of the server", path), allowed, add);
  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void intake.addFolder(path.value.trim()).then(focusCanvas);
  });
  store.watch(["status"], ({ status }) => {
    const folders = status?.image_folders ?? [];
    allowed.replaceChildren(...folders.map((value) => el("option", { value })));
    path.value ||= folders[0] ?? "";
  });
  return form;
}
