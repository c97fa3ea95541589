/** The images of the project. They are fetched in pages, as they are needed. */

/** @import { Image, ImageStatus, State, Store } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

const PAGE = 200;
/** Most images that the server sends at once. */
const MOST = 1000;

/**
 * @param {Pick<State, "images" | "image" | "queueStatus">} state
 * @returns {Image[]} the images of the chosen status, and the open one
 */
export function shownQueue({ images, image, queueStatus }) {
  return queueStatus ? images.filter((item) => item.status === queueStatus || item.id === image?.id) : images;
}

/**
 * @param {{store: Store, api: Api}} context
 */
export function createQueue({ store, api }) {
  /** How many images have come in pages, and the page on its way. @type {{loaded: number, coming: Promise<void> | null}} */
  let pages = { loaded: 0, coming: null };
  const hasMore = () => pages.loaded < store.get().total;

  /** Fetches the next page, if there is one. Calls at the same time share one request. */
  function loadMore() {
    const of = pages;
    of.coming ??= fetchPage(of).finally(() => (of.coming = null));
    return of.coming;
  }

  /** @param {{loaded: number}} of */
  async function fetchPage(of) {
    const { projectId } = store.get();
    if (projectId === null || (of.loaded > 0 && !hasMore())) return;
    const reply = await api.get(`/projects/${projectId}/images?offset=${of.loaded}&limit=${PAGE}`);
    if (of !== pages) return; // another project was chosen meanwhile
    of.loaded += reply.images.length;
    const { images } = store.get();
    store.set({ images: [...images, ...missing(reply.images)], total: reply.total });
  }

  /** @param {{loaded: number}} of @param {number} wanted  images, at least */
  async function fetchAgain(of, wanted) {
    const { projectId } = store.get();
    /** @type {Image[]} */
    const images = [];
    let total = wanted;
    while (images.length < Math.min(wanted, total)) {
      const reply = await api.get(`/projects/${projectId ?? 0}/images?offset=${images.length}&limit=${MOST}`);
      if (of !== pages) return; // another project was chosen meanwhile
      images.push(...reply.images);
      total = reply.images.length ? reply.total : images.length;
    }
    of.loaded = images.length;
    const ids = new Set(images.map((image) => image.id));
    const added = images.length < total ? store.get().images.filter((image) => !ids.has(image.id)) : []; // at the queue's end
    store.set({ images: [...images, ...added], total });
  }

  /** @param {Image[]} some @returns {Image[]} those that are not in the queue yet */
  function missing(some) {
    const ids = new Set(store.get().images.map((image) => image.id));
    return some.filter((image) => !ids.has(image.id));
  }

  return {
    loadMore,
    /** Begins with the queue of another project. */
    restart() {
      pages = { loaded: 0, coming: null };
      store.set({ images: [], total: 0, queueStatus: "" });
    },
    /** @param {string} id @returns {Promise<Image | undefined>} the image, once its page is loaded; undefined when it is gone */
    async find(id) {
      const of = pages;
      const exists = await api.get(`/images/${id}`).catch(() => null);
      const found = () => store.get().images.find((image) => image.id === id);
      while (exists && of === pages && !found() && hasMore()) await loadMore();
      return found();
    },
    /** Changes an image wherever it is shown. @param {string} id @param {Partial<Image>} fields */
    update(id, fields) {
      const { image, images } = store.get();
      const updated = (/** @type {Image} */ item) => (item.id === id ? { ...item, ...fields } : item);
      store.set({ image: image && updated(image), images: images.map(updated) });
    },
    /** Fetches again what is loaded: an image has come back to its place. */
    reload() {
      const wanted = pages.loaded + 1;
      const of = { loaded: 0, coming: /** @type {Promise<void> | null} */ (null) };
      pages = of;
      of.coming = fetchAgain(of, wanted).finally(() => (of.coming = null));
      return of.coming;
    },
    /** @param {Image[]} added @returns {Image[]} those that belong to the project shown; they are at the queue's end now */
    adopt(added) {
      const { images, total, projectId } = store.get();
      const here = added.filter((image) => image.project_id === projectId);
      const fresh = missing(here);
      store.set({ images: [...images, ...fresh], total: total + fresh.length });
      return here;
    },
    /** @param {string} id */
    drop(id) {
      const { images, total } = store.get();
      const left = images.filter((image) => image.id !== id);
      const gone = images.length - left.length;
      pages.loaded = Math.max(0, pages.loaded - gone);
      store.set({ images: left, total: total - gone });
    },
    /** Shows only images of one status, "" for all. @param {ImageStatus | ""} status */
    async filter(status) {
      store.set({ queueStatus: status });
      while (store.get().queueStatus && hasMore()) await loadMore();
    },
  };
}
