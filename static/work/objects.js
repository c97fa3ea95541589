/**
 * Kept objects: what the server's journal says, and on top of it, until they are acknowledged, the changes on their way.
 */

import { requestId } from "../data/api.js";
import { area, equal } from "../canvas/rle.js";
import { NO_DRAFT, reconcile, shownMask, undoStep } from "../data/state.js";

/** @typedef {import("../data/state.js").Annotation} Annotation */
/** @typedef {import("../data/state.js").Step} Step */
/** @typedef {(list: Annotation[]) => Annotation[]} Edit  what a change makes of the objects */

/**
 * @param {{store: any, api: any, outbox: any, labels: {chosen: () => Promise<number | null>, load: () => Promise<void>},
 *   toast: (text: string, options?: any) => void, prompting: {answered: (step: Step) => Promise<Step | null>,
 *   giveBack: (image: any, draft: import("../data/state.js").Draft) => void}}} context  `answered` waits for the mask of a step
 */
export function createObjects({ store, api, outbox, labels, toast, prompting }) {
  /** The image as the server last told it. @type {{imageId: string | null, annotations: Annotation[], history: any}} */
  let known = { imageId: null, annotations: [], history: { revision: -1, undo: null, redo: null } };
  /** Changes on their way, the oldest first. @type {{imageId: string, edit: Edit}[]} */
  let ahead = [];
  /** Masks that another tab gave to objects shown here. @type {WeakSet<import("../canvas/rle.js").Mask>} */
  const foreign = new WeakSet();
  let walking = Promise.resolve();
  /** Objects being kept, from the key on: their masks may still be on their way. @type {Set<Promise<boolean>>} */
  const keeping = new Set();
  const current = (/** @type {string} */ imageId) => store.get().image?.id === imageId;

  /** Shows what is known and what is on its way. */
  function draw() {
    const { imageId } = known;
    const state = store.get();
    if (!imageId || !current(imageId)) return;
    const waiting = ahead.filter((change) => change.imageId === imageId);
    const annotations = waiting.reduce((list, change) => change.edit(list), known.annotations);
    const ids = new Set(annotations.map((item) => item.id));
    const status = state.image.status === "new" && annotations.length ? "in_progress" : state.image.status;
    const counted = { annotations: annotations.length, status };
    store.set({
      annotations,
      history: known.history,
      image: { ...state.image, ...counted },
      images: state.images.map((/** @type {any} */ item) => (item.id === imageId ? { ...item, ...counted } : item)),
      selection: state.selection.filter((/** @type {string} */ id) => ids.has(id)),
    });
  }

  /** @param {any} document  the server's whole view of one image @returns {void | Promise<void>} when it is shown */
  function show(document) {
    const ids = new Set(store.get().labels.map((/** @type {any} */ label) => label.id));
    if (document.annotations.every((/** @type {Annotation} */ item) => ids.has(item.label_id))) return place(document);
    const loaded = labels.load().catch(() => {}); // another tab made a label
    return loaded.then(() => place(document));
  }

  /** @param {any} document  ignored when it was overtaken on its way */
  function place({ image, annotations, history }) {
    if (!current(image.id)) return;
    if (known.imageId !== image.id) known = { imageId: image.id, annotations, history };
    else if (history.revision < known.history.revision) return draw();
    else known = { imageId: image.id, annotations: reconcile(known.annotations, annotations, equal), history };
    store.set({ image: { ...store.get().image, ...image } });
    draw();
  }

  /** @param {string} imageId */
  async function fetchAgain(imageId) {
    const document = await api.get(`/images/${imageId}/document`, { retry: "never" });
    const shown = [...known.annotations, ...store.get().annotations];
    for (const { id, mask } of document.annotations) {
      const masks = shown.flatMap((item) => (item.id === id ? [item.mask] : []));
      if (masks.length && !masks.some((own) => equal(own, mask))) foreign.add(mask);
    }
    await show(document);
  }

  /** @param {string} imageId @param {any} history  after the change @param {Edit} edit */
  function settle(imageId, history, edit) {
    if (known.imageId !== imageId) return;
    const next = known.history.revision + 1;
    if (history.revision >= next) known = { imageId, annotations: edit(known.annotations), history };
    if (history.revision > next) void fetchAgain(imageId).catch(() => {}); // another tab was there in between
  }

  /**
   * Sends a change, which may arrive twice; what it does is shown at once.
   * @param {string} imageId
   * @param {[method: string, tail: string, body: any]} request  `tail` of the path, after the image
   * @param {string} failed  what to say before the reason when it is refused
   * @param {Edit} edit
   * @param {(reply: any) => Edit} [settled]  what it turned out to do
   * @returns {Promise<any>} the reply; null, and said so, when the change was refused
   */
  async function commit(imageId, [method, tail, body], failed, edit, settled = () => edit) {
    const change = { imageId, edit };
    ahead = [...ahead, change];
    draw();
    const path = `/images/${imageId}/annotations${tail}`;
    try {
      const reply = await outbox.push({ method, path, body: { ...body, request_id: requestId() } });
      ahead = ahead.filter((other) => other !== change);
      if (reply.annotations) show(reply);
      else settle(imageId, reply.history, settled(reply));
      draw();
      return reply;
    } catch (error) {
      ahead = ahead.filter((other) => other !== change);
      draw();
      toast(`${failed}: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      await fetchAgain(imageId).catch(() => {});
      return null;
    }
  }

  /** @param {string} imageId @param {Step} step @param {import("../canvas/rle.js").Mask} mask @param {number} labelId */
  function keepNew(imageId, step, mask, labelId) {
    const fields = {
      label_id: labelId,
      mask,
      score: step.edited ? null : (step.reply?.candidates[step.index].score ?? null),
      source: step.edited ? "edit" : "prompt",
      prompts: { points: step.points, box: step.box },
    };
    const { x, y, w, h } = mask;
    const place = { id: `pending-${requestId()}`, image_id: imageId, area: area(mask), bbox: [x, y, w, h] };
    const appended = (/** @type {any} */ item) => (/** @type {Annotation[]} */ list) => [...list, item];
    return commit(
      imageId,
      ["POST", "", fields],
      "The object could not be kept",
      appended({ ...fields, ...place, pending: true }),
      (reply) => appended({ ...reply.annotation, mask }),
    );
  }

  /** @param {string} imageId @param {Annotation} before @param {any} fields @param {string} failed @param {boolean} [overtaken] */
  async function correct(imageId, { id, mask: expected }, fields, failed, overtaken = false) {
    const { mask } = fields;
    const measured = { area: area(mask), bbox: [mask.x, mask.y, mask.w, mask.h] };
    const changed = (/** @type {any} */ values) => (/** @type {Annotation[]} */ list) =>
      list.map((item) => (item.id === id ? { ...item, ...values, mask } : item));
    const reply = await commit(imageId, ["PATCH", `/${id}`, fields], failed, changed({ ...fields, ...measured }), (answer) =>
      changed(answer.annotation),
    );
    if (reply && (overtaken || (reply.replaced && !equal(reply.replaced, expected))))
      toast("Another tab changed this object meanwhile: Ctrl+Z brings its mask back.");
    return reply;
  }

  /** @returns {Promise<boolean>} whether the object in progress is kept now; else it is in progress again, if it can be */
  async function keepDraft() {
    const { image, draft, annotations } = store.get();
    if (!image || !draft.now) return true;
    const goBack = (/** @type {import("../data/state.js").Draft} */ to) => {
      prompting.giveBack(image, to);
      return false;
    };
    const corrected = annotations.find((/** @type {Annotation} */ item) => item.id === draft.now.annotationId);
    const label = corrected ? null : labels.chosen();
    store.set({ draft: NO_DRAFT, hover: null });
    const step = await prompting.answered(draft.now);
    if (!step) return goBack({ ...undoStep(draft), future: [] });
    const mask = shownMask(step);
    if (!mask?.w) {
      toast("The mask is empty: add a point on the object.");
      return goBack({ ...draft, now: step });
    }
    let kept = null;
    if (corrected) {
      if (current(image.id)) store.set({ selection: [corrected.id] });
      const overtaken = foreign.has(corrected.mask) && !equal(corrected.mask, step.origin);
      if (equal(mask, corrected.mask) || (overtaken && equal(mask, step.origin))) return true;
      const fields = { mask, prompts: { points: step.points, box: step.box } };
      kept = await correct(image.id, corrected, fields, "The correction was not kept", overtaken);
    } else {
      const labelId = await label;
      if (labelId !== null) kept = await keepNew(image.id, step, mask, labelId);
    }
    return kept ? true : goBack({ past: [], now: step, future: [] });
  }

  /** @returns {Promise<boolean>} when the server has everything; whether everything was kept */
  async function settled() {
    const kept = await Promise.all(keeping);
    await outbox.idle();
    return kept.every(Boolean);
  }

  /** One step after the other, however fast the key is pressed. @param {"undo" | "redo"} direction */
  function walk(direction) {
    const { image } = store.get();
    if (image) walking = walking.then(() => step(direction, image));
    return walking;
  }

  /** @param {"undo" | "redo"} direction @param {any} image  the one that was open when the key was pressed */
  async function step(direction, image) {
    if (!(await settled())) return; // what was meant has not come about
    if (!current(image.id)) return toast(`${image.name} was left before its changes were saved: nothing was ${direction}ne.`);
    const { [direction]: word, revision } = known.history;
    if (known.imageId !== image.id || !word) return toast(`There is nothing to ${direction}.`);
    store.set({ busy: store.get().busy + 1 });
    try {
      show(await api.post(`/images/${image.id}/${direction}`, { revision }));
      toast(`${direction === "undo" ? "Undone" : "Redone"}: ${word}`, { quiet: true });
    } catch (error) {
      toast(`Could not ${direction}: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      await fetchAgain(image.id).catch(() => {});
    } finally {
      store.set({ busy: store.get().busy - 1 });
    }
  }

  /** @param {string[]} ids @returns {Annotation[]} those objects; none, and said so, while one is not saved yet */
  function saved(ids) {
    const wanted = store.get().annotations.filter((/** @type {Annotation} */ item) => ids.includes(item.id));
    if (!wanted.some((/** @type {Annotation} */ item) => item.pending)) return wanted;
    toast("This object is still on its way to the server: try again in a moment.");
    return [];
  }
  const selectedIds = () => saved(store.get().selection).map((item) => item.id);
  const same = (/** @type {Annotation[]} */ list) => list;

  return {
    show,
    settled,
    /** Keeps the object in progress, or the correction of a kept one; the next click begins the next object. */
    async keep() {
      const kept = keepDraft();
      keeping.add(kept);
      await kept.finally(() => keeping.delete(kept));
    },
    /** @param {string[]} ids */
    async remove(ids) {
      const { image } = store.get();
      const gone = new Set(saved(ids).map((item) => item.id));
      if (!gone.size) return;
      const left = (/** @type {Annotation[]} */ list) => list.filter((item) => !gone.has(item.id));
      const reply = await commit(image.id, ["POST", "/delete", { ids: [...gone] }], "Nothing was deleted", left);
      if (!reply) return;
      const { revision } = reply.history;
      const undo = () => {
        if (!current(image.id)) return toast(`This was on ${image.name}: open it again, and Ctrl+Z takes it back.`);
        if (known.history.revision === revision) return walk("undo");
        return toast("There were changes after it: Ctrl+Z takes them back one by one.");
      };
      toast(gone.size > 1 ? `${gone.size} objects deleted.` : "Object deleted.", { quiet: true, action: ["Undo", undo] });
    },
    /** @param {number} labelId */
    async relabel(labelId) {
      const { image, selection } = store.get();
      if (!selection.length) return;
      const ids = saved(selection).flatMap((item) => (item.label_id === labelId ? [] : [item.id]));
      if (!ids.length) return;
      await commit(image.id, ["POST", "/relabel", { ids, label_id: labelId }], "The label was not changed", (list) =>
        list.map((item) => (ids.includes(item.id) ? { ...item, label_id: labelId } : item)),
      );
    },
    /** @param {string} id @param {import("../canvas/rle.js").Mask} mask */
    async editMask(id, mask) {
      const [item] = saved([id]);
      if (item) await correct(store.get().image.id, item, { mask }, "The edit was not kept");
    },
    async merge() {
      const { image, selection } = store.get();
      if (selection.length < 2)
        return toast("Select two or more objects first: Shift+click in the list, Ctrl+click on the image.");
      const ids = selectedIds();
      if (ids.length) await commit(image.id, ["POST", "/merge", { ids }], "The objects could not be merged", same);
    },
    async split() {
      const { image } = store.get();
      const ids = selectedIds();
      if (ids.length) await commit(image.id, ["POST", "/split", { ids }], "Nothing was split", same);
    },
    /** @param {number} pixels  holes and specks smaller than this go */
    async clean(pixels) {
      const { image } = store.get();
      const ids = selectedIds();
      if (!ids.length) return;
      const body = { ids, fill_holes: pixels, drop_specks: pixels };
      const before = known.history.revision;
      const reply = await commit(image.id, ["POST", "/clean", body], "Nothing was cleaned", same);
      if (reply?.history.revision === before) toast(`There are no holes or specks of up to ${pixels} pixels.`, { quiet: true });
    },
    undo: () => walk("undo"),
    redo: () => walk("redo"),
    /** Looks whether another tab changed this image. */
    async refresh() {
      const { image } = store.get();
      if (!image || ahead.length || known.imageId !== image.id) return;
      const latest = await api.get(`/images/${image.id}/history`, { retry: "never" });
      if (latest.revision > known.history.revision) await fetchAgain(image.id);
    },
  };
}
