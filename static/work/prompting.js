/** The object in progress: a change of its prompts is a step, and each step gets its candidates from the server. */

import { equal } from "../canvas/rle.js";
import {
  NO_DRAFT,
  advance,
  distinctCandidates,
  draftOf,
  newStep,
  patchStep,
  redoStep,
  shownMask,
  undoStep,
  withCandidate,
  withPrompts,
} from "../data/draft.js";
import { createPromptRequests } from "./requests.js";
import { createPreview } from "./preview.js";

/** @import { Annotation, Box, Draft, Image, Mask, Point, Prompts, Step, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Parking } from "../data/parking.js" */

/** @typedef {ReturnType<typeof createPrompting>} Prompting */

const MAX_POINTS = 64;
/** A press that has not moved for this long will hardly become a box. */
const PRESS_MS = 40;

/**
 * @param {{store: Store, api: Api, parking: Parking, toast: Toast}} context
 */
export function createPrompting({ store, api, parking, toast }) {
  const requests = createPromptRequests({ store, api });
  const preview = createPreview({ store, requests });
  /** When the prompt of a step was made, by step id. @type {Map<number, number>} */
  const started = new Map();
  /** Steps on their way to an answer, by step id. @type {Map<number, Promise<Step | null>>} */
  const asked = new Map();

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pressing;

  const draft = () => store.get().draft;
  const setDraft = (/** @type {Draft} */ next) => store.set({ draft: next, hover: null });
  const busy = (/** @type {number} */ by) => store.set({ busy: store.get().busy + by });

  /** Asks for the candidates of the step shown, unless they are there or on their way. */
  function request() {
    const { image } = store.get();
    const step = draft().now;
    if (!image || !step || step.answered || asked.has(step.id)) return;
    asked.set(
      step.id,
      answer(image.id, step).finally(() => asked.delete(step.id)),
    );
  }
  store.watch(["photoReady"], ({ photoReady }) => photoReady && request()); // a parked draft may wait for its answer

  /**
   * @param {string} imageId
   * @param {Step} step
   * @returns {Promise<Step | null>} the step with its answer; null when there is none, which a toast says
   */
  async function answer(imageId, step) {
    busy(1);
    try {
      const reply = distinctCandidates(await requests.fetchReply(imageId, step), equal);
      const found = reply.candidates.findIndex((candidate) => candidate.mask.w > 0);
      const fields = { reply, answered: true, index: Math.max(0, found), edited: null };
      const { image, detail } = store.get();
      if (image?.id === imageId && image.embedding === "failed" && !detail)
        store.set({ image: { ...image, embedding: "ready" } });
      parking.change(imageId, { draft: patchStep(parking.of(imageId).draft, step.id, fields) });
      return { ...step, ...fields };
    } catch (error) {
      toast(`No mask for this prompt: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      if (draft().now?.id === step.id) setDraft({ ...undoStep(draft()), future: [] });
      return null;
    } finally {
      busy(-1);
    }
  }

  /**
   * @param {Partial<Prompts>} prompts
   * @param {{refine: boolean, at: number}} options  `at`: time stamp of the pointer or key event
   */
  function change(prompts, { refine, at }) {
    const next = withPrompts(draft(), prompts, { refine });
    clearTimeout(pressing);
    setDraft(next);
    started.set(next.now.id, at);
    preview.cancel();
    request();
  }

  /** @param {number} x @param {number} y */
  function isOnImage(x, y) {
    const { image } = store.get();
    return image !== null && x >= 0 && y >= 0 && x < image.width && y < image.height;
  }
  /** @param {Point} point @returns {Point[]} */
  const pointsWith = (point) => [...(draft().now?.points ?? []), point];

  return {
    /** @param {Step} step @returns {Promise<Step | null>} the step with its answer */
    answered: async (step) => (step.answered ? step : ((await asked.get(step.id)) ?? null)),
    /**
     * The pointer went down where a point may follow. Asks soon, so that the answer is there when the pointer goes up.
     * @param {number} x
     * @param {number} y
     * @param {0 | 1} label
     */
    anticipate(x, y, label) {
      const { image } = store.get();
      if (!image || !isOnImage(x, y)) return;
      preview.cancel();
      const step = withPrompts(draft(), { points: pointsWith([x, y, label]) }, { refine: true }).now;
      clearTimeout(pressing);
      pressing = setTimeout(() => void requests.askEarly(image.id, step, "click"), PRESS_MS);
    },
    /** The press became a drag: no point follows. */
    endAnticipation() {
      clearTimeout(pressing);
      requests.cancelEarly();
    },
    /**
     * @param {number} x
     * @param {number} y
     * @param {0 | 1} label
     * @param {number} at
     */
    addPoint(x, y, label, at) {
      if (!isOnImage(x, y)) return;
      const points = pointsWith([x, y, label]);
      if (points.length > MAX_POINTS) return void toast(`An object takes at most ${MAX_POINTS} points.`);
      change({ points }, { refine: true, at });
    },
    /**
     * @param {Box} box
     * @param {number} at
     */
    setBox(box, at) {
      change({ box }, { refine: false, at });
    },
    /** @param {number | "box"} which */
    remove(which) {
      const { now } = draft();
      if (!now) return;
      const points = now.points.filter((_, index) => index !== which);
      const box = which === "box" ? null : now.box;
      if (points.some(([, , label]) => label === 1) || box || now.annotationId) {
        change({ points, box }, { refine: false, at: performance.now() });
      } else this.drop();
    },
    /** @param {number} by */
    cycle(by) {
      const { now } = draft();
      const count = now?.reply?.candidates.length ?? 0;
      if (now && count > 1) this.choose((now.index + by + count) % count);
    },
    /** @param {number} index */
    choose(index) {
      store.set({ draft: withCandidate(draft(), index) });
    },
    undo() {
      setDraft(undoStep(draft()));
      request();
    },
    redo() {
      setDraft(redoStep(draft()));
      request();
    },
    drop() {
      setDraft(NO_DRAFT);
    },
    /**
     * The mask was changed by hand.
     * @param {Mask} mask
     */
    edit(mask) {
      const { now } = draft();
      if (now) setDraft(advance(draft(), newStep({ ...now, edited: mask, answered: true })));
    },
    /**
     * Takes a kept object up again: its prompts come back, and its mask is the start.
     * @param {Annotation} annotation
     */
    correct({ id, mask, prompts }) {
      if (!store.get().photoReady) return; // a parked draft may be on its way back
      const { points = [], box = null } = prompts ?? {};
      setDraft(draftOf(newStep({ points, box, edited: mask, answered: true, annotationId: id, origin: mask })));
    },
    /** @param {number} x @param {number} y */
    hover(x, y) {
      if (isOnImage(x, y)) preview.show(x, y);
      else preview.end();
    },
    endHover: preview.end,
    /**
     * Takes back a draft that could not be kept: it is in progress again, or waits on its image.
     * @param {Image} image @param {Draft} kept
     */
    giveBack(image, kept) {
      if (parking.of(image.id).draft.now) return; // another object was begun meanwhile
      parking.change(image.id, { draft: kept });
      if (store.get().image?.id !== image.id) toast(`What was not kept waits on ${image.name}.`);
    },
    /** To be called after each drawn frame: measures prompt to paint. @param {number} now */
    painted(now) {
      const step = draft().now;
      const at = step?.answered && shownMask(step) ? started.get(step.id) : undefined;
      if (!step || at === undefined) return;
      started.delete(step.id);
      store.set({ timing: { ...step.reply?.timing, paint: now - at } });
    },
  };
}
