/** The object in progress as a list of steps with an undo of its own. */

/** @import { Draft, Mask, Prompts, PromptReply, Step } from "./types.d.ts" */

/** @type {Draft} */
export const NO_DRAFT = Object.freeze({ past: [], now: null, future: [] });

let lastStep = 0;

/**
 * @param {Partial<Step>} [fields]
 * @returns {Step}
 */
export function newStep(fields = {}) {
  lastStep += 1;
  const prompts = { points: [], box: null, base: null, start: null };
  const answer = { reply: null, answered: false, index: 0, edited: null, annotationId: null, origin: null };
  return { ...prompts, ...answer, ...fields, id: lastStep };
}

/**
 * @param {Step} now
 * @returns {Draft} with this step alone
 */
export const draftOf = (now) => ({ past: [], now, future: [] });

/**
 * @param {Draft} draft
 * @param {Step} step
 * @returns {Draft} with a further step; undone steps are forgotten
 */
export function advance(draft, step) {
  return { past: draft.now ? [...draft.past, draft.now] : draft.past, now: step, future: [] };
}

/**
 * The step that follows when the prompts change.
 * @param {Draft} draft
 * @param {Partial<Prompts>} prompts
 * @param {{refine: boolean}} options  `refine`: start from the mask shown
 * @returns {Draft & {now: Step}}
 */
export function withPrompts(draft, prompts, { refine }) {
  const step = draft.now
    ? newStep({ ...draft.now, ...prompts, ...startOf(draft.now, refine), answered: false })
    : newStep(prompts);
  return { ...advance(draft, step), now: step };
}

/** @param {Step} now @param {boolean} refine @returns {Pick<Step, "base" | "start">} what the next step starts from */
function startOf(now, refine) {
  const shown = now.reply?.candidates[now.index];
  const last = now.reply ? { token: now.reply.token, index: shown?.index ?? now.index } : now.base;
  return { base: refine && !now.edited ? last : null, start: refine ? shownMask(now) : now.origin };
}

/**
 * Shows another candidate. A mask changed by hand stays behind as a step of its own.
 * @param {Draft} draft
 * @param {number} index
 * @returns {Draft}
 */
export function withCandidate(draft, index) {
  const { now } = draft;
  if (!now) return draft;
  const fields = { index, edited: null };
  return now.edited && now.answered ? advance(draft, newStep({ ...now, ...fields })) : patchStep(draft, now.id, fields);
}

/**
 * @param {Draft} draft
 * @returns {Draft} one step back; before the first step there is no object in progress
 */
export function undoStep({ past, now, future }) {
  if (!now) return { past, now, future };
  return { past: past.slice(0, -1), now: past.at(-1) ?? null, future: [now, ...future] };
}

/**
 * @param {Draft} draft
 * @returns {Draft}
 */
export function redoStep({ past, now, future }) {
  if (!future.length) return { past, now, future };
  return { past: now ? [...past, now] : past, now: future[0], future: future.slice(1) };
}

/**
 * Changes one step wherever it is in the draft. Nothing happens when the step is not there any more.
 * @param {Draft} draft
 * @param {number} id
 * @param {Partial<Step>} fields
 * @returns {Draft}
 */
export function patchStep(draft, id, fields) {
  const patch = (/** @type {Step} */ step) => (step.id === id ? { ...step, ...fields } : step);
  return { past: draft.past.map(patch), now: draft.now && patch(draft.now), future: draft.future.map(patch) };
}

/**
 * @param {PromptReply} reply
 * @param {(a: Mask, b: Mask) => boolean} same
 * @returns {PromptReply} without candidates that show the same mask as one before them
 */
export function distinctCandidates(reply, same) {
  const numbered = reply.candidates.map((candidate, index) => ({ ...candidate, index }));
  const candidates = numbered.filter((one, at) => !numbered.slice(0, at).some((other) => same(one.mask, other.mask)));
  return { ...reply, candidates };
}

/**
 * @param {Step | null} step
 * @returns {Mask | null} the mask on the screen
 */
export function shownMask(step) {
  if (!step) return null;
  return step.edited ?? step.reply?.candidates[step.index]?.mask ?? null;
}
