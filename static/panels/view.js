/** Preferences of the view. */

import { el } from "./dom.js";

/** @import { Store, ViewSettings } from "../data/types.d.ts" */

/**
 * @param {{store: Store, setView: (fields: Partial<ViewSettings>) => void}} context
 */
export function createViewPanel({ store, setView }) {
  const opacity = el("input", { type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Mask opacity" });
  opacity.addEventListener("input", () => setView({ opacity: Number(opacity.value) }));
  const style = select(
    "Masks",
    [
      ["both", "fill and outline"],
      ["fill", "fill"],
      ["outline", "outline"],
    ],
    (value) => setView({ style: /** @type {ViewSettings["style"]} */ (value) }),
  );
  const colors = select(
    "Colours",
    [
      ["label", "by label"],
      ["safe", "by label, colour-blind safe"],
      ["object", "every object its own"],
    ],
    (value) => setView({ colors: /** @type {ViewSettings["colors"]} */ (value) }),
  );
  const hover = check("Preview under the pointer", (value) => setView({ hover: value }));
  const crosshair = check("Crosshair", (value) => setView({ crosshair: value }));
  const only = check("Only the selected object (O)", (value) => setView({ only: value }));
  const theme = select(
    "Theme",
    [
      ["system", "as the system"],
      ["light", "light"],
      ["dark", "dark"],
    ],
    (value) => setView({ theme: /** @type {ViewSettings["theme"]} */ (value) }),
  );

  store.watch(["view"], ({ view }) => {
    opacity.value = String(view.opacity);
    style.input.value = view.style;
    colors.input.value = view.colors;
    theme.input.value = view.theme;
    hover.input.checked = view.hover;
    crosshair.input.checked = view.crosshair;
    only.input.checked = view.only;
  });

  return el(
    "div",
    { class: "menu view-menu" },
    el("label", { class: "row" }, "Opacity", opacity),
    style.row,
    colors.row,
    hover.row,
    crosshair.row,
    only.row,
    theme.row,
  );
}

/** @param {string} words @param {[string, string][]} options @param {(value: string) => void} use */
function select(words, options, use) {
  const input = el("select", { onchange: () => use(input.value) });
  for (const [value, text] of options) input.append(el("option", { value }, text));
  return { input, row: el("label", { class: "row" }, words, input) };
}

/** @param {string} words @param {(value: boolean) => void} use */
function check(words, use) {
  const input = el("input", { type: "checkbox", onchange: () => use(input.checked) });
  return { input, row: el("label", { class: "row check" }, input, words) };
}
