/** The three ways files and folders come in: the dialogs, a drop, a paste. */

import { el } from "./dom.js";
import { filesOf, inOrder } from "../work/folders.js";
import { OBJECT_FILES } from "../work/importing.js";

/** @import { Found } from "../work/folders.js" */

/**
 * @param {HTMLElement} root
 * @param {Document | HTMLElement} place  where a paste counts
 * @param {{files: (files: File[]) => void, folder: (files: Found[]) => void, objects?: (files: File[]) => void}} use
 * @returns {{files: (accept?: string) => void, folder: () => void, objects: () => void}} open the dialogs
 */
export function listenToFiles(root, place, use) {
  const input = el("input", { type: "file", multiple: true, hidden: true, "aria-label": "Image files" });
  input.addEventListener("change", () => {
    use.files([...(input.files ?? [])]);
    input.value = "";
  });
  const folderInput = el("input", { type: "file", webkitdirectory: true, hidden: true, "aria-label": "Folder of images" });
  folderInput.addEventListener("change", () => {
    use.folder(inOrder([...(folderInput.files ?? [])]));
    folderInput.value = "";
  });
  const objectInput = el("input", { type: "file", multiple: true, hidden: true, accept: OBJECT_FILES, "aria-label": "Files with objects" });
  objectInput.addEventListener("change", () => {
    use.objects?.([...(objectInput.files ?? [])]);
    objectInput.value = "";
  });
  const veil = el("div", { class: "drop", hidden: true }, el("p", {}, "Drop images, folders, or files with objects, to add them"));
  root.append(input, folderInput, objectInput, veil);

  const carriesFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
  let depth = 0;
  root.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += 1;
    veil.hidden = false;
  });
  root.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  root.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  root.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    const { items, files } = /** @type {DataTransfer} */ (event.dataTransfer);
    const entries = [...items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
    if (entries.some((entry) => entry.isDirectory)) void filesOf(entries).then(use.folder);
    else use.files([...files]);
  });
  place.addEventListener("paste", (/** @type {any} */ event) => {
    if (!root.isConnected) return;
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    use.files(files);
  });
  return {
    files(accept = `image/*,${OBJECT_FILES}`) {
      input.accept = accept;
      input.click();
    },
    folder: () => folderInput.click(),
    objects: () => objectInput.click(),
  };
}
