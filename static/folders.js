/** The files in folders that were dropped or picked. */

/** What the server reads. */
const IMAGE = /\.(jpe?g|png|webp|tiff?|bmp|gif)$/i;

const byName = new Intl.Collator("en", { numeric: true }).compare;

/** @param {File} file @returns {boolean} whether it is an image by its name; hidden files are none */
export const isImage = ({ name }) => IMAGE.test(name) && !name.startsWith(".");

/** @param {FileList} files  of a picked folder @returns {File[]} in the order of their paths */
export const inOrder = (files) => [...files].sort((a, b) => byName(a.webkitRelativePath, b.webkitRelativePath));

/**
 * @param {FileSystemEntry[]} entries
 * @returns {Promise<File[]>} the files among them and in their folders, in the order of their paths; what cannot be read is left out
 */
export async function filesOf(entries) {
  /** @type {File[]} */
  const files = [];
  for (const entry of [...entries].sort((a, b) => byName(a.name, b.name))) {
    if (entry.isFile) files.push(...(await fileOf(/** @type {FileSystemFileEntry} */ (entry)).catch(() => [])));
    else files.push(...(await filesOf(await childrenOf(/** @type {FileSystemDirectoryEntry} */ (entry)).catch(() => []))));
  }
  return files;
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File[]>} */
const fileOf = (entry) => new Promise((resolve, reject) => entry.file((file) => resolve([file]), reject));

/** @param {FileSystemDirectoryEntry} entry @returns {Promise<FileSystemEntry[]>} */
async function childrenOf(entry) {
  const reader = entry.createReader();
  /** @type {FileSystemEntry[]} */
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return children; // a browser gives 100 at a time
    children.push(...some);
  }
}
