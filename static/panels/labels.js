/** The labels: choose, add, rename, recolour, remove. */

import { el, iconButton } from "../dom.js";

/**
 * @param {{store: any, labels: any, choose: (id: number) => void, done: () => void}} context  `done` gives the focus back
 */
export function createLabelPanel({ store, labels, choose, done }) {
  const list = el("div", { class: "label-list", role: "radiogroup", "aria-label": "Label of the next object" });
  const input = el("input", {
    type: "text",
    placeholder: "New label",
    maxlength: "80",
    "aria-label": "New label",
    enterkeyhint: "done",
  });
  const form = el(
    "form",
    { class: "new-label", onsubmit: add },
    input,
    iconButton("plus", "Add the label", () => form.requestSubmit(), { class: "small" }),
  );
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    input.value = "";
    done();
  });

  /** @param {Event} event */
  function add(event) {
    event.preventDefault();
    const name = input.value.trim();
    if (!name) return;
    input.value = "";
    void labels.add(name);
    done();
  }

  /** @param {any} label @param {HTMLElement} row */
  function rename(label, row) {
    const field = el("input", { type: "text", value: label.name, "aria-label": `Name of ${label.name}`, maxlength: "80" });
    let open = true;
    const finish = (/** @type {boolean} */ save) => {
      if (!open) return;
      open = false;
      const name = field.value.trim();
      if (save && name && name !== label.name) void labels.change(label.id, { name });
      draw(store.get());
      done();
    };
    field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
    });
    field.addEventListener("blur", () => finish(true));
    row.querySelector(".name")?.replaceWith(field);
    field.select();
  }

  /** @param {any} state */
  function draw({ labels: all, labelId }) {
    list.replaceChildren(
      ...all.map((/** @type {any} */ label, /** @type {number} */ index) => {
        const chosen = label.id === labelId;
        const key = label.key ?? (index < 9 ? String(index + 1) : "");
        const swatch = el("input", {
          type: "color",
          class: "swatch",
          value: label.color,
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
            title: `${label.name} (double-click renames)`,
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
          iconButton("trash", `Remove ${label.name}`, () => labels.remove(label.id), { class: "plain small onhover" }),
        );
        button.addEventListener("dblclick", () => rename(label, row));
        return row;
      }),
    );
  }

  store.watch(["labels", "labelId"], draw);
  return {
    element: el("section", { class: "panel labels" }, el("h2", {}, "Labels"), list, form),
    focus: () => input.focus(),
  };
}
