/** The labels: choose, add, change, recolour, remove. */

import { isOwner } from "../data/rights.js";
import { el, iconButton, nameInput } from "./dom.js";
import { createLabelForm } from "./labelform.js";
import { createRadios } from "./radios.js";

/** @import { Label, State, Store } from "../data/types.d.ts" */
/** @import { Labels } from "../work/labels.js" */
/** @import { Merging } from "../work/merging.js" */

/**
 * @param {{store: Store, labels: Labels, merging: Merging, choose: (id: number) => void, focusCanvas: () => void}} context
 */
export function createLabelPanel({ store, labels, merging, choose, focusCanvas }) {
  const list = createRadios({ class: "label-list", "aria-label": "Label of the next object" }, (index) =>
    store.set({ labelId: store.get().labels[index].id }),
  );
  /** The label whose form is open; the list is not drawn again while it is. @type {number | null} */
  let editing = null;
  const input = nameInput({ placeholder: "New label", "aria-label": "New label", enterkeyhint: "done" });
  const form = el(
    "form",
    { class: "field-row owners-only", onsubmit: add },
    input,
    iconButton("plus", "Add the label", () => form.requestSubmit(), { class: "small" }),
  );
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    input.value = "";
    focusCanvas();
  });

  /** @param {Event} event */
  function add(event) {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return;
    input.value = "";
    void labels.add(name);
    focusCanvas();
  }

  /** @param {Label} label @param {HTMLElement} row @param {HTMLElement} swatch */
  function edit(label, row, swatch) {
    if (editing !== null || !isOwner(store.get())) return;
    const close = () => {
      const focused = form.element.contains(document.activeElement);
      editing = null;
      draw(store.get());
      if (focused) focusCanvas();
    };
    const form = createLabelForm(label, swatch, { save: (fields) => merging.change(label, fields), close });
    editing = label.id;
    row.replaceWith(form.element);
    form.focus();
  }

  /** @param {State} state */
  function draw({ labels: all, labelId }) {
    if (all.some((label) => label.id === editing)) return;
    editing = null;
    list.show(
      all.map((label, index) => {
        const chosen = label.id === labelId;
        const key = label.key ?? (index < 9 ? String(index + 1) : "");
        const swatch = el("input", {
          type: "color",
          class: "swatch",
          value: label.color,
          disabled: !isOwner(store.get()),
          title: "Colour",
          "aria-label": `Colour of ${label.name}`,
        });
        swatch.addEventListener("change", () => labels.change(label.id, { color: swatch.value }));
        const button = el(
          "button",
          {
            type: "button",
            class: "name",
            role: "radio",
            "aria-checked": String(chosen),
            title: isOwner(store.get()) ? `${label.name} (double-click changes it)` : label.name,
            onclick: () => choose(label.id),
          },
          el("span", { class: "clip" }, label.name),
          key && el("kbd", {}, key),
        );
        const row = el(
          "div",
          { class: chosen ? "label-row chosen" : "label-row" },
          swatch,
          button,
          iconButton("pencil", `Change ${label.name}`, () => edit(label, row, swatch), { class: "plain small onhover owners-only" }),
          iconButton("trash", `Remove ${label.name}`, () => labels.remove(label.id), { class: "plain small onhover owners-only" }),
        );
        button.addEventListener("dblclick", () => edit(label, row, swatch));
        return row;
      }),
    );
  }

  store.watch(["labels", "labelId", "projects", "projectId"], draw);
  /** What the list was scrolled for last. */
  let scrolledFor = "";
  store.watch(["labelId", "review"], ({ labelId, review }) => {
    const now = `${labelId} ${review?.id}`; // the list is shorter beside a review
    if (now !== scrolledFor) requestAnimationFrame(() => list.element.querySelector(".chosen")?.scrollIntoView({ block: "nearest" }));
    scrolledFor = now;
  });
  return {
    element: el("section", { class: "panel labels" }, el("h2", {}, "Labels"), list.element, form),
    focus: () => input.focus(),
  };
}
