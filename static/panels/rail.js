/** The tool rail at the canvas's edge. */

import { canRedo } from "../data/progress.js";
import { otherThan } from "../work/team.js";
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

  const many = iconButton(
    "many",
    "Many objects: each click is one of its own (C)",
    after(() => commands.many()),
    { class: "plain" },
  );
  store.watch(["many"], (state) => {
    many.classList.toggle("chosen", state.many);
    many.setAttribute("aria-pressed", String(state.many));
  });
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
  store.watch(["draft", "others", "history", "status"], (state) => {
    const { draft, history } = state;
    const by = (/** @type {string | null | undefined} */ author) => (otherThan(state, author) ? ` by ${author}` : "");
    const redraws = canRedo(state);
    undo.disabled = !draft.now && !history.undo;
    redo.disabled = !redraws && !history.redo;
    undo.title = draft.now
      ? "Undo the prompt (Ctrl+Z)"
      : history.undo
        ? `Undo: ${history.undo}${by(history.undo_author)} (Ctrl+Z)`
        : "Nothing to undo";
    redo.title =
      !draft.now && !redraws && history.redo
        ? `Redo: ${history.redo}${by(history.redo_author)} (Ctrl+Shift+Z)`
        : "Redo (Ctrl+Shift+Z)";
  });
  return el(
    "div",
    { class: "rail", role: "toolbar", "aria-label": "Tools" },
    ...Object.values(buttons),
    many,
    size,
    el("hr"),
    undo,
    redo,
    el("hr"),
    fit,
    detail,
  );
}
