/** Words for numbers and states. */

/** How a state of an image is written. */
export const STATUS = { new: "new", in_progress: "in progress", done: "done", approved: "approved", rejected: "rejected" };

/**
 * @param {number} count
 * @param {string} thing  in the singular
 * @returns {string} "1 object", "3 objects", "2 boxes"
 */
export const counted = (count, thing) => `${count} ${count === 1 ? thing : plural(thing)}`;

/** @param {string} thing @returns {string} "objects" for "object", "boxes" for "box" */
const plural = (thing) => (thing.endsWith("x") ? `${thing}es` : `${thing}s`);
