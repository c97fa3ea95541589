/**
 * The objects in progress of one image: one in hand, and in the mode "many" others beside it. Undo goes back in time through
 * all of them: the numbers of their steps tell which came last.
 */

import { NO_DRAFT, advance, newStep, patchStep, redoStep, undoStep } from "./draft.js";

/** @import { Draft, Mask, Progress, Step } from "./types.d.ts" */

/** @type {Progress} */
export const NO_PROGRESS = Object.freeze({ draft: NO_DRAFT, others: [] });

/** @param {Progress} progress @returns {Progress} these two values alone */
export const progressOf = ({ draft, others }) => ({ draft, others });

/** @param {Progress} progress @returns {Draft[]} in the order in which they were begun */
export const draftsOf = ({ draft, others }) => [...others, draft].filter((one) => one.now).sort((a, b) => firstId(a) - firstId(b));

const firstId = (/** @type {Draft} */ { past, now }) => (past[0] ?? /** @type {Step} */ (now)).id;
const isEmpty = (/** @type {Draft} */ { now, future }) => !now && !future.length;

/** @param {Progress} progress @returns {Progress} with no object in hand */
export const setAside = ({ draft, others }) => ({ draft: NO_DRAFT, others: isEmpty(draft) ? others : [...others, draft] });

/** @param {Progress} progress @param {Draft} wanted  one of its drafts @returns {Progress} with that one in hand */
export function takeUp(progress, wanted) {
  if (wanted === progress.draft) return progress;
  return { draft: wanted, others: setAside(progress).others.filter((other) => other !== wanted) };
}

/** @param {Progress} progress @param {Draft} next  what becomes of the one in hand @returns {Progress} without undone steps */
export const goOn = ({ others }, next) => ({
  draft: next,
  others: others.flatMap((other) => (other.now ? [{ ...other, future: [] }] : [])),
});

/** @param {Progress} progress @returns {Progress} without the object in hand; the one changed last is in hand instead */
export const dropInHand = ({ others }) => withOneInHand({ draft: NO_DRAFT, others });

/** @param {Progress} progress */
function withOneInHand(progress) {
  const latest = progress.draft.now ? null : lastChanged(progress);
  return latest ? takeUp(progress, latest) : progress;
}

/** @param {Progress} progress @returns {Draft | undefined} */
function lastChanged({ draft, others }) {
  const id = (/** @type {Draft} */ { now }) => /** @type {Step} */ (now).id;
  return [draft, ...others].filter((one) => one.now).sort((a, b) => id(b) - id(a))[0];
}

/** @param {Progress} progress @returns {boolean} */
export const canRedo = ({ draft, others }) => [draft, ...others].some((one) => one.future.length > 0);

/** @param {Progress} progress @param {Map<Step, Mask>} masks  by the step shown @returns {Progress} with these masks, as one step of undo */
export function withMasks(progress, masks) {
  const { id } = newStep();
  const changed = (/** @type {Draft} */ draft) => {
    const edited = draft.now && masks.get(draft.now);
    return edited ? advance(draft, { ...newStep({ ...draft.now, edited, answered: true }), id }) : draft;
  };
  const { draft, others } = goOn(progress, progress.draft);
  return { draft: changed(draft), others: others.map(changed) };
}

/** @param {Progress} progress @returns {Progress} one step back */
export function undoLast(progress) {
  const latest = lastChanged(progress);
  if (!latest) return progress;
  const id = latest.now?.id;
  const back = (/** @type {Draft} */ one) => (one.now?.id === id ? undoStep(one) : one);
  const { draft, others } = takeUp(progress, latest);
  return withOneInHand({ draft: back(draft), others: others.map(back) });
}

/** @param {Progress} progress @returns {Progress} with the step undone last */
export function redoFirst(progress) {
  const undone = [progress.draft, ...progress.others].filter((one) => one.future.length);
  const [first] = undone.sort((a, b) => a.future[0].id - b.future[0].id);
  if (!first) return progress;
  const { id } = first.future[0];
  const again = (/** @type {Draft} */ one) => (one.future[0]?.id === id ? redoStep(one) : one);
  const { draft, others } = takeUp(progress, first);
  return { draft: again(draft), others: others.map(again) };
}

/** @param {Progress} progress @param {number} id  of a step that got no answer @returns {Progress} without it, if it is shown */
export function withoutStep({ draft, others }, id) {
  const back = (/** @type {Draft} */ one) => (one.now?.id === id ? { ...undoStep(one), future: [] } : one);
  return withOneInHand({ draft: back(draft), others: others.map(back).filter((other) => !isEmpty(other)) });
}

/**
 * Changes one step wherever it is. Nothing happens when the step is not there any more.
 * @param {Progress} progress
 * @param {number} id
 * @param {Partial<Step>} fields
 * @returns {Progress}
 */
export const patchProgress = ({ draft, others }, id, fields) => ({
  draft: patchStep(draft, id, fields),
  others: others.map((other) => patchStep(other, id, fields)),
});
