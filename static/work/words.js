/** Words for numbers. */

/**
 * @param {number} count
 * @param {string} thing  in the singular
 * @returns {string} "1 object", "3 objects"
 */
export const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;
