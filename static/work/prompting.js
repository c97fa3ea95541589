/** The object in progress: prompts go out, candidates come back. */

import { createLatest, requestId } from "../data/api.js";
import { viewOf } from "./detail.js";
import { equal } from "../canvas/rle.js";
import {
  NO_DRAFT,
  advance,
  distinctCandidates,
  newStep,
  patchStep,
  redoStep,
  shownMask,
  undoStep,
  withCandidate,
  withPrompts,
} from "../data/state.js";

const MAX_POINTS = 64;
const SLOW_LINKS = new Set(["slow-2g", "2g", "3g"]);
const SLOW_REPLY_MS = 700;
const SAVE_MS = 300;

/** @typedef {{key: string, reply: Promise<any>}} Early */

/**
 * @param {{store: any, api: any, toast: (text: string, options?: any) => void,
 *   drafts: {load: () => Map<string, import("../data/state.js").Draft>, save: (drafts: Map<string, any>) => void}}} context  `drafts`:
 *   what outlives the page
 */
export function createPrompting({ store, api, toast, drafts }) {
  /** Drafts of images that were left, by image id. */
  const parked = drafts.load();
  /** When the prompt of a step was made, by step id. @type {Map<number, number>} */
  const started = new Map();
  /** This page's pointer, among those of other pages. */
  const pointer = requestId();
  /** Steps on their way to an answer, by step id. @type {Map<number, Promise<import("../data/state.js").Step | null>>} */
  const asked = new Map();
  /** The last request made before its click: for the place under the pointer, or for a press. @type {Early | null} */
  let early = null;
  let slowReplies = 0;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let saving;

  const draft = () => store.get().draft;
  const setDraft = (/** @type {import("../data/state.js").Draft} */ next) => store.set({ draft: next, hover: null });
  const busy = (/** @type {number} */ by) => store.set({ busy: store.get().busy + by });

  function save() {
    clearTimeout(saving);
    saving = undefined;
    const { image } = store.get();
    const all = new Map(parked);
    if (image && draft().now) all.set(image.id, draft());
    drafts.save(all);
  }
  store.watch(["draft"], (/** @type {any} */ { draft: next }) => {
    if (next.now) saving ??= setTimeout(save, SAVE_MS);
    else save(); // at once: what was kept must not come back
  });

  /** What a step asks. @param {import("../data/state.js").Step} step */
  const questionOf = (step) => ({
    points: step.points,
    box: step.box,
    refine: step.base,
    mask: step.start,
    view: viewOf(store.get()),
  });
  const keyOf = (/** @type {string} */ imageId, /** @type {any} */ question) => imageId + JSON.stringify(question);

  /**
   * Asks ahead of the click.
   * @param {string} imageId
   * @param {any} question
   * @param {"click" | "hover"} kind
   * @param {any} [options]
   * @returns {Promise<import("../data/state.js").Reply>}
   */
  function askEarly(imageId, question, kind, options) {
    const reply = api.post(`/images/${imageId}/prompt`, { ...question, kind, client: pointer }, options);
    reply.catch(() => {});
    early = { key: keyOf(imageId, question), reply };
    return reply;
  }

  /**
   * @param {string} imageId
   * @param {import("../data/state.js").Step} step
   * @returns {Promise<import("../data/state.js").Reply>}
   */
  async function fetchReply(imageId, step) {
    const path = `/images/${imageId}/prompt`;
    const body = questionOf(step);
    const known = early?.key === keyOf(imageId, body) ? early.reply : Promise.reject();
    early = null;
    try {
      return await known.catch(() => api.post(path, body));
    } catch (error) {
      if (!step.base || error.status === 0 || error.status >= 500) throw error;
      return await api.post(path, { ...body, refine: null }); // the mask says as much
    }
  }

  function request() {
    const { image } = store.get();
    const step = draft().now;
    if (!image || !step || step.answered || asked.has(step.id)) return;
    asked.set(
      step.id,
      answer(image.id, step).finally(() => asked.delete(step.id)),
    );
  }

  /**
   * @param {string} imageId
   * @param {import("../data/state.js").Step} step
   * @returns {Promise<import("../data/state.js").Step | null>} the step with its answer; null, and said so, when there is none
   */
  async function answer(imageId, step) {
    busy(1);
    try {
      const reply = distinctCandidates(await fetchReply(imageId, step), equal);
      const found = reply.candidates.findIndex((candidate) => candidate.mask.w > 0);
      const fields = { reply, answered: true, index: Math.max(0, found), edited: null };
      if (store.get().image?.id === imageId) store.set({ draft: patchStep(draft(), step.id, fields) });
      const left = parked.get(imageId);
      if (left) parked.set(imageId, patchStep(left, step.id, fields));
      return { ...step, ...fields };
    } catch (error) {
      toast(`No mask for this prompt: ${error.message}`, { kind: "error" });
      if (draft().now?.id === step.id) setDraft({ ...undoStep(draft()), future: [] });
      return null;
    } finally {
      busy(-1);
    }
  }

  /**
   * @param {Partial<import("../data/state.js").Prompts>} prompts
   * @param {{refine: boolean, at: number}} options  `at`: time stamp of the pointer or key event
   */
  function change(prompts, { refine, at }) {
    setDraft(withPrompts(draft(), prompts, { refine }));
    started.set(/** @type {any} */ (draft().now).id, at);
    hover.cancel();
    request();
  }

  const hover = createLatest(
    async (/** @type {{imageId: string, x: number, y: number}} */ wish) => {
      const begin = performance.now();
      const question = questionOf(newStep({ points: [[wish.x, wish.y, 1]] }));
      const reply = await askEarly(wish.imageId, question, "hover", { retry: "never" });
      slowReplies = performance.now() - begin > SLOW_REPLY_MS ? slowReplies + 1 : 0;
      return reply;
    },
    (reply, wish) => {
      const { image, draft: current, review } = store.get();
      if (image?.id === wish.imageId && !current.now && !review) store.set({ hover: reply.candidates[0]?.mask ?? null });
    },
  );

  const linkIsSlow = () => {
    const link = /** @type {any} */ (navigator).connection;
    return slowReplies > 3 || link?.saveData || SLOW_LINKS.has(link?.effectiveType);
  };

  const onImage = (/** @type {number} */ x, /** @type {number} */ y) => {
    const { image } = store.get();
    return image && x >= 0 && y >= 0 && x < image.width && y < image.height;
  };
  const pointsWith = (/** @type {number[]} */ point) => [...(draft().now?.points ?? []), point];

  return {
    /** @param {import("../data/state.js").Step} step @returns {Promise<import("../data/state.js").Step | null>} the step with its answer */
    answered: async (step) => (step.answered ? step : ((await asked.get(step.id)) ?? null)),
    /**
     * A pointer went down where a point may follow: asks already, so that the answer is there when it goes up.
     * @param {number} x image
     * @param {number} y
     * @param {0 | 1} label
     */
    anticipate(x, y, label) {
      if (!onImage(x, y)) return;
      hover.cancel();
      const step = withPrompts(draft(), { points: pointsWith([x, y, label]) }, { refine: true }).now;
      const question = questionOf(/** @type {any} */ (step));
      const imageId = store.get().image.id;
      if (early?.key !== keyOf(imageId, question)) askEarly(imageId, question, "click");
    },
    /**
     * @param {number} x image
     * @param {number} y
     * @param {0 | 1} label
     * @param {number} at
     */
    addPoint(x, y, label, at) {
      if (!onImage(x, y)) return;
      const points = pointsWith([x, y, label]);
      if (points.length > MAX_POINTS) return toast(`An object takes at most ${MAX_POINTS} points.`);
      change({ points }, { refine: true, at });
    },
    /**
     * @param {number[]} box
     * @param {number} at
     */
    setBox(box, at) {
      change({ box }, { refine: false, at });
    },
    /** @param {number | "box"} which */
    remove(which) {
      const { now } = draft();
      if (!now) return;
      const points = now.points.filter((/** @type {any} */ _, /** @type {number} */ index) => index !== which);
      const box = which === "box" ? null : now.box;
      if (points.some((/** @type {number[]} */ point) => point[2] === 1) || box || now.annotationId) {
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
     * @param {import("../canvas/rle.js").Mask} mask
     */
    edit(mask) {
      const { now } = draft();
      if (now) setDraft(advance(draft(), newStep({ ...now, edited: mask, answered: true })));
    },
    /**
     * Takes a kept object up again: its prompts come back, its mask is the start.
     * @param {import("../data/state.js").Annotation} annotation
     */
    correct(annotation) {
      if (!store.get().photoReady) return; // a parked draft may be on its way back
      const { points = [], box = null } = annotation.prompts ?? {};
      const { id, mask } = annotation;
      const step = newStep({ points, box, edited: mask, answered: true, annotationId: id, origin: mask });
      setDraft({ past: [], now: step, future: [] });
    },
    /** @param {number} x image @param {number} y */
    hover(x, y) {
      const { image, view, draft: current, review, tool } = store.get();
      const wanted = view.hover && image?.embedding === "ready" && !current.now && !review && tool === "add" && !linkIsSlow();
      if (wanted && onImage(x, y)) hover.ask({ imageId: image.id, x, y });
      else this.endHover();
    },
    endHover() {
      hover.cancel();
      if (store.get().hover) store.set({ hover: null });
    },
    save,
    /** Leaves the image; its object in progress waits for the return. @param {string} imageId */
    park(imageId) {
      if (draft().now) parked.set(imageId, draft());
      setDraft(NO_DRAFT);
    },
    /**
     * Takes back a draft that could not be kept: it is in progress again, or waits on its image.
     * @param {any} image @param {import("../data/state.js").Draft} kept
     */
    giveBack(image, kept) {
      const { image: open, photoReady } = store.get();
      if (open?.id === image.id && photoReady) {
        if (!draft().now) setDraft(kept);
      } else if (!parked.has(image.id)) {
        parked.set(image.id, kept);
        if (open?.id !== image.id) toast(`What was not kept waits on ${image.name}.`);
      }
    },
    /** @param {string} imageId */
    unpark(imageId) {
      setDraft(parked.get(imageId) ?? NO_DRAFT);
      parked.delete(imageId);
      request();
    },
    /** To be called after each drawn frame: measures prompt to paint. @param {number} now */
    painted(now) {
      const step = draft().now;
      const at = step && step.answered && shownMask(step) ? started.get(step.id) : undefined;
      if (step === null || at === undefined) return;
      started.delete(step.id);
      store.set({ timing: { ...step.reply?.timing, paint: now - at } });
    },
  };
}
