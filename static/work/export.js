/** All objects of the project, as a file of another tool. */

/** @import { FileFormat, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Objects } from "./objects.js" */

/** Which images are for validation: a share of them in percent, or null where their folders tell. @typedef {{percent: number | null, seed: number}} Split */
/** @typedef {ReturnType<typeof createExport>} Export */

/**
 * @param {{store: Store, api: Api, objects: Pick<Objects, "settled">, toast: Toast, download: (path: string, name: string) => void}} context
 */
export function createExport({ store, api, objects, toast, download }) {
  const project = () => store.get().projectId ?? 0;

  return {
    /** @returns {Promise<FileFormat[]>} */
    formats: () => api.get("/formats"),

    /** @param {FileFormat} format @returns {Promise<string>} what the masks of the project would lose, in numbers */
    async losses(format) {
      return (await api.get(`/projects/${project()}/export/${format.name}/losses`)).text;
    },

    /** Downloads the file, once the server has everything. @param {FileFormat} format @param {Split} split */
    async download(format, { percent, seed }) {
      try {
        await api.get("/status", { retry: "never" });
      } catch (error) {
        return void toast(`Nothing was exported: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
      if (!(await objects.settled()))
        return void toast(
          "Nothing was exported: an object could not be saved. It is in progress again; keep or drop it first.",
          { kind: "error" },
        );
      const chosen = format.has_subsets && percent !== null ? `?val=${percent / 100}&seed=${seed}` : "";
      download(`/projects/${project()}/export/${format.name}${chosen}`, format.file_name);
    },
  };
}
