/** The objects in progress: a change of their prompts is a step, and each step gets its candidates from the server. */

import { draftAt } from "../canvas/hits.js";
import { masksByScore, overlappingPixels } from "../canvas/overlaps.js";
import { equal } from "../data/rle.js";
import { advance, distinctCandidates, draftOf, newStep, shownMask, withCandidate, withPrompts } from "../data/draft.js";
import {
  NO_PROGRESS,
  draftsOf,
  dropInHand,
  goOn,
  patchProgress,
  progressOf,
  redoFirst,
  setAside,
  takeUp,
  undoLast,
  withMasks,
  withoutStep,
} from "../data/progress.js";
import { createPromptRequests } from "./requests.js";
import { createPreview } from "./preview.js";

/** @import { Annotation, Box, Draft, Image, Mask, Progress, Prompts, Step, Store, Toast } from "../data/types.d.ts" */
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
  const preview = createPreview({ store, requests, beginsAnother: (x, y) => !aim(x, y, 1).draft.now });
  /** When the prompt of a step was made, by step id. @type {Map<number, number>} */
  const started = new Map();
  /** Steps on their way to an answer, by step id. @type {Map<number, Promise<Step | null>>} */
  const asked = new Map();

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pressing;
  /** What Escape dropped last, if it was several objects. @type {{imageId: string, revision: number, progress: Progress} | null} */
  let dropped = null;
  /** What was said then. @type {ReturnType<Toast> | undefined} */
  let message;

  const draft = () => store.get().draft;
  const progress = () => progressOf(store.get());
  const setDraft = (/** @type {Draft} */ next) => store.set({ draft: next, hover: null });
  const setProgress = (/** @type {Progress} */ next) => store.set({ ...next, hover: null });
  const busy = (/** @type {number} */ by) => store.set({ busy: store.get().busy + by });

  /** Asks for the candidates of the steps shown, unless they are there or on their way. */
  function request() {
    const { image } = store.get();
    for (const { now: step } of draftsOf(progress())) {
      if (!image || !step || step.answered || asked.has(step.id)) continue;
      asked.set(
        step.id,
        answer(image.id, step).finally(() => asked.delete(step.id)),
      );
    }
  }
  store.watch(["draft"], ({ draft: { now } }) => {
    if (now) dropped = null;
  });
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
      parking.change(imageId, patchProgress(parking.of(imageId), step.id, fields));
      return { ...step, ...fields };
    } catch (error) {
      toast(`No mask for this prompt: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      setProgress(withoutStep(progress(), step.id));
      return null;
    } finally {
      busy(-1);
    }
  }

  /**
   * Changes the prompts of the object in hand.
   * @param {Progress} aimed
   * @param {Partial<Prompts>} prompts
   * @param {{refine: boolean, at: number}} options  `at`: time stamp of the pointer or key event
   */
  function change(aimed, prompts, { refine, at }) {
    const next = withPrompts(aimed.draft, prompts, { refine });
    clearTimeout(pressing);
    setProgress(goOn(aimed, next));
    started.set(next.now.id, at);
    preview.cancel();
    request();
  }

  /** @param {number} x @param {number} y */
  function isOnImage(x, y) {
    const { image } = store.get();
    return image !== null && x >= 0 && y >= 0 && x < image.width && y < image.height;
  }
  const pointsOf = (/** @type {Progress} */ aimed) => aimed.draft.now?.points ?? [];

  /**
   * @param {number} x
   * @param {number} y
   * @param {0 | 1} label
   * @returns {Progress} with the object in hand to which a point belongs: in the mode "many" the one that it lies on, or a new one
   */
  function aim(x, y, label) {
    const now = progress();
    if (!store.get().many) return now;
    const hit = draftAt(now, x, y);
    if (hit) return takeUp(now, hit);
    return label ? setAside(now) : now;
  }

  return {
    /** Gives the pixels that several objects claim to the best-scored one. */
    settleOverlaps() {
      const steps = draftsOf(progress()).flatMap(({ now }) => now ?? []);
      setProgress(withMasks(progress(), masksByScore(steps)));
      const left = overlappingPixels(progress());
      if (left) toast("An object lies within a better-scored one, and was left as it is.");
    },
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
      const aimed = aim(x, y, label);
      const step = withPrompts(aimed.draft, { points: [...pointsOf(aimed), [x, y, label]] }, { refine: true }).now;
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
      const aimed = aim(x, y, label);
      if (pointsOf(aimed).length >= MAX_POINTS) return void toast(`An object takes at most ${MAX_POINTS} points.`);
      change(aimed, { points: [...pointsOf(aimed), [x, y, label]] }, { refine: true, at });
    },
    /**
     * @param {Box} box
     * @param {number} at
     */
    setBox(box, at) {
      change(store.get().many ? setAside(progress()) : progress(), { box }, { refine: false, at });
    },
    /** @param {number | "box"} which */
    remove(which) {
      const { now } = draft();
      if (!now) return;
      const points = now.points.filter((_, index) => index !== which);
      const box = which === "box" ? null : now.box;
      if (points.some(([, , label]) => label === 1) || box || now.annotationId) {
        change(progress(), { points, box }, { refine: false, at: performance.now() });
      } else this.dropInHand();
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
      setProgress(undoLast(progress()));
      request();
    },
    redo() {
      setProgress(redoFirst(progress()));
      request();
    },
    dropInHand() {
      setProgress(dropInHand(progress()));
    },
    /** Drops all objects in progress. Several can be had back. */
    drop() {
      const { image, history } = store.get();
      const count = draftsOf(progress()).length;
      dropped = image && count > 1 ? { imageId: image.id, revision: history.revision, progress: progress() } : null;
      setProgress(NO_PROGRESS);
      if (dropped) message = toast(`${count} objects dropped.`, { quiet: true, action: ["Undo", () => this.undoDrop()] });
    },
    /** @returns {boolean} whether the objects dropped last are back; not after other changes of the image */
    undoDrop() {
      const { image, history, draft: now } = store.get();
      const back = dropped?.imageId === image?.id && dropped?.revision === history.revision && !now.now ? dropped : null;
      dropped = null;
      if (back) {
        setProgress(back.progress);
        message?.close();
      }
      return back !== null;
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
     * Takes back what could not be kept: it is in progress again, or waits on its image.
     * @param {Image} image @param {Progress} kept
     */
    giveBack(image, kept) {
      const { draft: begun, others } = parking.of(image.id); // meanwhile
      parking.change(image.id, begun.now ? { draft: begun, others: [...others, ...draftsOf(kept)] } : kept);
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
