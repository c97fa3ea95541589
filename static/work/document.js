/**
 * The objects of the open image: what the server has confirmed, and on top of it the pending edits. Every change of
 * objects goes through `commit`.
 */

import { equal } from "../data/rle.js";
import { requestId } from "../data/api.js";
import { createImageNotices } from "./notices.js";

/** @import { Annotation, History, Image, ImageDocument, Mask, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Labels } from "./labels.js" */

/** @typedef {ReturnType<typeof createDocument>} Document */
/** @typedef {(list: Annotation[]) => Annotation[]} Edit  what a change makes of the objects */
/**
 * @template {{history: History}} R
 * @typedef {object} Change
 * @property {"POST" | "PATCH"} method
 * @property {string} path  after the image's path
 * @property {object} body
 * @property {string} failed  what to say before the reason when the server refuses
 * @property {Edit} [edit]  what is shown at once; nothing when only the server knows the outcome
 * @property {(reply: R) => Edit} [outcome]  what the change turned out to do
 */

/**
 * @param {{store: Store, api: Api, outbox: Outbox, labels: Pick<Labels, "load">, toast: Toast}} context
 */
export function createDocument({ store, api, outbox, labels, toast }) {
  /** The image as the server last told it. @type {{imageId: string | null, annotations: Annotation[], history: History}} */
  let confirmed = { imageId: null, annotations: [], history: { revision: -1, undo: null, redo: null } };
  /** Edits on their way to the server, the oldest first. @type {{imageId: string, edit: Edit}[]} */
  let pendingEdits = [];
  /** Masks that another tab gave to objects shown here. @type {WeakSet<Mask>} */
  const foreign = new WeakSet();

  const tell = createImageNotices({ store, toast });

  /** Shows what is confirmed and what is pending. */
  function publish() {
    const { imageId } = confirmed;
    const { image, images, selection } = store.get();
    if (!imageId || image?.id !== imageId) return;
    const pending = pendingEdits.filter((change) => change.imageId === imageId);
    const annotations = pending.reduce((list, change) => change.edit(list), confirmed.annotations);
    const ids = new Set(annotations.map((item) => item.id));
    const begun = (image.status === "new" && annotations.length) || (image.status === "approved" && pending.length);
    const status = begun ? "in_progress" : image.status;
    const counted = { annotations: annotations.length, status };
    store.set({
      annotations,
      history: confirmed.history,
      image: { ...image, ...counted },
      images: images.map((item) => (item.id === imageId ? { ...item, ...counted } : item)),
      selection: selection.filter((id) => ids.has(id)),
    });
  }

  /** @param {ImageDocument} document @returns {void | Promise<void>} when it is shown */
  function show(document) {
    const ids = new Set(store.get().labels.map((label) => label.id));
    if (document.annotations.every((item) => ids.has(item.label_id))) return confirm(document);
    const loaded = labels.load().catch(() => {}); // another tab made a label
    return loaded.then(() => confirm(document));
  }

  /** @param {ImageDocument} document  ignored when a newer one is there */
  function confirm({ image, annotations, history }) {
    const open = store.get().image;
    if (open?.id !== image.id) return;
    if (confirmed.imageId !== image.id) confirmed = { imageId: image.id, annotations, history };
    else if (history.revision < confirmed.history.revision) return publish();
    else confirmed = { imageId: image.id, annotations: withKnownMasks(confirmed.annotations, annotations), history };
    store.set({ image: { ...open, ...image } });
    publish();
  }

  /** @param {string} imageId @param {History} history  after the change @param {Edit} edit */
  function confirmEdit(imageId, history, edit) {
    if (confirmed.imageId !== imageId) return;
    const next = confirmed.history.revision + 1;
    if (history.revision >= next) confirmed = { imageId, annotations: edit(confirmed.annotations), history };
    if (history.revision > next) void fetchAgain(imageId).catch(() => {}); // another tab was there in between
  }

  /** @param {string} imageId */
  async function fetchAgain(imageId) {
    const document = await api.get(`/images/${imageId}/document`, { retry: "never" });
    const shown = [...confirmed.annotations, ...store.get().annotations];
    for (const { id, mask } of document.annotations) {
      const masks = shown.flatMap((item) => (item.id === id ? [item.mask] : []));
      if (masks.length && !masks.some((own) => equal(own, mask))) foreign.add(mask);
    }
    await show(document);
  }

  /** Says that a change takes an approval back. @param {Image | null} before  the open image, as it was before the change */
  function tellReopened(before) {
    if (before?.status !== "approved") return;
    tell(before.id, "in_progress", `${before.reviewer} had approved this image. With your change, it is in progress again.`);
  }

  /**
   * Sends a change, which may arrive twice, and shows at once what it does.
   * @template {{history: History}} R
   * @param {string} imageId
   * @param {Change<R>} change
   * @returns {Promise<R | null>} the reply; null when the change was refused, which a toast says
   */
  async function commit(imageId, { method, path, body, failed, edit = (list) => list, outcome = () => edit }) {
    const { image } = store.get();
    if (image?.id === imageId) tellReopened(image);
    const pending = { imageId, edit };
    pendingEdits = [...pendingEdits, pending];
    publish();
    const entry = { method, path: `/images/${imageId}${path}`, body: { ...body, request_id: requestId() } };
    const sent = await outbox.push(entry).catch((error) => {
      toast(`${failed}: ${error.message}`, { kind: "error" });
      return null;
    });
    const reply = /** @type {R | null} */ (sent);
    pendingEdits = pendingEdits.filter((other) => other !== pending);
    if (reply && "annotations" in reply) void show(/** @type {ImageDocument & R} */ (reply));
    else if (reply) confirmEdit(imageId, reply.history, outcome(reply));
    publish();
    if (!reply) await fetchAgain(imageId).catch(() => {});
    return reply;
  }

  return {
    show,
    commit,
    tellReopened,
    fetchAgain,
    /** @returns {History | null} of the image, when it is the one shown */
    historyOf: (/** @type {string} */ imageId) => (confirmed.imageId === imageId ? confirmed.history : null),
    /** @param {Annotation} annotation @returns {boolean} whether its mask is another tab's work */
    isForeign: ({ mask }) => foreign.has(mask),
    /** Looks whether another tab changed the open image. */
    async refresh() {
      const { image } = store.get();
      if (!image || pendingEdits.length || confirmed.imageId !== image.id) return;
      const latest = await api.get(`/images/${image.id}/history`, { retry: "never" });
      if (latest.revision > confirmed.history.revision) await fetchAgain(image.id);
    },
  };
}

/**
 * @param {Annotation[]} before
 * @param {Annotation[]} after
 * @returns {Annotation[]} `after`; a mask that did not change stays the same value, and its outline stays drawn
 */
export function withKnownMasks(before, after) {
  const known = new Map(before.map(({ id, mask }) => [id, mask]));
  return after.map((item) => {
    const mask = known.get(item.id);
    return mask && equal(mask, item.mask) ? { ...item, mask } : item;
  });
}
