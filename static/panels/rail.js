/** The tool rail at the canvas's edge. */

import { el, iconButton } from "./dom.js";

/** @import { Store, Tool } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */
/** @import { IconName } from "./dom.js" */

/** @type {[tool: Tool, icon: IconName, title: string][]} */
const TOOLS = [
  ["add", "plus", "Points on the object (drag: box)"],
  ["remove", "minus", "Points beside the object (T)"],
  ["box", "box", "Box: drag around the object"],
  ["brush", "brush", "Brush (B), sizes [ ]"],
  ["eraser", "eraser", "Eraser (X), sizes [ ]"],
];

/**
 * @param {{store: Store, commands: Commands, focusCanvas: () => void}} context
 */
export function createRail({ store, commands, focusCanvas }) {
  const after = (/** @type {() => void} */ run) => () => {
    run();
    focusCanvas();
  };
  /** @type {Record<string, HTMLButtonElement>} */
  const buttons = {};
  for (const [tool, name, title] of TOOLS)
    buttons[tool] = iconButton(
      name,
      title,
      after(() => store.set({ tool, hover: null })),
      { class: "plain tool" },
    );
  const size = el("input", {
    type: "range",
    min: "1",
    max: "200",
    class: "brush-size",
    "aria-label": "Brush size",
    title: "Brush size in image pixels ([ and ])",
  });
  size.addEventListener("input", () => store.set({ brush: Number(size.value) }));
  const undo = iconButton(
    "undo",
    "Undo (Ctrl+Z)",
    after(() => commands.undo()),
    { class: "plain" },
  );
  const redo = iconButton(
    "redo",
    "Redo (Ctrl+Shift+Z)",
    after(() => commands.redo()),
    { class: "plain" },
  );
  const fit = iconButton(
    "fit",
    "Fit (F)",
    after(() => commands.fit()),
    { class: "plain" },
  );

  const detail = iconButton(
    "detail",
    "Fine detail of what is on the screen (Z)",
    after(() => commands.detail()),
    { class: "plain" },
  );

  store.watch(["detail"], (state) => {
    detail.classList.toggle("chosen", Boolean(state.detail));
    detail.setAttribute("aria-pressed", String(Boolean(state.detail)));
  });
  store.watch(["tool", "brush"], ({ tool, brush }) => {
    for (const [name, button] of Object.entries(buttons)) {
      button.classList.toggle("chosen", name === tool);
      button.setAttribute("aria-pressed", String(name === tool));
    }
    size.hidden = tool !== "brush" && tool !== "eraser";
    size.value = String(brush);
  });
  store.watch(["draft", "history", "status"], ({ draft, history, status }) => {
    const by = (/** @type {string | null | undefined} */ author) =>
      status?.user && author && author !== status.user ? ` by ${author}` : "";
    undo.disabled = !draft.now && !history.undo;
    redo.disabled = !draft.future.length && !history.redo;
    undo.title = draft.now ? "Undo the prompt (Ctrl+Z)" : history.undo ? `Undo: ${history.undo}${by(history.undo_author)} (Ctrl+Z)` : "Nothing to undo";
    redo.title =
      !draft.now && !draft.future.length && history.redo ? `Redo: ${history.redo}${by(history.redo_author)} (Ctrl+Shift+Z)` : "Redo (Ctrl+Shift+Z)";
  });
  return el(
    "div",
    { class: "rail", role: "toolbar", "aria-label": "Tools" },
    ...Object.values(buttons),
    size,
    el("hr"),
    undo,
    redo,
    el("hr"),
    fit,
    detail,
  );
}
