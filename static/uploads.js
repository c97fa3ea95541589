/** The three ways files come in: the file dialog, a drop, a paste. */

import { el } from "./dom.js";

/**
 * @param {HTMLElement} root
 * @param {(files: File[]) => void} use
 * @returns {(accept?: string) => void} opens the file dialog
 */
export function listenToFiles(root, use) {
  const input = el("input", { type: "file", multiple: true, hidden: true, "aria-label": "Image files" });
  input.addEventListener("change", () => {
    use([...input.files]);
    input.value = "";
  });
  const veil = el("div", { class: "drop", hidden: true }, el("p", {}, "Drop images, or a COCO file, to add them"));
  root.append(input, veil);

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
    use([...(event.dataTransfer?.files ?? [])]);
  });
  document.addEventListener("paste", (event) => {
    if (!root.isConnected) return;
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    use(files);
  });
  return (accept = "image/*,.json") => {
    input.accept = accept;
    input.click();
  };
}
