/** Removing images, and the bin they lie in until they are restored or removed for good. */

import { createTurns } from "../data/turns.js";
import { counted } from "./words.js";

/** @import { Image, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createBin>} Bin */

const PAGE = 1000;

/**
 * @param {{store: Store, api: Api, session: Pick<Session, "drop" | "adopt" | "open">, toast: Toast,
 *   ask: (question: string, action: string) => Promise<boolean>}} context
 */
export function createBin({ store, api, session, toast, ask }) {
  /** @param {string} failed @param {unknown} error */
  const tell = (failed, error) => void toast(`${failed}: ${/** @type {Error} */ (error).message}`, { kind: "error" });

  const inTurn = createTurns(); // so that the bin shows what a removal on its way puts into it

  /** Fetches what lies in the bin of the project shown. */
  const load = () => inTurn(fetchAll);

  async function fetchAll() {
    const { projectId } = store.get();
    /** @type {Image[]} */
    const found = [];
    for (let next = /** @type {string | null} */ (""); next !== null; ) {
      const after = next && `&after=${next}`;
      const page = await api.get(`/projects/${projectId ?? 0}/images?removed=true&limit=${PAGE}${after}`);
      found.push(...page.images);
      next = page.next;
    }
    if (store.get().projectId === projectId) store.set({ bin: found });
    return found;
  }

  /** Brings an image back to its place in the queue. @param {Pick<Image, "id" | "project_id">} image @param {boolean} [show]  opens it */
  async function restore({ id, project_id: projectId }, show = store.get().image === null) {
    try {
      const image = await inTurn(() => api.post(`/images/${id}/restore`));
      store.set({ bin: store.get().bin.filter((item) => item.id !== id) });
      if (store.get().projectId !== projectId) return;
      session.adopt([image]);
      if (show) await session.open(id);
    } catch (error) {
      tell("The image could not be restored", error);
    }
  }

  return {
    restore,
    async open() {
      try {
        await load();
      } catch (error) {
        tell("The bin could not be opened", error);
      }
    },
    /** Puts an image into the bin. @param {string} id */
    async remove(id) {
      const image = store.get().images.find((item) => item.id === id);
      if (!image) return;
      try {
        await inTurn(() => api.delete(`/images/${id}`));
      } catch (error) {
        return tell("The image could not be removed", error);
      }
      await session.drop(id);
      const what = image.annotations ? `Image removed, with ${counted(image.annotations, "object")}.` : "Image removed.";
      toast(what, { action: ["Undo", () => restore(image, true)] });
    },
    /** Removes for good what lies in the bin, if the person says so. */
    async empty() {
      const { projectId } = store.get();
      try {
        const images = await load();
        const objects = images.reduce((sum, image) => sum + image.annotations, 0);
        const what = `${counted(images.length, "image")} and ${counted(objects, "object")}`;
        if (!images.length || !(await ask(`Remove ${what} for good? This cannot be undone.`, "Remove for good"))) return;
        const { removed } = await api.delete(`/projects/${projectId ?? 0}/bin`);
        store.set({ bin: [] });
        toast(`${counted(removed, "image")} removed for good.`);
      } catch (error) {
        tell("The bin could not be emptied", error);
      }
    },
  };
}
