/** The key sheet. */

import { el, iconButton } from "./dom.js";
import { KEYMAPS, SHEET, keysOf } from "../work/keymaps.js";

/** @import { Store, ViewSettings } from "../data/types.d.ts" */

const POINTER = [
  ["Click", "a point on the object"],
  ["Right-click or Shift+click", "a point beside it"],
  ["Drag", "a box around it"],
  ["Alt+click a point", "removes that prompt"],
  ["Double-click an object", "picks it up again"],
  ["Ctrl+click an object", "selects it; more add to it"],
  ["Shift+click a proposal", "puts it together with others, to be kept as one"],
  ["Wheel or pinch", "zooms at the pointer"],
  ["Space or middle button + drag", "pans"],
];

/**
 * @param {HTMLElement} root
 * @param {{store: Store, setView: (fields: Partial<ViewSettings>) => void, closed: () => void, below?: HTMLElement[]}} context
 *   `below`: what stands below the keys
 * @returns {() => void} opens the sheet
 */
export function createHelp(root, { store, setView, closed, below = [] }) {
  const body = el("div", { class: "sheet-body" });
  const maps = el("select", { "aria-label": "Keymap", onchange: () => setView({ keymap: maps.value }) });
  for (const [name, { title }] of Object.entries(KEYMAPS)) maps.append(el("option", { value: name }, title));
  const head = el(
    "header",
    {},
    el("h2", {}, "Keys and pointer"),
    el("label", {}, "Keymap ", maps),
    iconButton("close", "Close", () => dialog.close(), { class: "plain" }),
  );
  const dialog = el("dialog", { class: "sheet", "aria-label": "Keys and pointer", onclose: closed }, head, body, ...below);
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => event.target === dialog && dialog.close());
  root.append(dialog);

  const digits = ["1–9", "choose the label; relabels the selected object"];
  store.watch(["view"], ({ view }) => {
    maps.value = view.keymap;
    body.replaceChildren(
      group(
        "Pointer",
        POINTER.map(([keys, words]) => line([keys], words)),
      ),
    );
    for (const [title, lines] of SHEET) {
      const rows = lines.map(([command, words]) => line(keysOf(view.keymap, command), words));
      if (title === "Kept objects") rows.unshift(line([digits[0]], digits[1]));
      body.append(group(title, rows));
    }
  });
  return () => dialog.showModal();
}

/** @param {string} title @param {HTMLElement[]} rows */
const group = (title, rows) => el("section", {}, el("h3", {}, title), el("dl", {}, ...rows));

/** @param {string[]} keys @param {string} words */
function line(keys, words) {
  return el("div", {}, el("dt", {}, ...keys.map((key) => el("kbd", {}, key))), el("dd", {}, words));
}
