/** The images of the project. They are fetched in pages, as they are needed. */

/** @import { Image, ImageStatus, State, Store } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

const PAGE = 200;

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
  /**
   * Where the next page begins, null after the last one, and the page on its way.
   * @type {{next: string | null, coming: Promise<void> | null}}
   */
  let pages = { next: "", coming: null };
  const hasMore = () => pages.next !== null;

  /** Fetches the next page, if there is one. Calls at the same time share one request. */
  function loadMore() {
    const of = pages;
    of.coming ??= fetchPage(of).finally(() => (of.coming = null));
    return of.coming;
  }

  /** @param {{next: string | null}} of */
  async function fetchPage(of) {
    const { projectId } = store.get();
    if (projectId === null || of.next === null) return;
    const after = of.next && `&after=${of.next}`;
    const reply = await api.get(`/projects/${projectId}/images?limit=${PAGE}${after}`).catch((error) => {
      if (error.status === 404) of.next = ""; // that image was removed for good: begin anew, what is here is passed over
      throw error;
    });
    if (of !== pages) return; // another project was chosen meanwhile
    of.next = reply.next;
    const { images } = store.get();
    store.set({ images: [...images, ...missing(reply.images)], total: reply.total });
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
      pages = { next: "", coming: null };
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
    /**
     * @param {Image[]} added
     * @param {number} [place]  in the queue; its end by default
     * @returns {Image[]} those that belong to the project shown; they are in the queue now
     */
    adopt(added, place = store.get().images.length) {
      const { images, total, projectId } = store.get();
      const here = added.filter((image) => image.project_id === projectId);
      const fresh = missing(here);
      store.set({ images: images.toSpliced(place, 0, ...fresh), total: total + fresh.length });
      return here;
    },
    /** @param {string} id */
    drop(id) {
      const { images, total } = store.get();
      const left = images.filter((image) => image.id !== id);
      store.set({ images: left, total: total - (images.length - left.length) });
    },
    /** Shows only images of one status, "" for all. @param {ImageStatus | ""} status */
    async filter(status) {
      store.set({ queueStatus: status });
      while (store.get().queueStatus && hasMore()) await loadMore();
    },
  };
}
