/** Keeps what is in progress: new objects in one step of the history, and corrections of kept ones. */

import { area, equal } from "../data/rle.js";
import { requestId } from "../data/api.js";
import { draftOf, shownMask, undoStep } from "../data/draft.js";
import { NO_PROGRESS, draftsOf, progressOf } from "../data/progress.js";

/** @import { Annotation, BoundingBox, CorrectionReply, Draft, Image, ImageDocument, KeepReply, Mask, Prompts, Step, Store, Toast } from "../data/types.d.ts" */
/** @import { Document } from "./document.js" */
/** @import { Labels } from "./labels.js" */
/** @import { Prompting } from "./prompting.js" */

/** An object to keep; `before`: the kept one that it corrects. @typedef {{step: Step, mask: Mask, before: Annotation | null}} Finished */

/**
 * @param {{store: Store, document: Document, labels: Pick<Labels, "chosen">, toast: Toast,
 *   prompting: Pick<Prompting, "answered" | "giveBack">}} context
 */
export function createKeeping({ store, document, labels, toast, prompting }) {
  const { commit } = document;
  const isOpen = (/** @type {Image} */ image) => store.get().image?.id === image.id;
  /** @param {Image} image @param {Finished[]} finished @param {number} labelId @returns {Promise<KeepReply | ImageDocument | null>} */
  function keepNew(image, finished, labelId) {
    const objects = finished.map(({ step, mask }) => ({
      label_id: labelId,
      mask,
      score: step.edited ? null : (step.reply?.candidates[step.index].score ?? null),
      source: /** @type {Annotation["source"]} */ (step.edited ? "edit" : "prompt"),
      prompts: { points: step.points, box: step.box },
    }));
    const pending = objects.map((fields) => ({
      ...fields,
      ...measured(fields.mask),
      id: `pending-${requestId()}`,
      image_id: image.id,
      pending: true,
    }));
    const edit = (/** @type {Annotation[]} */ list) => [...list, ...pending];
    if (objects.length > 1) {
      const failed = "The objects could not be kept";
      return commit(image.id, { method: "POST", path: "/annotations/many", body: { objects }, failed, edit });
    }
    return commit(image.id, {
      method: "POST",
      path: "/annotations",
      body: objects[0],
      failed: "The object could not be kept",
      edit,
      outcome:
        (/** @type {KeepReply} */ { annotation }) =>
        (list) => [...list, { ...annotation, mask: objects[0].mask }],
    });
  }

  /**
   * @param {Image} image
   * @param {Annotation} before
   * @param {{mask: Mask, prompts?: Prompts, source?: Annotation["source"]}} fields
   * @param {string} failed
   * @param {boolean} [overtaken]  whether another tab's mask gives way, as far as this page knows
   */
  async function correct(image, { id, mask: expected }, fields, failed, overtaken = false) {
    const { mask } = fields;
    const changed = (/** @type {Partial<Annotation>} */ values) => (/** @type {Annotation[]} */ list) =>
      list.map((item) => (item.id === id ? { ...item, ...values, mask } : item));
    const reply = await commit(image.id, {
      method: "PATCH",
      path: `/annotations/${id}`,
      body: fields,
      failed,
      edit: changed({ ...fields, ...measured(mask) }),
      outcome: (/** @type {CorrectionReply} */ { annotation }) => changed(annotation),
    });
    if (reply && (overtaken || (reply.replaced && !equal(reply.replaced, expected))))
      toast("Another tab changed this object meanwhile: Ctrl+Z brings its mask back.");
    return reply;
  }

  /** @param {Image} image @param {Annotation} before @param {Finished} finished @returns {Promise<boolean>} whether it was kept */
  async function keepCorrection(image, before, { step, mask }) {
    if (isOpen(image)) store.set({ selection: [before.id] });
    const overtaken = document.isForeign(before) && !isSame(before.mask, step.origin);
    if (equal(mask, before.mask) || (overtaken && isSame(mask, step.origin))) return true;
    const fields = { mask, prompts: { points: step.points, box: step.box } };
    return (await correct(image, before, fields, "The correction was not kept", overtaken)) !== null;
  }

  /** @returns {Promise<boolean>} whether all that is in progress is kept; what is not is in progress again where that is possible */
  async function keepAll() {
    const { image, annotations } = store.get();
    const drafts = draftsOf(progressOf(store.get()));
    if (!image || !drafts.length) return true;
    const corrected = drafts.map(({ now }) => annotations.find((item) => item.id === now?.annotationId) ?? null);
    const label = corrected.every(Boolean) ? null : labels.chosen();
    store.set({ ...NO_PROGRESS, hover: null });

    /** @type {Draft[]} */
    const back = [];
    /** @type {Finished[]} */
    const finished = [];
    const steps = await Promise.all(drafts.map(({ now }) => now && prompting.answered(now)));
    for (const [at, draft] of drafts.entries()) {
      const step = steps[at];
      const mask = shownMask(step);
      if (!step) back.push({ ...undoStep(draft), future: [] });
      else if (!mask?.w) back.push({ ...draft, now: step });
      else finished.push({ step, mask, before: corrected[at] });
    }
    if (back.some(({ now }) => now?.answered))
      toast(drafts.length > 1 ? "A mask is empty: add a point on its object, or delete it." : "The mask is empty: add a point on the object.");

    const made = finished.filter(({ before }) => !before);
    const labelId = await label;
    if (made.length && (labelId === null || !(await keepNew(image, made, labelId))))
      back.push(...made.map(({ step }) => draftOf(step)));
    for (const one of finished)
      if (one.before && !(await keepCorrection(image, one.before, one))) back.push(draftOf(one.step));
    const left = back.filter(({ now }) => now);
    const last = left.pop();
    if (last) prompting.giveBack(image, { draft: last, others: left });
    return back.length === 0;
  }

  return { keepAll, correct };
}

/** @param {Mask} mask @param {Mask | null} other */
const isSame = (mask, other) => other !== null && equal(mask, other);

/** @param {Mask} mask @returns {{area: number, bbox: BoundingBox}} */
const measured = (mask) => ({ area: area(mask), bbox: [mask.x, mask.y, mask.w, mask.h] });
