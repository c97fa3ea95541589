/** The project's labels. */

const FIRST_NAME = "object";

/**
 * @param {{store: any, api: any, toast: (text: string, options?: any) => any}} context
 */
export function createLabels({ store, api, toast }) {
  const all = () => store.get().labels;
  /** The label being added, which is to be the chosen one. @type {Promise<number | null> | null} */
  let adding = null;

  /** @param {string} name @returns {Promise<number | null>} the id of the label of that name, made when there is none */
  function add(name) {
    const added = find(name);
    adding = added;
    void added.finally(() => (adding = adding === added ? null : adding));
    return added;
  }

  /** @param {string} name @returns {Promise<number | null>} */
  async function find(name) {
    const known = all().find((/** @type {any} */ label) => label.name === name);
    if (known) {
      store.set({ labelId: known.id });
      return known.id;
    }
    try {
      const label = await api.post(`/projects/${store.get().projectId}/labels`, { name });
      store.set({ labels: [...all(), label], labelId: label.id });
      return label.id;
    } catch (error) {
      toast(`The label was not added: ${error.message}`, { kind: "error" });
      return null;
    }
  }

  return {
    add,
    /** @returns {Promise<number | null>} the label for a new object; the first one is made when there is none */
    chosen: async () => (await adding) ?? store.get().labelId ?? (await add(FIRST_NAME)),
    /** @param {number} id @param {{name?: string, color?: string}} fields */
    async change(id, fields) {
      try {
        const label = await api.patch(`/labels/${id}`, fields);
        store.set({ labels: all().map((/** @type {any} */ item) => (item.id === id ? label : item)) });
      } catch (error) {
        toast(`The label was not changed: ${error.message}`, { kind: "error" });
      }
    },
    /** @param {number} id */
    async remove(id) {
      try {
        await api.delete(`/labels/${id}`);
        const left = all().filter((/** @type {any} */ item) => item.id !== id);
        store.set({ labels: left, labelId: store.get().labelId === id ? (left[0]?.id ?? null) : store.get().labelId });
      } catch (error) {
        toast(error.message, { kind: "error" });
      }
    },
    /** @param {string} key "1" to "9" @returns {any} the label with this key, or in this place */
    byKey: (key) => all().find((/** @type {any} */ label) => label.key === key) ?? all()[Number(key) - 1],
  };
}
