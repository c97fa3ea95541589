/** Where objects in progress overlap, and who gets the pixels. */

import { shownMask } from "../data/draft.js";
import { draftsOf } from "../data/progress.js";
import { area, boxesMeet, commonPixels, oncePerPair, subtract } from "../data/rle.js";

/** @import { Mask, Progress, Step } from "../data/types.d.ts" */

/** The pixels of both masks. */
const intersection = oncePerPair((a, b) => subtract(a, [subtract(a, [b])]));

/** The last answer; painting asks for the same one many times. @type {{of: Partial<Progress>, overlaps: Mask[]}} */
let last = { of: {}, overlaps: [] };

/** @param {Progress} progress @returns {Mask[]} the pixels that two objects claim, for each two */
export function overlapsOf({ draft, others }) {
  if (last.of.draft === draft && last.of.others === others) return last.overlaps;
  const masks = draftsOf({ draft, others }).flatMap(({ now }) => shownMask(now) ?? []);
  const overlaps = masks.flatMap((a, at) =>
    masks.slice(at + 1).flatMap((b) => (boxesMeet(a, b) ? intersection(a, b) : [])),
  );
  last = { of: { draft, others }, overlaps: overlaps.filter((mask) => mask.w > 0) };
  return last.overlaps;
}

/** @param {Progress} progress @returns {number} */
export const overlappingPixels = (progress) => overlapsOf(progress).reduce((sum, mask) => sum + area(mask), 0);

/**
 * Gives each pixel to the best-scored object that claims it. What was drawn by hand or kept before counts as best. An object
 * of which nothing would be left keeps its pixels.
 * @param {Step[]} steps
 * @returns {Map<Step, Mask>} the new masks of those that lose pixels
 */
export function masksByScore(steps) {
  const score = (/** @type {Step} */ { reply, index }) => reply?.candidates[index]?.score ?? 1;
  const ranked = steps.flatMap((step) => {
    const mask = shownMask(step);
    return mask ? [{ step, mask }] : [];
  });
  ranked.sort((a, b) => score(b.step) - score(a.step));
  return new Map(
    ranked.flatMap(({ step, mask }, at) => {
      const better = ranked.slice(0, at).filter((other) => commonPixels(mask, other.mask) > 0);
      const left = subtract(
        mask,
        better.map((other) => other.mask),
      );
      return better.length && left.w ? [[step, left]] : [];
    }),
  );
}
