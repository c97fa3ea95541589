/** All objects of the project, as a file of another tool. */

import { counted } from "./words.js";

/** @import { ExportRun, FileFormat, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Objects } from "./objects.js" */

/** Which images are exported: all, or those that are done or approved. @typedef {{finished: boolean}} Chosen */
/** Which images are for validation: a share of them in percent, or null where their folders tell. @typedef {{percent: number | null, seed: number}} Split */
/** @typedef {ReturnType<typeof createExport>} Export */

const POLL_MS = 300;

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {{store: Store, api: Api, objects: Pick<Objects, "settled">, toast: Toast, download: (path: string, name: string) => void,
 *   wait?: (ms: number) => Promise<unknown>}} context
 */
export function createExport({ store, api, objects, toast, download, wait = sleep }) {
  const project = () => store.get().projectId ?? 0;

  /**
   * Follows an export to its end, and says how far it is.
   * @param {ExportRun} run
   * @param {string} name  of the file
   * @returns {Promise<ExportRun | null>} as it ended; null if the person has cancelled it
   */
  async function follow(run, name) {
    let isCancelled = false;
    const cancel = () => {
      isCancelled = true;
      return api.delete(`/exports/${run.id}`).catch(() => {}); // it may be gone already
    };
    const progress = toast(`Writing ${name} …`, { kind: "progress", action: ["Cancel", cancel] });
    try {
      let now = run;
      while (now.state === "running" && !isCancelled) {
        if (now.total) progress.update(`Writing ${name}: ${now.done} of ${counted(now.total, "image")}`, now.done / now.total);
        await wait(POLL_MS);
        if (!isCancelled) now = await api.get(`/exports/${run.id}`);
      }
      return isCancelled ? null : now;
    } catch (error) {
      if (isCancelled) return null;
      throw error;
    } finally {
      progress.close();
    }
  }

  return {
    /** @returns {Promise<FileFormat[]>} */
    formats: () => api.get("/formats"),

    /**
     * @param {FileFormat} format
     * @param {Chosen} chosen
     * @param {AbortSignal} [signal]
     * @returns {Promise<string>} what the masks of the project would lose, in numbers
     */
    async losses(format, { finished }, signal) {
      const query = finished ? "?finished=true" : "";
      return (await api.get(`/projects/${project()}/export/${format.name}/losses${query}`, { signal })).text;
    },

    /** Downloads the file, once the server has everything. @param {FileFormat} format @param {Chosen & Split} chosen */
    async download(format, { finished, percent, seed }) {
      if (!(await objects.settled()))
        return void toast(
          "Nothing was exported: an object could not be saved. It is in progress again; keep or drop it first.",
          { kind: "error" },
        );
      const split = format.has_subsets && percent !== null ? [`val=${percent / 100}`, `seed=${seed}`] : [];
      const query = [...(finished ? ["finished=true"] : []), ...split].join("&");
      try {
        const begun = await api.post(`/projects/${project()}/exports/${format.name}${query && `?${query}`}`, {}, { retry: "never" });
        const run = await follow(begun, format.file_name);
        if (!run) return void toast("The export was cancelled.");
        if (run.error) throw new Error(run.error);
        download(`/exports/${run.id}/file`, format.file_name);
      } catch (error) {
        toast(`Nothing was exported: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
  };
}
