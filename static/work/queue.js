/** The images of the project. They are fetched in pages, as they are needed. */

/** @import { Image, ImageStatus, State, Store } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

const PAGE = 200;
/** Most images that the server sends at once. */
const MOST = 1000;
/**
 * Where the next page begins, null after the last one, and the page on its way.
 * @type {Readonly<{next: string | null, coming: Promise<void> | null}>}
 */
const FIRST_PAGE = { next: "", coming: null };

/**
 * @param {Pick<State, "images" | "image" | "queueStatus">} state
 * @returns {Image[]} the images of the chosen status, and the open one
 */
export function shownQueue({ images, image, queueStatus }) {
  return queueStatus ? images.filter((item) => item.status === queueStatus || item.id === image?.id) : images;
}

/** @param {Image[]} images */
const inOrder = (images) => images.sort((one, other) => one.ordinal - other.ordinal);

/**
 * @param {{store: Store, api: Api}} context
 */
export function createQueue({ store, api }) {
  let pages = { ...FIRST_PAGE };
  const startPages = () => (pages = { ...FIRST_PAGE });
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
    if (!images.length) store.set({ version: reply.version });
    store.set({ images: inOrder([...images, ...missing(reply.images)]), total: reply.total });
  }

  /** @param {{next: string | null}} of @param {number} wanted  images, at least */
  async function fetchAgain(of, wanted) {
    const { projectId } = store.get();
    const before = new Set(store.get().images.map((image) => image.id));
    /** @type {Image[]} */
    const images = [];
    let total = 0;
    do {
      const after = of.next && `&after=${of.next}`;
      const reply = await api.get(`/projects/${projectId ?? 0}/images?limit=${MOST}${after}`);
      if (of !== pages) return; // another project was chosen meanwhile
      images.push(...reply.images);
      total = reply.total;
      of.next = reply.next;
    } while (of.next !== null && images.length < wanted);
    const ids = new Set(images.map((image) => image.id));
    // What the pages lack is gone, unless it lies beyond them or came while they were fetched.
    const kept = store.get().images.filter(({ id }) => !ids.has(id) && (of.next !== null || !before.has(id)));
    const late = kept.filter(({ id }) => !before.has(id)).length;
    store.set({ images: inOrder([...images, ...kept]), total: total + late });
  }

  /** @param {Image[]} some @returns {Image[]} those that are not in the queue yet */
  function missing(some) {
    const ids = new Set(store.get().images.map((image) => image.id));
    return some.filter((image) => !ids.has(image.id));
  }

  /** @param {string} id */
  const exists = (id) => api.get(`/images/${id}`).then(() => true, () => false);

  return {
    loadMore,
    exists,
    /** @param {Image} image @returns {boolean} whether its place is among the images that are loaded, or at their end */
    reaches: ({ ordinal }) => !hasMore() || store.get().images.some((image) => image.ordinal > ordinal),
    /** Begins with the queue of another project. */
    restart() {
      startPages();
      store.set({ images: [], total: 0, queueStatus: "", places: [] });
    },
    /** @param {string} id @returns {Promise<Image | undefined>} the image, once its page is loaded; undefined when it is gone */
    async find(id) {
      const of = pages;
      const there = await exists(id);
      const found = () => store.get().images.find((image) => image.id === id);
      while (there && of === pages && !found() && hasMore()) await loadMore();
      return found();
    },
    /** Changes an image wherever it is shown. @param {string} id @param {Partial<Image>} fields */
    update(id, fields) {
      const { image, images } = store.get();
      const updated = (/** @type {Image} */ item) => (item.id === id ? { ...item, ...fields } : item);
      store.set({ image: image && updated(image), images: images.map(updated) });
    },
    /** Fetches again what is loaded: too much has changed to be told. */
    reload() {
      const of = startPages();
      of.coming = fetchAgain(of, store.get().images.length + 1).finally(() => (of.coming = null));
      return of.coming;
    },
    /** Puts images into their places. @param {Image[]} added @returns {Image[]} those that belong to the project shown */
    adopt(added) {
      const { images, total, projectId } = store.get();
      const here = added.filter((image) => image.project_id === projectId);
      const fresh = missing(here);
      store.set({ images: inOrder([...images, ...fresh]), total: total + fresh.length });
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
