/** Which colour an object is drawn in. */

/** @import { State } from "../data/types.d.ts" */

/** Eight colours that stay apart with every common form of colour blindness (Okabe and Ito, 2008; black left out). */
const SAFE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#bbbbbb"];
const GOLDEN_ANGLE = 137.508;
const FALLBACK = "#3b82f6";

/**
 * @param {number} n
 * @returns {string} a colour that differs from those of the numbers before it
 */
export const distinct = (n) => `hsl(${(n * GOLDEN_ANGLE) % 360} 85% 58%)`;

/**
 * @param {Pick<State, "labels" | "view">} state
 * @param {number | null} labelId
 * @param {number} [position] of the object in the list
 * @returns {string}
 */
export function objectColor({ labels, view }, labelId, position = 0) {
  if (view.colors === "object") return distinct(position);
  const index = labels.findIndex((label) => label.id === labelId);
  if (view.colors === "safe") return SAFE[Math.max(0, index) % SAFE.length];
  return labels[index]?.color ?? FALLBACK;
}
