/** Which image is open, and what else is in the queue. */

import { remember } from "./storage.js";

const PREFETCH = 3;
const PAGE = 200;
const LAST_OPEN = "annotator.image";
const POLL_EMBEDDING_MS = 500;
const POLL_HISTORY_MS = 4000;
const RECONNECT_MS = 1500;

/**
 * @param {{images: any[], image: any, queueStatus: string}} state
 * @returns {any[]} the images of the chosen status, and the open one
 */
export function shownQueue({ images, image, queueStatus }) {
  return queueStatus ? images.filter((item) => item.status === queueStatus || item.id === image?.id) : images;
}

/**
 * @param {{store: any, api: any, outbox: any, objects: any, prompting: any, review: any,
 *   photo: {load: (url: string) => Promise<void>, clear: () => void}, toast: (text: string, options?: any) => any, storage: Storage}} context
 */
export function createSession({ store, api, outbox, objects, prompting, review, photo, toast, storage }) {
  let opening = 0;
  /** How much of the queue has come in pages. */
  let paged = 0;
  /** The page on its way. @type {Promise<void> | null} */
  let page = null;
  let reconnecting = false;

  /** Fetches the next page of the queue, if there is one; callers at the same time share one request. */
  const loadMore = () => (page ??= fetchPage().finally(() => (page = null)));

  async function fetchPage() {
    const { projectId, total } = store.get();
    if (paged > 0 && paged >= total) return;
    const reply = await api.get(`/projects/${projectId}/images?offset=${paged}&limit=${PAGE}`);
    paged += reply.images.length;
    const { images } = store.get();
    const known = new Set(images.map((/** @type {any} */ image) => image.id));
    store.set({
      images: [...images, ...reply.images.filter((/** @type {any} */ image) => !known.has(image.id))],
      total: reply.total,
    });
  }

  /** @param {string} id @returns {Promise<any>} the image, once its page is loaded; undefined when it is gone */
  async function find(id) {
    const exists = await api.get(`/images/${id}`).catch(() => null);
    const found = () => store.get().images.find((/** @type {any} */ image) => image.id === id);
    while (exists && !found() && paged < store.get().total) await loadMore();
    return found();
  }

  /** New facts about an image, wherever it is shown. @param {string} id @param {any} fields */
  function update(id, fields) {
    const { image, images } = store.get();
    const updated = (/** @type {any} */ item) => (item?.id === id ? { ...item, ...fields } : item);
    store.set({ image: updated(image), images: images.map(updated) });
  }

  /** What is in progress on the open image waits for the return. */
  function leave() {
    const { image } = store.get();
    if (!image) return;
    prompting.park(image.id);
    review.park(image.id);
  }

  /** @param {string} id */
  async function open(id) {
    const before = store.get().image;
    if (before?.id === id) return;
    leave();
    const ticket = ++opening;
    const known = store.get().images.find((/** @type {any} */ image) => image.id === id);
    store.set({
      image: known ?? null,
      photoReady: false,
      annotations: [],
      selection: [],
      hidden: new Set(),
      timing: null,
    });
    try {
      const opened = api.post(`/images/${id}/open`, { upcoming: upcoming(id) });
      const drawn = known ? photo.load(known.url) : opened.then((/** @type {any} */ document) => photo.load(document.image.url));
      drawn.catch(() => {});
      const document = await opened;
      if (ticket !== opening) return;
      store.set({ image: document.image });
      objects.show(document);
      await drawn;
      if (ticket !== opening) return;
      remember(storage, LAST_OPEN, id);
      store.set({ photoReady: true });
      prompting.unpark(id);
      review.unpark(id);
      void watchEmbedding(id);
      warmNext(id);
    } catch (error) {
      if (ticket !== opening) return;
      photo.clear();
      store.set({ image: null });
      toast(`The image could not be opened: ${error.message}`, { kind: "error" });
    }
  }

  /** The images the server should encode next. @param {string} id @returns {string[]} */
  function upcoming(id) {
    const images = shownQueue(store.get());
    const at = images.findIndex((image) => image.id === id);
    return at < 0 ? [] : images.slice(at + 1, at + 1 + PREFETCH).map((/** @type {any} */ image) => image.id);
  }

  /** Fetches the pixels of the next image into the browser's cache. @param {string} id */
  function warmNext(id) {
    const images = shownQueue(store.get());
    const next = images[images.findIndex((image) => image.id === id) + 1];
    if (next) new Image().src = next.url;
  }

  /** @param {string} id */
  async function watchEmbedding(id) {
    while (store.get().image?.id === id && store.get().image.embedding !== "ready") {
      await new Promise((resolve) => setTimeout(resolve, POLL_EMBEDDING_MS));
      const fresh = await api.get(`/images/${id}`, { retry: "never" }).catch(() => null);
      if (fresh) update(id, { embedding: fresh.embedding });
    }
  }

  /** @param {any[]} added */
  function adopt(added) {
    const { images, total } = store.get();
    const known = new Set(images.map((/** @type {any} */ image) => image.id));
    const fresh = added.filter((image) => !known.has(image.id));
    store.set({ images: [...images, ...fresh], total: total + fresh.length });
  }

  async function reconnect() {
    if (reconnecting) return;
    reconnecting = true;
    while (!store.get().online) {
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      const status = await api.get("/status", { retry: "never" }).catch(() => null);
      if (status) store.set({ online: true, status });
    }
    reconnecting = false;
    if (!store.get().booted) await boot();
    else await objects.refresh().catch(() => {});
  }

  async function boot() {
    try {
      const status = await api.get("/status");
      store.set({ status, projectId: status.project_id });
      tellResumed(await outbox.resume());
      const [labels, samples] = await Promise.all([api.get(`/projects/${status.project_id}/labels`), api.get("/samples")]);
      store.set({ labels, samples, labelId: labels[0]?.id ?? null });
      await loadMore();
    } catch (error) {
      if (error.status) toast(`The page could not be prepared: ${error.message}`, { kind: "error" });
      return;
    }
    const remembered = storage.getItem(LAST_OPEN);
    const image = (remembered && (await find(remembered))) || store.get().images.at(-1);
    store.set({ booted: true });
    if (image) await open(image.id);
  }

  /** @param {import("./outbox.js").Outcome} outcome  of the changes an earlier page could not deliver */
  function tellResumed({ delivered, refused, waiting }) {
    if (delivered) toast("Changes that had not reached the server were delivered now.");
    if (refused.length) toast(`Earlier changes were refused (${refused.length}): ${refused[0]}`, { kind: "error" });
    if (waiting.length) toast(`Earlier changes wait for the next reload (${waiting.length}): ${waiting[0]}`, { kind: "error" });
  }

  setInterval(() => {
    if (!document.hidden && store.get().online && store.get().booted) objects.refresh().catch(() => {});
  }, POLL_HISTORY_MS);

  return {
    boot,
    open,
    adopt,
    loadMore,
    /** @param {boolean} online */
    connection(online) {
      if (online !== store.get().online) store.set({ online });
      if (!online) void reconnect();
    },
    /** Shows only images of one status, "" for all. @param {string} status */
    async filter(status) {
      store.set({ queueStatus: status });
      while (store.get().queueStatus && paged < store.get().total) await loadMore();
    },
    /** @param {number} by  1 is the next image, -1 the one before */
    async step(by) {
      const { image } = store.get();
      const next = () => {
        const queue = shownQueue(store.get());
        return queue[queue.findIndex((item) => item.id === image?.id) + by];
      };
      if (by > 0 && !next()) await loadMore().catch(() => {});
      const found = next();
      if (found) await open(found.id);
      else toast(by > 0 ? "This is the last image." : "This is the first image.", { quiet: true });
    },
    /** @param {"new" | "in_progress" | "done"} status */
    async setStatus(status) {
      const { image } = store.get();
      if (!image) return;
      try {
        update(image.id, await api.patch(`/images/${image.id}`, { status }));
      } catch (error) {
        toast(`The status was not changed: ${error.message}`, { kind: "error" });
      }
    },
    /** @param {string} id */
    async removeImage(id) {
      try {
        await api.delete(`/images/${id}`);
      } catch (error) {
        return toast(`The image could not be removed: ${error.message}`, { kind: "error" });
      }
      paged = Math.max(0, paged - 1);
      const { images, image, total } = store.get();
      const index = shownQueue(store.get()).findIndex((item) => item.id === id);
      const left = images.filter((/** @type {any} */ item) => item.id !== id);
      store.set({ images: left, total: total - 1 });
      if (image?.id === id) {
        const queue = shownQueue({ ...store.get(), image: null });
        const neighbour = queue[Math.min(index, queue.length - 1)] ?? left[0];
        if (neighbour) await open(neighbour.id);
        else {
          leave();
          photo.clear();
          store.set({ image: null, annotations: [], photoReady: false });
        }
      }
      const restore = async () => {
        try {
          adopt([await api.post(`/images/${id}/restore`)]);
          await open(id);
        } catch (error) {
          toast(`The image could not be restored: ${error.message}`, { kind: "error" });
        }
      };
      toast("Image removed.", { action: ["Undo", restore] });
    },
  };
}
