/** The bin: images that were removed and can be restored. */

import { el, icon } from "./dom.js";
import { createKeyedList } from "./keyed.js";
import { anchor } from "./popover.js";
import { counted } from "../work/words.js";

/** @import { Image, Store } from "../data/types.d.ts" */
/** @import { Bin } from "../work/bin.js" */

/**
 * @param {{store: Store, bin: Bin, focusCanvas: () => void}} context
 */
export function createBinPanel({ store, bin, focusCanvas }) {
  const button = el(
    "button",
    { type: "button", class: "button plain", title: "Removed images", "aria-label": "Removed images" },
    icon("trash"),
  );
  const count = el("span", { class: "count" });
  const nothing = el("p", { class: "hint" }, "No image was removed.");
  const list = el("ul", { class: "bin-list", "aria-label": "Removed images" });
  const empty = el(
    "button",
    { type: "button", class: "button", dataset: { closes: "" }, onclick: () => void bin.empty().then(focusCanvas) },
    "Empty bin",
  );
  const panel = el(
    "div",
    { class: "menu bin" },
    el("div", { class: "menu-head" }, el("h2", {}, "Removed images", count), empty),
    nothing,
    list,
  );
  const rows = createKeyedList(list, row);

  /** @param {Pick<Image, "project_id" | "name" | "thumbnail_url" | "annotations"> & {key: string}} values */
  function row({ key: id, project_id, name, thumbnail_url: src, annotations }) {
    const objects = annotations ? counted(annotations, "object") : "no objects";
    return el(
      "li",
      {},
      el("img", { src, alt: "", loading: "lazy", draggable: false }),
      el("span", { class: "facts" }, el("span", { class: "clip", title: name }, name), el("span", {}, objects)),
      el(
        "button",
        {
          type: "button",
          class: "button small",
          "aria-label": `Restore ${name}`,
          onclick: () => void bin.restore({ id, project_id }),
        },
        "Restore",
      ),
    );
  }

  const show = anchor(button, panel);
  button.addEventListener("click", () => void bin.open());
  store.watch(["bin"], ({ bin: images }) => {
    rows.show(
      images.map(({ id, project_id, name, thumbnail_url, annotations }) => ({
        key: id,
        project_id,
        name,
        thumbnail_url,
        annotations,
      })),
    );
    count.textContent = images.length ? String(images.length) : "";
    nothing.hidden = images.length > 0;
    empty.hidden = images.length === 0;
  });
  store.watch(["projectId"], () => show(false));
  store.watch(["booted"], ({ booted }) => {
    button.disabled = !booted;
  });
  return el("span", { class: "anchor owners-only" }, button, panel);
}
