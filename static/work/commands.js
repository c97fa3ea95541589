/** Every command by name: what a key or a button does. */

import { canRedo, draftsOf, progressOf } from "../data/progress.js";

/** @import { Store, Toast, Tool } from "../data/types.d.ts" */
/** @import { Viewport } from "../canvas/viewport.js" */
/** @import { Detail } from "./detail.js" */
/** @import { Command } from "./keymaps.js" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */
/** @import { Prompting } from "./prompting.js" */
/** @import { Reviewing } from "./review.js" */
/** @import { Session } from "./session.js" */
/** @import { Similar } from "./similar.js" */
/** @import { Suggestion } from "./suggestion.js" */
/** @import { Team } from "./team.js" */
/** @import { Tools } from "./tools.js" */

/** @typedef {Record<Command, (event?: Event) => unknown>} Commands */
/** @typedef {{approve: () => void, reject: () => void}} VerdictKeys  what a reviewer says, where a page has reviewers */

const ZOOM_STEP = 1.4;

/**
 * @param {{store: Store, viewport: Viewport, prompting: Prompting, objects: Objects, review: Reviewing, similar: Similar, session: Session,
 *   team: Pick<Team, "nextFree" | "finish">, verdict?: VerdictKeys, labels: Labels, suggestion: Suggestion, tools: Tools, detail: Detail, toast: Toast, openHelp: () => void, focusNewLabel: () => void}} parts
 */
export function createCommands({
  store,
  viewport,
  prompting,
  objects,
  review,
  similar,
  session,
  team,
  verdict,
  labels,
  suggestion,
  tools,
  detail,
  toast,
  openHelp,
  focusNewLabel,
}) {
  const state = store.get;
  const inProgress = () => Boolean(state().draft.now);
  const zoom = (/** @type {number} */ factor) => viewport.zoomAt(viewport.screen.width / 2, viewport.screen.height / 2, factor);
  const pick = (/** @type {Tool} */ tool) => store.set({ tool: state().tool === tool ? "add" : tool, hover: null });

  /** @param {number} by */
  function selectBy(by) {
    const { annotations, selection } = state();
    if (!annotations.length) return;
    const at = annotations.findIndex((item) => item.id === selection.at(-1));
    const next = at < 0 ? (by > 0 ? 0 : annotations.length - 1) : (at + by + annotations.length) % annotations.length;
    store.set({ selection: [annotations[next].id] });
  }

  function drop() {
    const { selection, tool, scratch } = state();
    if (scratch.box || scratch.lasso || scratch.line || scratch.corner) {
      return store.set({ scratch: { ...scratch, box: null, lasso: null, line: null, corner: null } });
    }
    if (inProgress()) prompting.drop();
    else if (state().review?.state === "running") void review.cancel();
    else if (state().review) review.close();
    else if (tool !== "add") store.set({ tool: "add" });
    else if (state().many) store.set({ many: false });
    else if (selection.length) store.set({ selection: [] });
    else if (scratch.cursor) store.set({ scratch: { ...scratch, cursor: null } });
  }

  function correct() {
    const { annotations, selection } = state();
    const target = annotations.find((item) => item.id === selection.at(-1) && !item.pending);
    if (target && !inProgress()) prompting.correct(target);
  }

  // A click means one thing in a review, and another one in the mode "many".
  store.watch(["review"], ({ review: reviewing, many }) => {
    if (reviewing && many) store.set({ many: false });
  });
  function many() {
    if (state().review) return void toast("Finish the review first: Enter keeps all, Esc drops the rest.");
    store.set({ many: !state().many, hover: null });
  }
  /** Runs a search whose proposals are reviewed, unless several objects are in progress. @param {() => unknown} search */
  function look(search) {
    if (draftsOf(progressOf(state())).length < 2) return search();
    toast("Several objects are in progress: Enter keeps them, Esc drops them. Then look for more.");
  }

  /** Looks inside the box just drawn, if there is one, else everywhere. */
  function autoMask() {
    const step = state().draft.now;
    const region = step && step.box && !step.points.length && !step.annotationId ? step.box : null;
    if (region) prompting.dropInHand();
    void review.start(region);
  }

  const timeOf = (/** @type {Event | undefined} */ event) => event?.timeStamp ?? performance.now();

  /** @type {Commands} */
  const run = {
    nextCandidate: () => (inProgress() ? prompting.cycle(1) : review.step(1)),
    previousCandidate: () => (inProgress() ? prompting.cycle(-1) : review.step(-1)),
    keep: () => (state().review && !inProgress() ? review.acceptAll() : objects.keep()),
    drop,
    remove: () => {
      if (inProgress()) prompting.dropInHand();
      else if (state().selection.length) void objects.remove(state().selection);
    },
    undo() {
      if (inProgress()) return prompting.undo();
      return prompting.undoDrop() || review.undoDrop() || review.undoClose() || review.runUndoRedo(objects.undo);
    },
    redo: () => (canRedo(state()) ? prompting.redo() : review.runUndoRedo(objects.redo)),
    nextImage: () => session.step(1),
    previousImage: () => session.step(-1),
    nextFree: () => team.nextFree(),
    finish: (event) => !(/** @type {KeyboardEvent | undefined} */ (event)?.repeat) && team.finish(),
    approve: () => verdict?.approve(),
    reject: () => verdict?.reject(),
    fit: () => viewport.fit(),
    zoomIn: () => zoom(ZOOM_STEP),
    zoomOut: () => zoom(1 / ZOOM_STEP),
    toggleSign: () => store.set({ tool: state().tool === "remove" ? "add" : "remove" }),
    brush: () => pick("brush"),
    many,
    eraser: () => (state().review ? review.dropMeant() : pick("eraser")),
    smaller: () => tools.resizeBrush(1 / 1.25),
    larger: () => tools.resizeBrush(1.25),
    correct,
    merge: () => objects.merge(),
    split: () => objects.split(),
    subtract: () => tools.subtractSelected(),
    settleOverlaps: () => prompting.settleOverlaps(),
    clean: () => objects.clean(state().view.specks),
    autoMask: () => look(autoMask),
    similar: () => look(similar.here),
    similarNext: () => similar.next(),
    detail: () => detail.toggle(),
    onlyThis: () => store.set({ view: { ...state().view, only: !state().view.only } }),
    hideAll: () => {
      const ids = state().annotations.map((item) => item.id);
      store.set({ hidden: state().hidden.size ? new Set() : new Set(ids) });
    },
    selectNext: () => selectBy(1),
    selectPrevious: () => selectBy(-1),
    pointHere: (event) => tools.pointAtCursor(1, timeOf(event)),
    negativeHere: (event) => tools.pointAtCursor(0, timeOf(event)),
    cornerHere: (event) => tools.cornerAtCursor(timeOf(event)),
    newLabel: focusNewLabel,
    takeLabel: () => suggestion.take(),
    help: openHelp,
  };

  return {
    run,
    /** @param {Command} command @param {KeyboardEvent} event @returns {boolean} whether the key was used */
    key(command, event) {
      const mayStep = !command.endsWith("Candidate") || inProgress();
      const used = run[command](event);
      return mayStep || used === true; // Tab that steps nowhere moves the focus
    },
    /** @param {string} digit */
    labelKey(digit) {
      const label = labels.byKey(digit);
      if (!label) return;
      store.set({ labelId: label.id });
      if (!inProgress()) void objects.relabel(label.id);
    },
  };
}
