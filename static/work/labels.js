/** The project's labels. */

const FIRST_NAME = "object";

/**
 * @param {{store: any, api: any, toast: (text: string, options?: any) => any}} context
 */
export function createLabels({ store, api, toast }) {
  const all = () => store.get().labels;
  let turn = Promise.resolve();
  /** The label being added, which is to be the chosen one. @type {Promise<number | null> | null} */
  let adding = null;

  /**
   * Requests go one after the other, so that a list of labels is never older than what is shown.
   * @template T
   * @param {() => Promise<T>} request
   * @returns {Promise<T>}
   */
  function inTurn(request) {
    const reply = turn.then(request);
    turn = reply.then(
      () => {},
      () => {},
    );
    return reply;
  }

  /** @param {string} name @returns {Promise<number | null>} the id of the label of that name, made when there is none */
  function add(name) {
    const { projectId } = store.get();
    const added = inTurn(() => find(name, projectId));
    adding = added;
    void added.finally(() => (adding = adding === added ? null : adding));
    return added;
  }

  /** @param {string} name @param {number} projectId @returns {Promise<number | null>} */
  async function find(name, projectId) {
    const known = all().find((/** @type {any} */ label) => label.name === name);
    if (known) {
      store.set({ labelId: known.id });
      return known.id;
    }
    try {
      const label = await api.post(`/projects/${projectId}/labels`, { name });
      if (store.get().projectId === projectId) store.set({ labels: [...all(), label], labelId: label.id });
      return label.id;
    } catch (error) {
      toast(`The label was not added: ${error.message}`, { kind: "error" });
      return null;
    }
  }

  async function fetchAll() {
    const { projectId } = store.get();
    const labels = await api.get(`/projects/${projectId}/labels`);
    if (store.get().projectId !== projectId) return;
    const { labelId } = store.get();
    const chosen = labels.find((/** @type {any} */ label) => label.id === labelId) ?? labels[0];
    store.set({ labels, labelId: chosen?.id ?? null });
  }

  /** @param {number} id @param {any} fields */
  async function patch(id, fields) {
    try {
      const label = await api.patch(`/labels/${id}`, fields);
      store.set({ labels: all().map((/** @type {any} */ item) => (item.id === id ? label : item)) });
      return true;
    } catch (error) {
      toast(`The label was not changed: ${error.message}`, { kind: "error" });
      return false;
    }
  }

  /** @param {number} id */
  async function erase(id) {
    try {
      await api.delete(`/labels/${id}`);
      const left = all().filter((/** @type {any} */ item) => item.id !== id);
      store.set({ labels: left, labelId: store.get().labelId === id ? (left[0]?.id ?? null) : store.get().labelId });
    } catch (error) {
      toast(error.message, { kind: "error" });
    }
  }

  return {
    add,
    /** Fetches them, again or from another project. */
    load: () => inTurn(fetchAll),
    /** @returns {Promise<number | null>} the label for a new object; the first one is made when there is none */
    chosen: async () => (await adding) ?? store.get().labelId ?? (await add(FIRST_NAME)),
    /**
     * @param {number} id
     * @param {{name?: string, color?: string, supercategory?: string, key?: string | null}} fields
     * @returns {Promise<boolean>} whether they were taken
     */
    change: (id, fields) => inTurn(() => patch(id, fields)),
    /** @param {number} id */
    remove: (id) => inTurn(() => erase(id)),
    /** @param {string} key "1" to "9" @returns {any} the label with this key, or in this place */
    byKey: (key) => all().find((/** @type {any} */ label) => label.key === key) ?? all()[Number(key) - 1],
  };
}
