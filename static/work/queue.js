/** The images of the project, fetched in pages as they are needed. */

const PAGE = 200;

/**
 * @param {{images: any[], image: any, queueStatus: string}} state
 * @returns {any[]} the images of the chosen status, and the open one
 */
export function shownQueue({ images, image, queueStatus }) {
  return queueStatus ? images.filter((item) => item.status === queueStatus || item.id === image?.id) : images;
}

/**
 * @param {{store: any, api: any}} context
 */
export function createQueue({ store, api }) {
  /** How many images have come in pages, and the page on its way. @type {{loaded: number, coming: Promise<void> | null}} */
  let pages = { loaded: 0, coming: null };
  const hasMore = () => pages.loaded < store.get().total;

  /** Fetches the next page, if there is one; callers at the same time share one request. */
  function loadMore() {
    const of = pages;
    of.coming ??= fetchPage(of).finally(() => (of.coming = null));
    return of.coming;
  }

  /** @param {{loaded: number}} of */
  async function fetchPage(of) {
    const { projectId } = store.get();
    if (of.loaded > 0 && !hasMore()) return;
    const reply = await api.get(`/projects/${projectId}/images?offset=${of.loaded}&limit=${PAGE}`);
    if (of !== pages) return; // another project was chosen meanwhile
    of.loaded += reply.images.length;
    const { images } = store.get();
    store.set({ images: [...images, ...unknown(reply.images)], total: reply.total });
  }

  /** @param {any[]} some */
  function unknown(some) {
    const known = new Set(store.get().images.map((/** @type {any} */ image) => image.id));
    return some.filter((image) => !known.has(image.id));
  }

  return {
    loadMore,
    /** Begins with the queue of another project. */
    restart() {
      pages = { loaded: 0, coming: null };
      store.set({ images: [], total: 0, queueStatus: "" });
    },
    /** @param {string} id @returns {Promise<any>} the image, once its page is loaded; undefined when it is gone */
    async find(id) {
      const of = pages;
      const exists = await api.get(`/images/${id}`).catch(() => null);
      const found = () => store.get().images.find((/** @type {any} */ image) => image.id === id);
      while (exists && of === pages && !found() && hasMore()) await loadMore();
      return found();
    },
    /** New facts about an image, wherever it is shown. @param {string} id @param {any} fields */
    update(id, fields) {
      const { image, images } = store.get();
      const updated = (/** @type {any} */ item) => (item?.id === id ? { ...item, ...fields } : item);
      store.set({ image: updated(image), images: images.map(updated) });
    },
    /** @param {any[]} added @param {number} [place] in the queue, else its end @returns {any[]} those of the project shown, which are in the queue now */
    adopt(added, place = store.get().images.length) {
      const { images, total, projectId } = store.get();
      const here = added.filter((image) => image.project_id === projectId);
      const fresh = unknown(here);
      store.set({ images: images.toSpliced(place, 0, ...fresh), total: total + fresh.length });
      return here;
    },
    /** @param {string} id */
    drop(id) {
      const { images, total } = store.get();
      const left = images.filter((/** @type {any} */ image) => image.id !== id);
      const gone = images.length - left.length;
      pages.loaded = Math.max(0, pages.loaded - gone);
      store.set({ images: left, total: total - gone });
    },
    /** Shows only images of one status, "" for all. @param {string} status */
    async filter(status) {
      store.set({ queueStatus: status });
      while (store.get().queueStatus && hasMore()) await loadMore();
    },
  };
}
