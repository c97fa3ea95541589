/** The details of a label, changed in its place in the list. */

import { el, iconButton, nameInput } from "./dom.js";

/** @import { Label, LabelFields } from "../data/types.d.ts" */

const KEYS = "123456789";

/**
 * Enter, the button, and leaving the form save what was changed. Escape does not.
 * @param {Label} label
 * @param {HTMLElement} swatch
 * @param {{save: (fields: LabelFields) => Promise<boolean>, close: () => void}} use  the form stays open when `save` is refused
 */
export function createLabelForm(label, swatch, { save, close }) {
  const name = nameInput({ value: label.name, "aria-label": "Name" });
  const supercategory = nameInput({
    value: label.supercategory,
    placeholder: "Supercategory",
    "aria-label": "Supercategory",
  });
  const key = el("select", { "aria-label": "Key", title: "Key that chooses the label" }, el("option", { value: "" }, "–"));
  for (const digit of KEYS) key.append(el("option", {}, digit));
  key.value = label.key ?? "";
  /** Whether there is nothing more to save: the form is being saved, or is gone. */
  let settled = false;
  const form = el(
    "form",
    { class: "label-form", "aria-label": `Details of ${label.name}` },
    swatch,
    name,
    supercategory,
    key,
    iconButton("check", "Save (Enter)", () => form.requestSubmit(), { class: "plain small" }),
  );

  function changes() {
    const now = { name: name.value.trim() || label.name, supercategory: supercategory.value.trim(), key: key.value || null };
    return Object.fromEntries(
      Object.entries(now).filter(([field, value]) => value !== label[/** @type {keyof LabelFields} */ (field)]),
    );
  }

  async function finish() {
    if (settled) return;
    const fields = changes();
    settled = true;
    if (!Object.keys(fields).length || (await save(fields))) close();
    else settled = false;
  }

  form.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    void finish();
  });
  form.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && /** @type {unknown[]} */ ([name, supercategory, key]).includes(event.target))
      form.requestSubmit();
    if (event.key !== "Escape") return;
    settled = true;
    close();
  });
  form.addEventListener("focusout", (/** @type {FocusEvent} */ event) => {
    if (!form.contains(/** @type {Node | null} */ (event.relatedTarget))) void finish();
  });
  return { element: form, focus: () => name.select() };
}
