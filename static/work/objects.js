/** What a person does with kept objects: delete, relabel, edit, merge, split, clean, undo and redo. */

import { createDocument } from "./document.js";
import { createKeeping } from "./keeping.js";
import { otherThan } from "./team.js";

/** @import { Annotation, Image, Mask, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Labels } from "./labels.js" */
/** @import { Prompting } from "./prompting.js" */

/** @typedef {ReturnType<typeof createObjects>} Objects */

/**
 * @param {{store: Store, api: Api, outbox: Outbox, labels: Pick<Labels, "chosen" | "load">, toast: Toast,
 *   prompting: Pick<Prompting, "answered" | "giveBack">}} context
 */
export function createObjects({ store, api, outbox, labels, toast, prompting }) {
  const document = createDocument({ store, api, outbox, labels, toast });
  const { commit } = document;
  const { keepAll, correct } = createKeeping({ store, document, labels, toast, prompting });
  /** Undo and redo go one after the other, however fast the keys are pressed. */
  let lastStep = Promise.resolve();
  /** Objects being kept, from the key press on: their masks may still be on their way. @type {Set<Promise<boolean>>} */
  const keeping = new Set();
  const busy = (/** @type {number} */ by) => store.set({ busy: store.get().busy + by });
  const isOpen = (/** @type {Image} */ image) => store.get().image?.id === image.id;

  /** @returns {Promise<boolean>} when the server has everything: whether everything was kept */
  async function settled() {
    const kept = await Promise.all(keeping);
    await outbox.idle();
    return kept.every(Boolean);
  }

  /** @param {"undo" | "redo"} direction */
  function undoRedo(direction) {
    const { image } = store.get();
    if (image) lastStep = lastStep.then(() => step(direction, image));
    return lastStep;
  }

  /** @param {"undo" | "redo"} direction @param {Image} image  the one that was open when the key was pressed */
  async function step(direction, image) {
    if (!(await settled())) return; // what the person meant to take back does not exist
    if (!isOpen(image)) return void toast(`${image.name} was left before its changes were saved: nothing was ${direction === "undo" ? "undone" : "redone"}.`);
    const history = document.historyOf(image.id);
    const word = history?.[direction];
    if (!history || !word) return void toast(`There is nothing to ${direction}.`);
    busy(1);
    try {
      const reply = await api.post(`/images/${image.id}/${direction}`, { revision: history.revision });
      if (isOpen(image)) document.tellReopened(store.get().image);
      void document.show(reply);
      const other = otherThan(store.get(), history[`${direction}_author`]);
      toast(`${direction === "undo" ? "Undone" : "Redone"}: ${word}${other ? `, a change of ${other}` : ""}`, { quiet: !other });
    } catch (error) {
      toast(`Could not ${direction}: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      await document.fetchAgain(image.id).catch(() => {});
    } finally {
      busy(-1);
    }
  }

  /** @param {string[]} ids @returns {Annotation[]} those objects; none, with a toast, while one of them is not saved yet */
  function saved(ids) {
    const wanted = store.get().annotations.filter((item) => ids.includes(item.id));
    if (!wanted.some((item) => item.pending)) return wanted;
    toast("This object is still on its way to the server: try again in a moment.");
    return [];
  }

  /**
   * Changes the selected objects in a way that only the server knows the outcome of.
   * @param {"merge" | "split" | "clean"} what
   * @param {string} failed
   * @param {object} [options]
   */
  async function changeSelected(what, failed, options = {}) {
    const { image, selection } = store.get();
    const ids = saved(selection).map((item) => item.id);
    if (!image || !ids.length) return null;
    return commit(image.id, { method: "POST", path: `/annotations/${what}`, body: { ids, ...options }, failed });
  }

  return {
    show: document.show,
    refresh: document.refresh,
    commit,
    settled,
    /** Keeps the objects in progress, and corrections of kept ones. The next click begins the next object. */
    async keep() {
      const kept = keepAll();
      keeping.add(kept);
      busy(1); // also while its label is being made
      await kept.finally(() => {
        keeping.delete(kept);
        busy(-1);
      });
    },
    /** @param {string[]} ids */
    async remove(ids) {
      const { image } = store.get();
      const gone = new Set(saved(ids).map((item) => item.id));
      if (!image || !gone.size) return;
      const reply = await commit(image.id, {
        method: "POST",
        path: "/annotations/delete",
        body: { ids: [...gone] },
        failed: "Nothing was deleted",
        edit: (list) => list.filter((item) => !gone.has(item.id)),
      });
      if (!reply) return;
      const { revision } = reply.history;
      const undo = () => {
        if (!isOpen(image)) return toast(`This was on ${image.name}: open it again, and Ctrl+Z takes it back.`);
        if (document.historyOf(image.id)?.revision === revision) return undoRedo("undo");
        return toast("There were changes after it: Ctrl+Z takes them back one by one.");
      };
      toast(gone.size > 1 ? `${gone.size} objects deleted.` : "Object deleted.", { quiet: true, action: ["Undo", undo] });
    },
    /** @param {number} labelId */
    async relabel(labelId) {
      const { image, selection } = store.get();
      if (!image || !selection.length) return;
      const ids = saved(selection).flatMap((item) => (item.label_id === labelId ? [] : [item.id]));
      if (!ids.length) return;
      await commit(image.id, {
        method: "POST",
        path: "/annotations/relabel",
        body: { ids, label_id: labelId },
        failed: "The label was not changed",
        edit: (list) => list.map((item) => (ids.includes(item.id) ? { ...item, label_id: labelId } : item)),
      });
    },
    /** @param {string} id @param {Mask} mask */
    async editMask(id, mask) {
      const { image } = store.get();
      const [item] = saved([id]);
      if (image && item) await correct(image, item, { mask, source: "edit" }, "The edit was not kept");
    },
    async merge() {
      if (store.get().selection.length < 2)
        return void toast("Select two or more objects first: Shift+click in the list, Ctrl+click on the image.");
      await changeSelected("merge", "The objects could not be merged");
    },
    async split() {
      await changeSelected("split", "Nothing was split");
    },
    /** @param {number} pixels  the size of the largest holes to fill and specks to drop */
    async clean(pixels) {
      const { revision } = store.get().history;
      const reply = await changeSelected("clean", "Nothing was cleaned", { fill_holes: pixels, drop_specks: pixels });
      if (reply?.history.revision === revision) toast(`There are no holes or specks of up to ${pixels} pixels.`, { quiet: true });
    },
    undo: () => undoRedo("undo"),
    redo: () => undoRedo("redo"),
  };
}
