/** All objects of the project, as a file. */

import { el } from "../panels/dom.js";

/**
 * @param {{store: any, api: any, objects: any, toast: (text: string, options?: any) => void}} context
 * @returns {() => Promise<void>} downloads the COCO file, once the server has everything
 */
export function createExport({ store, api, objects, toast }) {
  return async () => {
    try {
      await api.get("/status", { retry: "never" });
    } catch (error) {
      return toast(`Nothing was exported: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    }
    await objects.settled();
    el("a", { href: `/api/projects/${store.get().projectId}/export/coco`, download: "annotations.json" }).click();
  };
}
