/** Kept objects: every change goes to the server's journal, and the page shows what the journal says. */

import { requestId } from "./api.js";
import { area, equal } from "./rle.js";
import { NO_DRAFT, reconcile, shownMask } from "./state.js";

/**
 * @param {{store: any, api: any, outbox: any, toast: (text: string, options?: any) => void,
 *   chooseLabel: () => Promise<number | null>}} context
 */
export function createObjects({ store, api, outbox, toast, chooseLabel }) {
  const path = () => `/images/${store.get().image.id}`;
  let walking = Promise.resolve();
  const current = (/** @type {string} */ imageId) => store.get().image?.id === imageId;

  /** @param {any} document  the server's whole view of one image */
  function show(document) {
    const state = store.get();
    if (!current(document.image.id)) return;
    const waiting = state.annotations.filter((/** @type {any} */ item) => item.pending);
    const annotations = [...reconcile(state.annotations, document.annotations, equal), ...waiting];
    const ids = new Set(annotations.map((annotation) => annotation.id));
    store.set({
      annotations,
      history: document.history,
      image: { ...state.image, ...document.image },
      images: state.images.map((/** @type {any} */ image) => (image.id === document.image.id ? document.image : image)),
      selection: state.selection.filter((/** @type {string} */ id) => ids.has(id)),
    });
  }

  /** @param {string} imageId @param {(annotations: any[]) => any[]} change @param {any} [history] */
  function replace(imageId, change, history) {
    if (!current(imageId)) return;
    const state = store.get();
    const annotations = change(state.annotations);
    const status = state.image.status === "new" && annotations.length ? "in_progress" : state.image.status;
    const image = { ...state.image, annotations: annotations.length, status };
    const images = state.images.map((/** @type {any} */ item) =>
      item.id === imageId ? { ...item, annotations: image.annotations, status } : item,
    );
    store.set({ annotations, image, images, history: history ?? state.history });
  }

  /**
   * Sends a change that may arrive twice; the page waits for it only to learn the outcome.
   * @param {string} method
   * @param {string} tail of the path, after the image
   * @param {any} body
   */
  function commit(method, tail, body) {
    const id = requestId();
    const query = method === "DELETE" ? `?request_id=${id}` : "";
    return outbox.push({
      method,
      path: path() + tail + query,
      body: method === "DELETE" ? undefined : { ...body, request_id: id },
    });
  }

  /** @param {any} error @param {string} what */
  const failed = (error, what) => toast(`${what}: ${error.message}`, { kind: "error" });

  /** Runs a change; when it fails, says so and shows what the server has. @param {string} what @param {() => Promise<any>} run */
  async function reporting(what, run) {
    try {
      await run();
    } catch (error) {
      failed(error, what);
      if (error.status) show(await api.get(`${path()}/document`));
    }
  }

  /** @param {any} step @param {import("./rle.js").Mask} mask @param {number} labelId */
  async function keepNew(step, mask, labelId) {
    const imageId = store.get().image.id;
    const score = step.edited ? null : step.reply.candidates[step.index].score;
    const fields = {
      label_id: labelId,
      mask,
      score,
      source: step.edited ? "edit" : "prompt",
      prompts: { points: step.points, box: step.box },
    };
    const ticket = `pending-${requestId()}`;
    const { x, y, w, h } = mask;
    const waiting = { ...fields, id: ticket, image_id: imageId, area: area(mask), bbox: [x, y, w, h], pending: true };
    replace(imageId, (list) => [...list, waiting]);
    store.set({ draft: NO_DRAFT });
    try {
      const reply = await commit("POST", "/annotations", fields);
      const kept = { ...reply.annotation, mask };
      replace(
        imageId,
        (list) => list.filter((item) => item.id !== kept.id).map((item) => (item.id === ticket ? kept : item)),
        reply.history,
      );
    } catch (error) {
      replace(imageId, (list) => list.filter((item) => item.id !== ticket));
      if (current(imageId) && !store.get().draft.now) store.set({ draft: { past: [], now: step, future: [] } });
      failed(error, "The object could not be kept");
    }
  }

  /** @param {string} id @param {any} fields @param {string} what */
  async function patch(id, fields, what) {
    const imageId = store.get().image.id;
    const before = store.get().annotations.find((/** @type {any} */ item) => item.id === id);
    if (!before || before.pending) return;
    const put = (/** @type {any} */ value) => (/** @type {any[]} */ list) => list.map((item) => (item.id === id ? value : item));
    const measured = fields.mask
      ? { area: area(fields.mask), bbox: [fields.mask.x, fields.mask.y, fields.mask.w, fields.mask.h] }
      : {};
    replace(imageId, put({ ...before, ...fields, ...measured }));
    try {
      const reply = await commit("PATCH", `/annotations/${id}`, fields);
      replace(imageId, put({ ...reply.annotation, mask: fields.mask ?? before.mask }), reply.history);
    } catch (error) {
      replace(imageId, put(before));
      failed(error, what);
    }
  }

  /** One step after the other, however fast the key is pressed. @param {"undo" | "redo"} direction */
  function walk(direction) {
    walking = walking.then(() => step(direction));
    return walking;
  }

  /** @param {"undo" | "redo"} direction */
  async function step(direction) {
    if (!store.get().image) return;
    await outbox.idle();
    const word = store.get().history[direction];
    if (!word) return toast(`There is nothing to ${direction}.`);
    store.set({ busy: store.get().busy + 1 });
    await reporting(`Could not ${direction}`, async () => {
      const { revision } = store.get().history;
      show(await api.post(`${path()}/${direction}`, { revision }));
      toast(`${direction === "undo" ? "Undone" : "Redone"}: ${word}`, { quiet: true });
    });
    store.set({ busy: store.get().busy - 1 });
  }

  const selected = () => {
    const { annotations, selection } = store.get();
    return annotations.filter((/** @type {any} */ item) => selection.includes(item.id) && !item.pending);
  };

  return {
    show,
    /** Keeps the object in progress, or the correction of a kept one. */
    async keep() {
      const step = store.get().draft.now;
      const mask = shownMask(step);
      if (!step || !mask || !step.answered) return;
      if (!mask.w) return toast("The mask is empty: add a point on the object.");
      if (step.annotationId) {
        store.set({ draft: NO_DRAFT, selection: [step.annotationId] });
        return patch(step.annotationId, { mask, prompts: { points: step.points, box: step.box } }, "The correction was not kept");
      }
      const labelId = store.get().labelId ?? (await chooseLabel());
      if (labelId !== null) await keepNew(step, mask, labelId);
    },
    /** @param {string[]} ids */
    async remove(ids) {
      const { image, annotations } = store.get();
      for (const id of ids) {
        const before = annotations.find((/** @type {any} */ item) => item.id === id);
        if (!before || before.pending) continue;
        replace(image.id, (list) => list.filter((item) => item.id !== id));
        await reporting("The object could not be deleted", async () => {
          const reply = await commit("DELETE", `/annotations/${id}`, null);
          replace(image.id, (list) => list, reply.history);
        });
      }
      const left = new Set(store.get().annotations.map((/** @type {any} */ item) => item.id));
      store.set({ selection: store.get().selection.filter((/** @type {string} */ id) => left.has(id)) });
      toast(ids.length > 1 ? `${ids.length} objects deleted.` : "Object deleted.", {
        quiet: true,
        action: ["Undo", () => walk("undo")],
      });
    },
    /** @param {number} labelId */
    async relabel(labelId) {
      for (const item of selected())
        if (item.label_id !== labelId) await patch(item.id, { label_id: labelId }, "The label was not changed");
    },
    /** @param {string} id @param {import("./rle.js").Mask} mask */
    editMask: (id, mask) => patch(id, { mask }, "The edit was not kept"),
    async merge() {
      const ids = selected().map((/** @type {any} */ item) => item.id);
      if (ids.length < 2) return toast("Select two or more objects first: Shift+click in the list, Ctrl+click on the image.");
      await reporting("The objects could not be merged", async () => show(await commit("POST", "/annotations/merge", { ids })));
    },
    async split() {
      for (const item of selected()) {
        const count = store.get().annotations.length;
        await reporting("The object could not be split", async () =>
          show(await commit("POST", `/annotations/${item.id}/split`, {})),
        );
        if (store.get().annotations.length === count) toast("This object has one part only.", { quiet: true });
      }
    },
    /** @param {number} pixels  holes and specks smaller than this go */
    async clean(pixels) {
      for (const item of selected()) {
        const body = { fill_holes: pixels, drop_specks: pixels };
        await reporting("The object could not be cleaned", async () =>
          show(await commit("POST", `/annotations/${item.id}/clean`, body)),
        );
      }
    },
    undo: () => walk("undo"),
    redo: () => walk("redo"),
    /** Looks whether another tab changed this image. */
    async refresh() {
      const { image, history } = store.get();
      if (!image || store.get().annotations.some((/** @type {any} */ item) => item.pending)) return;
      const latest = await api.get(`/images/${image.id}/history`, { retry: "never" });
      if (current(image.id) && latest.revision !== store.get().history.revision && latest.revision !== history.revision) {
        show(await api.get(`/images/${image.id}/document`, { retry: "never" }));
      }
    },
  };
}
