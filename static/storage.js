/** The browser's storage, or a page-long stand-in where it is forbidden. */

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
    return stand;
  }
}
