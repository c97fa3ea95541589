/** The browser's storage, or a page-long stand-in where it is forbidden. */

/** @type {WeakSet<Storage>} */
const standIns = new WeakSet();

/** @returns {Storage} */
export function openStorage() {
  try {
    localStorage.setItem("annotator.probe", "");
    localStorage.removeItem("annotator.probe");
    return localStorage;
  } catch {
    const stand = Object.create({
      getItem: (/** @type {string} */ key) => stand[key] ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (stand[key] = value),
      removeItem: (/** @type {string} */ key) => void delete stand[key],
    });
    standIns.add(stand);
    return stand;
  }
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
