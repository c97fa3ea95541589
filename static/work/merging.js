/** Renaming a label to a name that another one has: the two become one. */

import { counted } from "./words.js";

/** @import { Label, LabelFields, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */

/** @typedef {ReturnType<typeof createMerging>} Merging */

/**
 * @param {{store: Store, api: Api, labels: Pick<Labels, "change" | "load">, objects: Pick<Objects, "settled" | "refresh">, toast: Toast,
 *   ask: (question: string, action: string) => Promise<boolean>}} context
 */
export function createMerging({ store, api, labels, objects, toast, ask }) {
  /** Shows what has become of the objects and the labels. */
  async function refresh() {
    await objects.refresh();
    await labels.load();
  }

  /** @param {Label} label @param {Label} into @returns {Promise<boolean>} false when the server refused */
  async function merge(label, into) {
    try {
      const { annotations: count } = await api.get(`/labels/${label.id}/usage`);
      const outcome = count
        ? `${counted(count, "object")} ${count === 1 ? "gets" : "get"} the label ${into.name}.`
        : `No object has the label ${label.name}.`;
      if (!(await ask(`Merge ${label.name} into ${into.name}? ${outcome}`, "Merge"))) return true;
      await objects.settled(); // objects on their way have the label that goes
      await api.post(`/labels/${label.id}/merge`, { into: into.id });
      if (store.get().labelId === label.id) store.set({ labelId: into.id });
      toast(`${label.name} was merged into ${into.name}.`, { action: ["Undo", () => split(label)] });
      await refresh();
      return true;
    } catch (error) {
      toast(`The labels were not merged: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      return false;
    }
  }

  /** Gives a merged label its objects and its key back. @param {Label} label */
  async function split({ id, project_id: projectId, key }) {
    try {
      await objects.settled();
      await api.post(`/projects/${projectId}/labels/${id}/split`);
      if (key) await api.patch(`/labels/${id}`, { key }).catch(() => {}); // another label may have it by now
      if (store.get().projectId === projectId) await refresh();
    } catch (error) {
      toast(`The merging was not undone: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    }
  }

  return {
    /**
     * Sets fields of a label. A name that another label has merges the two, if the person says so.
     * @param {Label} label
     * @param {LabelFields} fields
     * @returns {Promise<boolean>} false when the server refused
     */
    async change(label, fields) {
      const other = store.get().labels.find((one) => one.name === fields.name && one.id !== label.id);
      return other ? merge(label, other) : labels.change(label.id, fields);
    },
  };
}
