/** What people do who share a project: they take the next free image, and review. */

import { draftsOf, progressOf } from "../data/progress.js";

/** @import { Image, State, Store, Toast, Verdict } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Objects } from "./objects.js" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createTeam>} Team */

/**
 * @param {Pick<State, "places" | "status">} state
 * @param {string} imageId
 * @returns {string[]} the names of the others who have the image open
 */
export function othersAt({ places, status }, imageId) {
  if (!status?.user) return [];
  const names = places.flatMap(({ image_id, user }) => (image_id === imageId && user !== status.user ? [user] : []));
  return [...new Set(names)];
}

/** @param {Pick<State, "status">} state @param {string | null} [name] @returns {string | null} the name, if it is another person's */
export const otherThan = ({ status }, name) => (status?.user && name && name !== status.user ? name : null);

/** @param {Image | null} image @returns {boolean} whether its annotators are done with it */
export const isFinished = (image) => image?.status === "done" || image?.status === "approved";

/** @param {Pick<State, "status" | "projects" | "projectId">} state @returns {boolean} whether the person approves and rejects */
export function mayReview({ status, projects, projectId }) {
  const project = projects.find((one) => one.id === projectId);
  return Boolean(status?.user && project && project.right !== "annotate");
}

/**
 * @param {{store: Store, api: Api, session: Pick<Session, "update" | "show" | "setStatus" | "place">, objects: Pick<Objects, "settled" | "refresh">, toast: Toast,
 *   ask: (question: string, action: string) => Promise<boolean>, client: string}} context
 *   `client`: the name of this tab
 */
export function createTeam({ store, api, session, objects, toast, ask, client }) {
  /** @param {string} failed @param {unknown} error */
  const tell = (failed, error) => void toast(`${failed}: ${/** @type {Error} */ (error).message}`, { kind: "error" });

  /** @returns {boolean} whether the open image is there, and nothing on it waits; it is said what does */
  function mayFinish() {
    const left = unfinishedWork(store.get());
    if (left) toast(`The image is not done yet: ${left}`, { kind: "error" });
    return store.get().photoReady && left === null;
  }

  /** @param {Image} image  the open one */
  async function markDone(image) {
    if (!(await objects.settled())) return; // what was not kept is in progress again
    if (store.get().image?.id === image.id) await session.setStatus("done");
  }

  return {
    /** Opens the next image that is not finished, and that nobody has open. */
    async nextFree() {
      const { projectId } = store.get();
      if (projectId === null) return;
      try {
        const { image: found } = await api.post(`/projects/${projectId}/next-image`, { client, after: session.place() });
        if (store.get().projectId !== projectId) return;
        if (found) await session.show(found.id);
        else toast(noneFree(store.get()));
      } catch (error) {
        tell("The next free image could not be opened", error);
      }
    },
    /** Marks the open image as done, and opens the next one to do. It stays open while something on it is neither kept nor dropped. */
    async finish() {
      const { image } = store.get();
      if (!image || !mayFinish()) return;
      if (!isFinished(image)) await markDone(image);
      const now = store.get().image;
      if (now?.id === image.id && isFinished(now)) await this.nextFree();
    },
    /** Marks the open image as done, or reopens it. What a reviewer approved is reopened after a question. */
    async toggleDone() {
      const { image } = store.get();
      if (!image) return;
      if (!isFinished(image)) return mayFinish() ? markDone(image) : undefined;
      const question = `${image.reviewer} approved this image. Reopening it takes the approval back.`;
      if (image.status === "approved" && !(await ask(question, "Reopen"))) return;
      if (store.get().image?.id === image.id) await session.setStatus("in_progress");
    },
    /**
     * Says what the person thinks of the open image, as it is on the screen.
     * @param {Verdict} verdict
     * @param {string} [comment]
     * @returns {Promise<boolean>} whether it was taken
     */
    async review(verdict, comment = "") {
      const { image } = store.get();
      if (!image) return false;
      await objects.settled();
      const { revision } = store.get().history;
      if (store.get().image?.id !== image.id) return false;
      try {
        session.update(image.id, await api.put(`/images/${image.id}/review`, { verdict, comment, revision }));
        toast(verdict === "approved" ? "Approved." : "Rejected.", { quiet: true });
        return true;
      } catch (error) {
        tell("The verdict was not taken", error);
        await objects.refresh().catch(() => {});
        return false;
      }
    },
  };
}

/** @param {State} state @returns {string | null} what on the open image is neither kept nor dropped, and how to do that */
function unfinishedWork(state) {
  const count = draftsOf(progressOf(state)).length;
  if (count === 1) return "an object is in progress. Enter keeps it, Esc drops it.";
  if (count) return `${count} objects are in progress. Enter keeps them, Esc drops them.`;
  if (state.review?.state === "running") return "masks are still looked for. Esc stops that.";
  if (state.review) return "proposals wait for your review. Enter keeps all that are shown, Esc drops the rest.";
  return null;
}

/** @param {Pick<State, "status" | "total">} state @returns {string} why there is no other image to annotate */
function noneFree({ status, total }) {
  if (!total) return "There is no image yet.";
  return status?.user ? "No other image is free: the rest is done, or others have it open." : "Every other image is done.";
}
