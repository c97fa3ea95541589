/** Downloading all objects: the format, what it loses, and which images are for validation. */

import { el } from "./dom.js";

/** @import { FileFormat } from "../data/types.d.ts" */
/** @import { Export } from "../work/export.js" */

/**
 * @param {{work: Export, focusCanvas: () => void}} context
 * @returns {{element: HTMLElement, opened: () => void}} `opened` is to be called when the panel is shown
 */
export function createExportPanel({ work, focusCanvas }) {
  const choice = el("select", { onchange: () => describe() });
  const about = el("p", { class: "reason" });
  const percent = el("input", { type: "number", min: "0", max: "100", placeholder: "by folder", "aria-label": "Validation, in percent of the images" });
  const seed = el("input", { type: "number", value: "0", step: "1", "aria-label": "Seed of the choice" });
  const split = el(
    "div",
    {},
    el("label", { class: "row" }, "Validation", percent, "%"),
    el("label", { class: "row" }, "Seed", seed),
  );
  const finished = el("input", { type: "checkbox", onchange: () => describe() });
  const numbers = el("p", { class: "reason", role: "status" });
  const button = el("button", { type: "submit", class: "button primary", dataset: { closes: "" }, disabled: true }, "Download");
  const element = el(
    "form",
    { class: "menu export-menu" },
    el("label", { class: "row" }, "Format", choice),
    el("label", { class: "row check" }, finished, "Only images that are done or approved"),
    about,
    numbers,
    split,
    button,
  );
  /** @type {FileFormat[]} */
  let formats = [];
  const chosen = () => formats.find(({ name }) => name === choice.value);
  let measuring = new AbortController();

  /** The server stops comparing for a format that is no longer chosen. @param {FileFormat} format */
  async function measure(format) {
    const { signal } = measuring;
    numbers.textContent = "Comparing masks …";
    const text = await work.losses(format, { finished: finished.checked }, signal).catch((/** @type {Error} */ error) => error.message);
    if (!signal.aborted) numbers.textContent = text;
  }

  function describe() {
    const format = chosen();
    button.disabled = !format;
    split.hidden = !format?.has_subsets;
    about.textContent = format?.losses ?? "";
    measuring.abort();
    measuring = new AbortController();
    numbers.textContent = "";
    if (format) void measure(format);
  }

  async function opened() {
    choice.focus();
    try {
      if (!formats.length) {
        formats = await work.formats();
        choice.replaceChildren(...formats.map(({ name, title }) => el("option", { value: name }, title)));
      }
      describe();
    } catch (error) {
      numbers.textContent = /** @type {Error} */ (error).message;
    }
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const format = chosen();
    const share = percent.value === "" ? null : percent.valueAsNumber;
    if (format) void work.download(format, { finished: finished.checked, percent: share, seed: seed.valueAsNumber || 0 }).then(focusCanvas);
  });
  describe();
  return { element, opened: () => void opened() };
}
