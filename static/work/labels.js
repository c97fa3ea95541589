/** The project's labels. */

import { createTurns } from "../data/turns.js";

/** @import { Label, LabelFields, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createLabels>} Labels */

const FIRST_NAME = "object";

/**
 * @param {{store: Store, api: Api, toast: Toast}} context
 */
export function createLabels({ store, api, toast }) {
  const all = () => store.get().labels;
  const inTurn = createTurns(); // a list of labels is never older than the labels shown
  /** The label being added; it will be the chosen one. @type {Promise<number | null> | null} */
  let adding = null;

  /** @param {string} name @returns {Promise<number | null>} the id of the label of that name; it is made when there is none */
  function add(name) {
    const { projectId } = store.get();
    if (projectId === null) return Promise.resolve(null);
    const added = inTurn(async () => {
      const id = await findOrMake(name, projectId);
      if (id !== null && store.get().projectId === projectId) store.set({ labelId: id });
      return id;
    });
    adding = added;
    void added.finally(() => (adding = adding === added ? null : adding));
    return added;
  }

  /** @param {string} name @param {number} projectId @returns {Promise<number | null>} */
  async function findOrMake(name, projectId) {
    const known = all().find((label) => label.name === name);
    if (known) return known.id;
    try {
      const label = await api.post(`/projects/${projectId}/labels`, { name });
      if (store.get().projectId === projectId) store.set({ labels: [...all(), label] });
      return label.id;
    } catch (error) {
      toast(`The label was not added: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      return null;
    }
  }

  async function fetchAll() {
    const { projectId } = store.get();
    if (projectId === null) return;
    const labels = await api.get(`/projects/${projectId}/labels`);
    if (store.get().projectId !== projectId) return;
    const { labelId } = store.get();
    const chosen = labels.find((label) => label.id === labelId) ?? labels[0];
    store.set({ labels, labelId: chosen?.id ?? null });
  }

  /** @param {number} id @param {LabelFields} fields */
  async function patch(id, fields) {
    try {
      const label = await api.patch(`/labels/${id}`, fields);
      store.set({ labels: all().map((item) => (item.id === id ? label : item)) });
      return true;
    } catch (error) {
      toast(`The label was not changed: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      return false;
    }
  }

  /** @param {number} id */
  async function erase(id) {
    try {
      await api.delete(`/labels/${id}`);
      const left = all().filter((item) => item.id !== id);
      store.set({ labels: left, labelId: store.get().labelId === id ? (left[0]?.id ?? null) : store.get().labelId });
    } catch (error) {
      toast(/** @type {Error} */ (error).message, { kind: "error" });
    }
  }

  return {
    /** Chooses the label of this name. */
    add,
    /** Leaves the chosen label as it is. @param {string} name @returns {Promise<number | null>} as `add` does */
    named: (name) => inTurn(() => findOrMake(name, store.get().projectId ?? 0)),
    /** Fetches the labels of the project shown. */
    load: () => inTurn(fetchAll),
    /** @returns {Promise<number | null>} the label for a new object; a first one is made when there is none */
    chosen: async () => (await adding) ?? store.get().labelId ?? (await add(FIRST_NAME)),
    /**
     * @param {number} id
     * @param {LabelFields} fields
     * @returns {Promise<boolean>} whether they were taken
     */
    change: (id, fields) => inTurn(() => patch(id, fields)),
    /** @param {number} id */
    remove: (id) => inTurn(() => erase(id)),
    /** @param {string} key "1" to "9" @returns {Label | undefined} the label with this key, else the one in this place */
    byKey: (key) => all().find((label) => label.key === key) ?? all()[Number(key) - 1],
  };
}
