/**
 * What the page knows, without the DOM: a small observable store, and the object in progress with its own undo.
 *
 * @typedef {import("../canvas/rle.js").Mask} Mask
 * @typedef {{id: number, name: string}} Project
 * @typedef {{id: string, project_id: number, name: string, width: number, height: number, status: string, embedding: string, url: string,
 *   thumbnail_url: string, annotations: number, orientation: number}} Image
 * @typedef {{id: number, project_id: number, name: string, color: string, supercategory: string, key: string | null}} Label
 * @typedef {{points: number[][], box: number[] | null}} Prompts
 * @typedef {{id: string, label_id: number, mask: Mask, area: number, bbox: number[], score: number | null, source: string,
 *   prompts: Prompts, pending?: boolean}} Annotation
 * @typedef {{mask: Mask, score: number, stability: number, area: number, index?: number}} Candidate  `index`: place in
 *   the server's answer
 * @typedef {{token: string, candidates: Candidate[], timing: Record<string, number | null>}} Reply
 */

/**
 * One step of the object in progress. Steps never change; a new prompt makes a new step.
 * @typedef {object} Step
 * @property {number} id
 * @property {number[][]} points  [x, y, 1 or 0]
 * @property {number[] | null} box  x0, y0, x1, y1
 * @property {{token: string, index: number} | null} base  the answer this step refines
 * @property {Mask | null} start  the mask this step refines, for when the server knows no answer (any more)
 * @property {Reply | null} reply  the last answer known; it belongs to this step when `answered`
 * @property {boolean} answered
 * @property {number} index  the candidate shown
 * @property {Mask | null} edited  the mask after brush and eraser, shown instead of the candidate
 * @property {string | null} annotationId  the kept object being corrected
 * @property {Mask | null} origin  the mask that object had
 */

/**
 * @typedef {object} Draft  the object in progress: its steps before, now, and undone
 * @property {Step[]} past
 * @property {Step | null} now
 * @property {Step[]} future
 */

/** @type {Draft} */
export const NO_DRAFT = Object.freeze({ past: [], now: null, future: [] });

let lastStep = 0;

/**
 * @param {Partial<Step>} [fields]
 * @returns {Step}
 */
export function newStep(fields = {}) {
  lastStep += 1;
  const prompts = { points: [], box: null, base: null, start: null };
  const answer = { reply: null, answered: false, index: 0, edited: null, annotationId: null, origin: null };
  return { ...prompts, ...answer, ...fields, id: lastStep };
}

/**
 * @param {Draft} draft
 * @param {Step} step
 * @returns {Draft}
 */
export function advance(draft, step) {
  return { past: draft.now ? [...draft.past, draft.now] : draft.past, now: step, future: [] };
}

/**
 * The step that follows when the prompts become these; further prompts refine the mask now shown.
 * @param {Draft} draft
 * @param {Partial<Prompts>} prompts
 * @param {{refine: boolean}} options
 * @returns {Draft}
 */
export function withPrompts(draft, prompts, { refine }) {
  const { now } = draft;
  if (!now) return advance(draft, newStep(prompts));
  const shown = now.reply?.candidates[now.index];
  const last = now.reply ? { token: now.reply.token, index: shown?.index ?? now.index } : now.base;
  const base = refine && !now.edited ? last : null;
  const start = refine ? shownMask(now) : now.origin;
  return advance(draft, newStep({ ...now, ...prompts, base, start, answered: false }));
}

/**
 * Shows another candidate. What was changed by hand stays behind as a step of its own.
 * @param {Draft} draft
 * @param {number} index
 * @returns {Draft}
 */
export function withCandidate(draft, index) {
  const { now } = draft;
  if (!now) return draft;
  const fields = { index, edited: null };
  return now.edited && now.answered ? advance(draft, newStep({ ...now, ...fields })) : patchStep(draft, now.id, fields);
}

/**
 * @param {Draft} draft
 * @returns {Draft} one step back; before the first step there is no object in progress
 */
export function undoStep({ past, now, future }) {
  if (!now) return { past, now, future };
  return { past: past.slice(0, -1), now: past.at(-1) ?? null, future: [now, ...future] };
}

/**
 * @param {Draft} draft
 * @returns {Draft}
 */
export function redoStep({ past, now, future }) {
  if (!future.length) return { past, now, future };
  return { past: now ? [...past, now] : past, now: future[0], future: future.slice(1) };
}

/**
 * Changes one step wherever it stands now; a step that is gone stays gone.
 * @param {Draft} draft
 * @param {number} id
 * @param {Partial<Step>} fields
 * @returns {Draft}
 */
export function patchStep(draft, id, fields) {
  const patch = (/** @type {Step} */ step) => (step.id === id ? { ...step, ...fields } : step);
  return { past: draft.past.map(patch), now: draft.now && patch(draft.now), future: draft.future.map(patch) };
}

/**
 * @param {Reply} reply
 * @param {(a: Mask, b: Mask) => boolean} same
 * @returns {Reply} without candidates that show the same mask as one before them
 */
export function distinctCandidates(reply, same) {
  const numbered = reply.candidates.map((candidate, index) => ({ ...candidate, index }));
  const candidates = numbered.filter((one, at) => !numbered.slice(0, at).some((other) => same(one.mask, other.mask)));
  return { ...reply, candidates };
}

/**
 * @param {Step | null} step
 * @returns {Mask | null} the mask on the screen
 */
export function shownMask(step) {
  if (!step) return null;
  return step.edited ?? step.reply?.candidates[step.index]?.mask ?? null;
}

/**
 * The nearest prompt of a step.
 * @param {Step | null} step
 * @param {number} x image
 * @param {number} y
 * @param {number} reach image pixels
 * @returns {number} index of the point, -1 for none
 */
export function nearestPoint(step, x, y, reach) {
  let best = -1;
  let distance = reach;
  step?.points.forEach((point, index) => {
    const away = Math.hypot(point[0] - x, point[1] - y);
    if (away <= distance) [best, distance] = [index, away];
  });
  return best;
}

/**
 * An observable bag of values. Watchers run once per task with the latest values, however many changes there were.
 * @template {Record<string, any>} T
 * @param {T} initial
 */
export function createStore(initial) {
  let state = { ...initial };
  let dirty = new Set();
  /** @type {{keys: Set<string>, run: (state: T) => void}[]} */
  const watchers = [];

  function flush() {
    const changed = dirty;
    dirty = new Set();
    for (const watcher of watchers) {
      if ([...changed].some((key) => watcher.keys.has(key))) watcher.run(state);
    }
  }

  return {
    /** @returns {T} */
    get: () => state,
    /** @param {Partial<T>} patch */
    set(patch) {
      const keys = Object.keys(patch).filter((key) => state[key] !== patch[key]);
      if (!keys.length) return;
      state = { ...state, ...patch };
      if (!dirty.size) queueMicrotask(flush);
      for (const key of keys) dirty.add(key);
    },
    /**
     * @param {string[]} keys
     * @param {(state: T) => void} run called at once and after every change of one of the keys
     */
    watch(keys, run) {
      watchers.push({ keys: new Set(keys), run });
      run(state);
    },
  };
}

/** Preferences of the view and their first values. */
export const VIEW = Object.freeze({
  opacity: 0.45,
  style: "both",
  colors: "label",
  only: false,
  hover: true,
  crosshair: false,
  keymap: "standard",
  /** The size of holes and specks that cleaning takes away, in pixels. */
  specks: 64,
});

/** The first state of a page. */
export function initialState() {
  return {
    /** @type {any} */ status: null,
    /** @type {Project[]} */ projects: [],
    /** @type {number | null} */ projectId: null,
    /** @type {Image[]} */ images: [],
    total: 0,
    /** The status of the images shown in the queue, "" for all. */
    queueStatus: "",
    /** @type {{name: string, title: string, thumbnail_url: string}[]} */ samples: [],
    /** @type {Image | null} */ image: null,
    photoReady: false,
    /** @type {Annotation[]} */ annotations: [],
    history: { revision: 0, undo: null, redo: null },
    /** @type {Label[]} */ labels: [],
    /** @type {number | null} */ labelId: null,
    /** @type {string[]} */ selection: [],
    /** @type {Set<string>} */ hidden: new Set(),
    /** @type {Draft} */ draft: NO_DRAFT,
    /** @type {any} */ review: null,
    /** @type {Mask | null} */ hover: null,
    /** @type {"add" | "remove" | "box" | "brush" | "eraser" | "lasso"} */ tool: "add",
    /** The part of the image that prompts see on its own. @type {(import("../work/detail.js").Part & {imageId: string}) | null} */ detail:
      null,
    /** What the hand is drawing just now: box, lasso, line, pointer, cursor, corner. @type {any} */ scratch: {},
    brush: 16,
    /** Requests on their way that the user waits for. */
    busy: 0,
    /** Changes the server has not acknowledged yet. */
    unsent: 0,
    online: true,
    /** @type {any} */ timing: null,
    view: VIEW,
    /** Whether the project is there: its labels, and the beginning of its queue. */
    booted: false,
  };
}

/**
 * New annotations from the server; those that did not change keep their identity, and with it their drawn shapes.
 * @param {Annotation[]} before
 * @param {Annotation[]} after
 * @param {(a: Mask, b: Mask) => boolean} same
 * @returns {Annotation[]}
 */
export function reconcile(before, after, same) {
  const known = new Map(before.map((annotation) => [annotation.id, annotation]));
  return after.map((annotation) => {
    const old = known.get(annotation.id);
    return old && same(old.mask, annotation.mask) ? { ...annotation, mask: old.mask } : annotation;
  });
}
