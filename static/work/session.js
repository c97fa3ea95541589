/** Which project is shown, and which of its images is open. */

import { createQueue, shownQueue } from "./queue.js";
import { remember } from "../data/storage.js";

const PREFETCH = 3;
const LAST_PROJECT = "annotator.project";
const LAST_OPEN = "annotator.image.";
const LAST_LABEL = "annotator.label.";
const POLL_EMBEDDING_MS = 500;
const POLL_HISTORY_MS = 4000;
const RECONNECT_MS = 1500;

/**
 * @param {{store: any, api: any, outbox: any, labels: {load: () => Promise<void>}, objects: any, prompting: any, review: any,
 *   photo: {load: (url: string) => Promise<void>, clear: () => void}, toast: (text: string, options?: any) => any, storage: Storage}} context
 */
export function createSession({ store, api, outbox, labels, objects, prompting, review, photo, toast, storage }) {
  const queue = createQueue({ store, api });
  const { adopt, update, loadMore } = queue;
  let opening = 0;
  let reconnecting = false;

  /** What is in progress on the open image waits for the return. */
  function leave() {
    const { image } = store.get();
    if (!image) return;
    prompting.park(image.id);
    review.park(image.id);
  }

  /** Leaves the open image for none. */
  function close() {
    leave();
    opening += 1;
    photo.clear();
    store.set({ image: null, photoReady: false, annotations: [], selection: [], hidden: new Set(), timing: null });
  }

  /** Shows again what was left for an image that cannot be opened. @param {any} before  state @param {number} ticket */
  async function goBack({ image, annotations }, ticket) {
    if (!image) return photo.clear();
    store.set({ image, annotations });
    await photo.load(image.url).catch(() => {}); // its pixels are in the browser's cache
    if (ticket !== opening) return;
    store.set({ photoReady: true });
    prompting.unpark(image.id);
    review.unpark(image.id);
    void watchEmbedding(image.id);
  }

  /** @param {string} id */
  async function open(id) {
    const before = store.get();
    if (before.image?.id === id) return;
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
      await objects.show(document);
      await drawn;
      if (ticket !== opening) return;
      remember(storage, LAST_OPEN + store.get().projectId, id);
      store.set({ photoReady: true });
      prompting.unpark(id);
      review.unpark(id);
      void watchEmbedding(id);
      warmNext(id);
    } catch (error) {
      if (ticket !== opening) return;
      store.set({ image: null });
      toast(`The image could not be opened: ${error.message}`, { kind: "error" });
      await goBack(before, ticket);
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
      const [status, projects, samples] = await Promise.all(["/status", "/projects", "/samples"].map((path) => api.get(path)));
      store.set({ status, projects, samples });
      tellResumed(await outbox.resume());
      await showProject(lastProject());
    } catch (error) {
      if (error.status) toast(`The page could not be prepared: ${error.message}`, { kind: "error" });
    }
  }

  /** @returns {number} the project shown last, if there still is one */
  function lastProject() {
    const { projects, status } = store.get();
    const last = Number(storage.getItem(LAST_PROJECT));
    return projects.some((/** @type {any} */ project) => project.id === last) ? last : status.project_id;
  }

  /** Its labels, its queue, and the image that was open in it last. @param {number} id */
  async function showProject(id) {
    close();
    const ticket = opening;
    queue.restart();
    store.set({ booted: false, projectId: id, labels: [], labelId: null });
    remember(storage, LAST_PROJECT, String(id));
    const label = Number(storage.getItem(LAST_LABEL + id)); // before another one is chosen for now
    await Promise.all([labels.load(), loadMore()]);
    if (store.get().labels.some((/** @type {any} */ { id: one }) => one === label)) store.set({ labelId: label });
    const last = storage.getItem(LAST_OPEN + id);
    const image = (last && (await queue.find(last))) || store.get().images.at(-1);
    if (store.get().projectId !== id) return;
    store.set({ booted: true });
    if (image && ticket === opening) await open(image.id);
  }

  /** @param {number} id */
  async function switchProject(id) {
    if (store.get().booted && store.get().projectId === id) return;
    try {
      await showProject(id);
    } catch (error) {
      if (error.status) toast(`The project could not be opened: ${error.message}`, { kind: "error" });
    }
  }

  /** @param {import("../data/outbox.js").Outcome} outcome  of the changes an earlier page could not deliver */
  function tellResumed({ delivered, refused, waiting }) {
    if (delivered) toast("Changes that had not reached the server were delivered now.");
    if (refused.length) toast(`Earlier changes were refused (${refused.length}): ${refused[0]}`, { kind: "error" });
    if (waiting.length) toast(`Earlier changes wait for the next reload (${waiting.length}): ${waiting[0]}`, { kind: "error" });
  }

  store.watch(["labelId"], (/** @type {any} */ { labelId, projectId }) => {
    if (labelId !== null) remember(storage, LAST_LABEL + projectId, String(labelId));
  });

  setInterval(() => {
    if (!document.hidden && store.get().online && store.get().booted) objects.refresh().catch(() => {});
  }, POLL_HISTORY_MS);

  return {
    boot,
    open,
    adopt,
    loadMore,
    filter: queue.filter,
    switchProject,
    /** Another tab may have made one. */
    async refreshProjects() {
      const projects = await api.get("/projects", { retry: "never" }).catch(() => null);
      if (projects && projects.length !== store.get().projects.length) store.set({ projects });
    },
    /** @param {string} name @returns {Promise<boolean>} whether there is such a project now; it is shown */
    async addProject(name) {
      try {
        const project = await api.post("/projects", { name });
        store.set({ projects: [...store.get().projects, project] });
        await switchProject(project.id);
        return true;
      } catch (error) {
        toast(`The project was not added: ${error.message}`, { kind: "error" });
        return false;
      }
    },
    /** @param {boolean} online */
    connection(online) {
      if (online !== store.get().online) store.set({ online });
      if (!online) void reconnect();
    },
    /** @param {number} by  1 is the next image, -1 the one before */
    async step(by) {
      const { image } = store.get();
      const next = () => {
        const shown = shownQueue(store.get());
        return shown[shown.findIndex((item) => item.id === image?.id) + by];
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
      const { image, images } = store.get();
      const index = shownQueue(store.get()).findIndex((item) => item.id === id);
      const place = images.findIndex((/** @type {any} */ item) => item.id === id);
      const { annotations: count = 0 } = images[place] ?? {};
      queue.drop(id);
      if (image?.id === id) {
        const left = shownQueue({ ...store.get(), image: null });
        const neighbour = left[Math.min(index, left.length - 1)] ?? store.get().images[0];
        if (neighbour) await open(neighbour.id);
        else close();
      }
      const restore = async () => {
        try {
          const [restored] = adopt([await api.post(`/images/${id}/restore`)], place);
          if (restored) await open(id);
        } catch (error) {
          toast(`The image could not be restored: ${error.message}`, { kind: "error" });
        }
      };
      const what = count ? `Image removed, with ${count === 1 ? "1 object" : `${count} objects`}.` : "Image removed.";
      toast(what, { action: ["Undo", restore] });
    },
  };
}
