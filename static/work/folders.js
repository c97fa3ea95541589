/** The files in folders that were dropped or picked. */

/** The names of files that the server reads. */
const IMAGE = /\.(jpe?g|jpe|jfif|mpo|png|webp|tiff?|bmp|gif)$/i;

const byName = new Intl.Collator("en", { numeric: true }).compare;

/** @param {File} file @returns {boolean} whether it is an image by its name; hidden files are none */
export const isImage = ({ name }) => IMAGE.test(name) && !name.startsWith(".");

/** `path` is relative to the folder that holds all of them, as in a dataset. @typedef {{file: File, path: string}} Found */

/** @param {File[]} files  of a picked folder @returns {Found[]} in the order of their paths */
export const inOrder = (files) =>
  inside(files.map((file) => ({ file, path: file.webkitRelativePath })).sort((a, b) => byName(a.path, b.path)));

/** @param {Found[]} found @returns {Found[]} with paths relative to the folder that is common to all */
function inside(found) {
  const top = (/** @type {Found} */ { path }) => path.slice(0, path.indexOf("/") + 1);
  const common = found.length ? top(found[0]) : "";
  return found.every((one) => top(one) === common)
    ? found.map(({ file, path }) => ({ file, path: path.slice(common.length) }))
    : found;
}

/**
 * @param {FileSystemEntry[]} entries
 * @returns {Promise<Found[]>} the files among them and in their folders, in the order of their paths, without those that cannot be read
 */
export const filesOf = async (entries) => inside(await found(entries));

/** @param {FileSystemEntry[]} entries @returns {Promise<Found[]>} */
async function found(entries) {
  /** @type {Found[]} */
  const files = [];
  for (const entry of [...entries].sort((a, b) => byName(a.name, b.name))) {
    const some = entry.isFile
      ? await fileOf(/** @type {FileSystemFileEntry} */ (entry)).catch(() => [])
      : await found(await childrenOf(/** @type {FileSystemDirectoryEntry} */ (entry)).catch(() => []));
    for (const file of some) files.push(file);
  }
  return files;
}

/** @param {FileSystemFileEntry} entry @returns {Promise<Found[]>} */
const fileOf = (entry) =>
  new Promise((resolve, reject) => entry.file((file) => resolve([{ file, path: entry.fullPath.slice(1) }]), reject));

/** @param {FileSystemDirectoryEntry} entry @returns {Promise<FileSystemEntry[]>} */
async function childrenOf(entry) {
  const reader = entry.createReader();
  /** @type {FileSystemEntry[]} */
  const children = [];
  for (;;) {
    const some = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return children; // browsers give 100 at a time
    children.push(...some);
  }
}
