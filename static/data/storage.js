/** The browser's storage, or a stand-in that lives as long as the page where storage is forbidden. */

/** @type {WeakSet<Storage>} */
const standIns = new WeakSet();

/** @param {"localStorage" | "sessionStorage"} kind @returns {Storage} */
export function openStorage(kind) {
  try {
    const storage = globalThis[kind];
    storage.setItem("annotator.probe", "");
    storage.removeItem("annotator.probe");
    return storage;
  } catch {
    return createStandIn();
  }
}

/** @returns {Storage} that lives as long as the page */
export function createStandIn() {
  const stand = Object.create({
    getItem: (/** @type {string} */ key) => stand[key] ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (stand[key] = value),
    removeItem: (/** @type {string} */ key) => void delete stand[key],
  });
  standIns.add(stand);
  return stand;
}

/**
 * @param {Storage} storage  may be full
 * @param {string} key
 * @param {string} value
 * @returns {boolean} whether the value outlives the page
 */
export function remember(storage, key, value) {
  try {
    storage.setItem(key, value);
    return !standIns.has(storage);
  } catch {
    return false;
  }
}

/**
 * @template T
 * @param {Storage} storage
 * @param {string} key
 * @param {T} otherwise  when there is nothing, or nothing that can be read
 * @returns {T}
 */
export function recall(storage, key, otherwise) {
  try {
    return JSON.parse(storage.getItem(key) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}
