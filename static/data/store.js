/** An observable bag of values. */

/** @import { Store } from "./types.d.ts" */

/**
 * Watchers run once per task with the latest values, however many changes there were.
 * @template {object} T
 * @param {T} initial
 * @returns {Store<T>}
 */
export function createStore(initial) {
  let state = { ...initial };
  /** @type {Set<keyof T>} */
  let dirty = new Set();
  /** @type {{keys: Set<keyof T>, run: (state: T) => void}[]} */
  const watchers = [];

  function flush() {
    const changed = dirty;
    dirty = new Set();
    for (const watcher of watchers) {
      if ([...changed].some((key) => watcher.keys.has(key))) watcher.run(state);
    }
  }

  return {
    get: () => state,
    set(fields) {
      const keys = /** @type {(keyof T)[]} */ (Object.keys(fields)).filter((key) => state[key] !== fields[key]);
      if (!keys.length) return;
      state = { ...state, ...fields };
      if (!dirty.size) queueMicrotask(flush);
      for (const key of keys) dirty.add(key);
    },
    watch(keys, run) {
      watchers.push({ keys: new Set(keys), run });
      run(state);
    },
  };
}
