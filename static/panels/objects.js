/** The list of kept objects. */

import { objectColor } from "../canvas/colors.js";
import { compact, el, icon, iconButton } from "./dom.js";
import { createKeyedList } from "./keyed.js";

/** @import { Annotation, Store, ViewSettings } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */
/** @import { Command } from "../work/keymaps.js" */
/** @import { Objects } from "../work/objects.js" */
/** @import { IconName } from "./dom.js" */

/**
 * @param {{store: Store, objects: Objects, setView: (fields: Partial<ViewSettings>) => void, commands: Commands, focusCanvas: () => void}} context
 */
export function createObjectPanel({ store, objects, setView, commands, focusCanvas }) {
  const count = el("span", { class: "count" });
  const list = el("ul", { class: "object-list", "aria-label": "Objects" });
  const hint = el("p", { class: "hint" }, "Click the image to mark an object, then press Enter to keep it.");
  const omitted = el("p", { class: "hint" }, "An object's mask is too intricate to be shown here; exports have it.");
  const act = (/** @type {IconName} */ name, /** @type {string} */ title, /** @type {Command} */ command) =>
    iconButton(
      name,
      title,
      () => {
        commands[command]();
        focusCanvas();
      },
      { class: "plain small" },
    );
  const single = [
    act("pencil", "Correct (E)", "correct"),
    act("split", "Split into parts (S)", "split"),
    act("clean", "Fill holes, drop specks (G)", "clean"),
  ];
  const similar = act("magic", "Find all like the selected (K)", "similar");
  const merge = act("merge", "Merge the selected (M)", "merge");
  const subtract = act("subtract", "Subtract the other selected from the first (Shift+M)", "subtract");
  const specks = el("input", {
    type: "number",
    min: "1",
    step: "1",
    required: true,
    "aria-label": "Largest holes and specks to clean, in pixels",
    title: "Cleaning fills holes and drops specks of up to so many pixels",
  });
  specks.addEventListener("change", () => {
    if (specks.validity.valid) setView({ specks: Number(specks.value) });
    else specks.value = String(store.get().view.specks);
  });
  specks.addEventListener("keydown", (event) => {
    if (event.key === "Escape") specks.value = String(store.get().view.specks);
    if (event.key === "Enter" || event.key === "Escape") focusCanvas();
  });
  const remove = act("trash", "Delete (Del)", "remove");
  const bar = el(
    "div",
    { class: "object-actions" },
    ...single,
    specks,
    el("span", { class: "number" }, "px"),
    similar,
    merge,
    subtract,
    remove,
  );

  const rows = createKeyedList(list, row);

  /** @param {string} id */
  function toggle(id) {
    const hidden = new Set(store.get().hidden);
    if (!hidden.delete(id)) hidden.add(id);
    store.set({ hidden });
    focusCanvas();
  }

  /** @param {MouseEvent} event @param {string} id */
  function select(event, id) {
    const { selection, annotations } = store.get();
    const ids = annotations.map((item) => item.id);
    if (event.shiftKey && selection.length) {
      const [from, to] = [ids.indexOf(selection[0]), ids.indexOf(id)].sort((a, b) => a - b);
      const others = ids.slice(from, to + 1).filter((other) => other !== selection[0]);
      store.set({ selection: [selection[0], ...others] });
    } else if (event.ctrlKey || event.metaKey) {
      store.set({
        selection: selection.includes(id) ? selection.filter((other) => other !== id) : [...selection, id],
      });
    } else store.set({ selection: [id] });
    focusCanvas();
  }

  /** @param {{key: string, item: Annotation, selected: boolean, hidden: boolean, color: string, name: string, index: number}} values */
  function row({ item, selected, hidden, color, name, index }) {
    return el(
      "li",
      {
        class: `object ${selected ? "selected" : ""} ${hidden ? "dim" : ""} ${item.pending ? "pending" : ""}`,
        dataset: { id: item.id },
      },
      el("span", { class: "dot", style: { background: color } }),
      el(
        "button",
        {
          type: "button",
          class: "name",
          "aria-pressed": String(selected),
          disabled: Boolean(item.pending),
          onclick: (/** @type {MouseEvent} */ event) => select(event, item.id),
          ondblclick: () => commands.correct(),
        },
        el("span", { class: "clip" }, name),
        el("span", { class: "number" }, `#${index + 1}`),
        ...(item.mask.w ? [] : [el("span", { class: "number" }, "not shown")]),
      ),
      el("span", { class: "area", title: `${item.area} pixels` }, `${compact(item.area)} px`),
      eye(item.id, hidden),
      iconButton(
        "trash",
        "Delete",
        () => {
          void objects.remove([item.id]);
          focusCanvas();
        },
        { class: "plain small" },
      ),
    );
  }

  /** @param {string} id @param {boolean} hidden */
  function eye(id, hidden) {
    const button = iconButton(hidden ? "hidden" : "view", hidden ? "Show" : "Hide", () => toggle(id), { class: "plain small" });
    button.setAttribute("aria-pressed", String(hidden));
    return button;
  }

  const everything = el(
    "button",
    {
      type: "button",
      class: "button plain small",
      title: "Hide or show all (H)",
      "aria-label": "Hide or show all",
      onclick: () => {
        commands.hideAll();
        focusCanvas();
      },
    },
    icon("view"),
  );

  store.watch(["annotations", "selection", "hidden", "labels", "view"], (state) => {
    const { annotations, labels, selection, hidden } = state;
    rows.show(
      annotations.map((item, index) => ({
        key: item.id,
        item,
        selected: selection.includes(item.id),
        hidden: hidden.has(item.id),
        color: objectColor(state, item.label_id, index),
        name: labels.find((label) => label.id === item.label_id)?.name ?? "?",
        index,
      })),
    );
    count.textContent = String(annotations.length);
    hint.hidden = annotations.length > 0;
    omitted.hidden = annotations.every((item) => item.mask.w > 0);
    for (const button of single) button.disabled = selection.length !== 1;
    similar.disabled = selection.length === 0;
    merge.disabled = selection.length < 2;
    remove.disabled = selection.length === 0;
    rows.find(selection.at(-1) ?? "")?.scrollIntoView({ block: "nearest" });
  });

  store.watch(["selection", "draft"], ({ selection, draft }) => {
    subtract.disabled = selection.length < (draft.now ? 1 : 2);
  });
  store.watch(["view"], ({ view }) => {
    specks.value = String(view.specks);
  });

  return el(
    "section",
    { class: "panel objects" },
    el("h2", {}, "Objects", count, el("span", { class: "space" }), everything),
    bar,
    hint,
    omitted,
    list,
  );
}
