/** Which project is shown, and which of its images is open. */

import { remember } from "../data/storage.js";
import { createQueue, shownQueue } from "./queue.js";
import { isFinished } from "./team.js";

/** @import { Image, Outcome, State, Store, Toast, WorkStatus } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Parking } from "../data/parking.js" */
/** @import { Photo } from "../canvas/photo.js" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */

/** @typedef {ReturnType<typeof createSession>} Session */

const PREFETCH = 3;
const LAST_PROJECT = "annotator.project";
const LAST_OPEN = "annotator.image.";
const LAST_LABEL = "annotator.label.";
const POLL_EMBEDDING_MS = 500;
const MOST_POLL_MS = 5000;
const POLL_HISTORY_MS = 4000;
const RECONNECT_MS = 1500;

/**
 * @param {{store: Store, api: Api, outbox: Pick<Outbox, "resume">, labels: Pick<Labels, "load">, parking: Parking, toast: Toast,
 *   objects: Pick<Objects, "show" | "refresh">, photo: Pick<Photo, "load" | "clear">, storage: Storage, client?: string}} context
 *   `client`: the name of this tab; without one, nobody is told which image is open
 */
export function createSession({ store, api, outbox, labels, parking, objects, photo, toast, storage, client = "" }) {
  const queue = createQueue({ store, api });
  const { adopt, update, loadMore } = queue;
  /** Counts images that were opened or closed: whoever waited looks whether the page has moved on. */
  let opening = 0;
  let reconnecting = false;
  /** The image that could not be opened, so that the page went back: the next step the same way leads past it. @type {{id: string, by: number} | null} */
  let stuck = null;

  /** Leaves the open image for another one, or for none. @param {Image | null} next @returns {number} the new turn */
  function leaveFor(next) {
    const { image } = store.get();
    if (image) parking.park(image.id);
    store.set({ image: next, photoReady: false, annotations: [], selection: [], hidden: new Set(), timing: null });
    return ++opening;
  }

  function close() {
    stuck = null;
    leaveFor(null);
    photo.clear();
  }

  /** The image is there: what was in progress on it comes back. @param {string} id */
  function arrive(id) {
    store.set({ photoReady: true });
    parking.unpark(id);
    void watchEmbedding(id);
  }

  /** Shows the image before, after one that could not be opened. @param {State} before @param {number} ticket */
  async function goBack({ image, annotations }, ticket) {
    if (!image) return photo.clear();
    store.set({ image, annotations });
    await photo.load(image.url).catch(() => {}); // its pixels are in the browser's cache
    if (ticket === opening) arrive(image.id);
  }

  /** @param {string} id @param {number} [by]  the way through the queue that leads there */
  async function open(id, by = 1) {
    const before = store.get();
    if (before.image?.id === id) return;
    const known = before.images.find((image) => image.id === id) ?? null;
    const ticket = leaveFor(known);
    try {
      const opened = api.post(`/images/${id}/open`, { upcoming: upcoming(id), client: taker() });
      const drawn = known ? photo.load(known.url) : opened.then((document) => photo.load(document.image.url));
      drawn.catch(() => {});
      const document = await opened;
      if (ticket !== opening) return;
      store.set({ image: document.image });
      await objects.show(document);
      await drawn;
      if (ticket !== opening) return;
      remember(storage, LAST_OPEN + store.get().projectId, id);
      stuck = null;
      arrive(id);
      prefetchPixels(id);
    } catch (error) {
      if (ticket !== opening) return;
      store.set({ image: null });
      const name = known?.name ?? "The image";
      toast(`${name} could not be opened: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      if (store.get().online) stuck = { id, by };
      await goBack(before, ticket);
    }
  }

  /** @returns {string | undefined} who takes the image; nobody where there is no login, and so no other person */
  const taker = () => (store.get().status?.user && client) || undefined;

  /** Opens an image, wherever it is in the queue. @param {string} id */
  async function show(id) {
    await queue.find(id);
    await open(id);
  }

  /** The images the server should encode next. @param {string} id @returns {string[]} */
  function upcoming(id) {
    const images = shownQueue(store.get());
    const at = images.findIndex((image) => image.id === id);
    return at < 0 ? [] : images.slice(at + 1, at + 1 + PREFETCH).map((image) => image.id);
  }

  /** Fetches the pixels of the next image into the browser's cache. @param {string} id */
  function prefetchPixels(id) {
    const images = shownQueue(store.get());
    const next = images[images.findIndex((image) => image.id === id) + 1];
    if (next) document.createElement("img").src = next.url;
  }

  /** Asks, ever more rarely, until the open image is encoded or has failed to. @param {string} id */
  async function watchEmbedding(id) {
    const waits = () => store.get().image?.id === id && store.get().image?.embedding === "none";
    for (let wait = POLL_EMBEDDING_MS; waits(); wait = Math.min(wait * 1.5, MOST_POLL_MS)) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!waits()) return;
      const fresh = await api.get(`/images/${id}`, { retry: "never" }).catch(() => null);
      if (fresh) update(id, { embedding: fresh.embedding });
    }
  }

  /** Has the server encode the open image and the next ones again, after a change of the model. */
  async function prepareAgain() {
    const { image } = store.get();
    if (!image) return;
    const opened = await api.post(`/images/${image.id}/open`, { upcoming: upcoming(image.id) }).catch(() => null);
    if (!opened) return; // the next click encodes
    update(image.id, { embedding: opened.image.embedding });
    void watchEmbedding(image.id);
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
      const [status, projects, samples] = await Promise.all([api.get("/status"), api.get("/projects"), api.get("/samples")]);
      store.set({ status, projects, samples });
      tellResumed(await outbox.resume());
      const last = Number(storage.getItem(LAST_PROJECT));
      await showProject(projects.some((project) => project.id === last) ? last : status.project_id);
    } catch (error) {
      tellUnlessOffline("The page could not be prepared", error);
    }
  }

  /** @param {string} failed @param {unknown} error  the banner already says when the connection is lost */
  function tellUnlessOffline(failed, error) {
    const { status, message } = /** @type {import("../data/api.js").ApiError} */ (error);
    if (status) toast(`${failed}: ${message}`, { kind: "error" });
  }

  /** Shows its labels, its queue, and the image that was open in it last. @param {number} id */
  async function showProject(id) {
    close();
    const ticket = opening;
    queue.restart();
    store.set({ booted: false, projectId: id, labels: [], labelId: null, bin: [] });
    remember(storage, LAST_PROJECT, String(id));
    const label = Number(storage.getItem(LAST_LABEL + id)); // before another one is chosen for now
    await Promise.all([labels.load(), loadMore()]);
    if (store.get().labels.some((one) => one.id === label)) store.set({ labelId: label });
    const last = storage.getItem(LAST_OPEN + id);
    const image = (last && (await queue.find(last))) || firstToDo(store.get().images);
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
      tellUnlessOffline("The project could not be opened", error);
    }
  }

  /** @param {Outcome} outcome  of the changes an earlier page could not deliver */
  function tellResumed({ delivered, refused, waiting }) {
    if (delivered) toast("Changes that had not reached the server were delivered now.");
    if (refused.length) toast(`Earlier changes were refused (${refused.length}): ${refused[0]}`, { kind: "error" });
    if (waiting.length) toast(`Earlier changes wait for the next reload (${waiting.length}): ${waiting[0]}`, { kind: "error" });
  }

  store.watch(["labelId", "review"], ({ labelId, projectId, review }) => {
    const isLent = review !== null && review.labelId !== null; // by a review, until it ends
    if (labelId !== null && !isLent) remember(storage, LAST_LABEL + projectId, String(labelId));
  });

  setInterval(() => {
    const { online, booted, live } = store.get();
    if (!document.hidden && online && booted && !live) objects.refresh().catch(() => {});
  }, POLL_HISTORY_MS);

  return {
    prepareAgain,
    boot,
    open,
    show,
    /** @returns {string | null} the image after which the next one to do is looked for */
    place: () => stuck?.id ?? store.get().image?.id ?? null,
    adopt,
    update,
    loadMore,
    reaches: queue.reaches,
    exists: queue.exists,
    reload: queue.reload,
    filter: queue.filter,
    switchProject,
    /** @param {boolean} online */
    connection(online) {
      if (online !== store.get().online) store.set({ online });
      if (!online) void reconnect();
    },
    /** @param {number} by  1 is the next image, -1 the one before */
    async step(by) {
      const next = () => {
        const shown = shownQueue(store.get());
        const from = stuck?.by === by ? stuck.id : store.get().image?.id;
        return shown[shown.findIndex((item) => item.id === from) + by];
      };
      if (by > 0 && !next()) await loadMore().catch(() => {});
      const found = next();
      if (found) await open(found.id, by);
      else toast(by > 0 ? "This is the last image." : "This is the first image.", { quiet: true });
    },
    /** @param {WorkStatus} status */
    async setStatus(status) {
      const { image } = store.get();
      if (!image) return;
      try {
        update(image.id, await api.patch(`/images/${image.id}`, { status }));
      } catch (error) {
        toast(`The status was not changed: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
    /** Takes an image out of the queue. If it is open, its neighbour is opened. @param {string} id */
    async drop(id) {
      const index = shownQueue(store.get()).findIndex((item) => item.id === id);
      if (stuck?.id === id) stuck = null;
      queue.drop(id);
      if (store.get().image?.id !== id) return;
      const left = shownQueue({ ...store.get(), image: null });
      const neighbour = left[Math.min(index, left.length - 1)] ?? store.get().images[0];
      if (neighbour) await open(neighbour.id);
      else close();
    },
  };
}

/** @param {Image[]} images @returns {Image | undefined} the first that nobody has finished, else the first */
const firstToDo = (images) => images.find((image) => !isFinished(image)) ?? images[0];
