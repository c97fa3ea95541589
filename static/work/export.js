/** All objects of the project, as a file. */

/** @import { Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Objects } from "./objects.js" */

/**
 * @param {{store: Store, api: Api, objects: Pick<Objects, "settled">, toast: Toast, download: (path: string, name: string) => void}} context
 * @returns {() => Promise<void>} downloads the COCO file, once the server has everything
 */
export function createExport({ store, api, objects, toast, download }) {
  return async () => {
    try {
      await api.get("/status", { retry: "never" });
    } catch (error) {
      return void toast(`Nothing was exported: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    }
    if (!(await objects.settled()))
      return void toast("Nothing was exported: an object could not be saved. It is in progress again; keep or drop it first.", {
        kind: "error",
      });
    download(`/projects/${store.get().projectId}/export/coco`, "annotations.json");
  };
}
