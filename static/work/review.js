/** A review of proposals with live filters: which are kept, and which are dropped. */

import { indicesInside, pointedAt, proposalsAt } from "../canvas/hits.js";
import { OPEN_FILTER, gathered, isSame, visibleProposals } from "../data/proposals.js";
import { createRuns } from "./runs.js";

/** @import { Box, Filter, ImageDocument, Judged, Position, Proposal, Review, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Parking } from "../data/parking.js" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */
/** @import { Run } from "./runs.js" */

/** @typedef {ReturnType<typeof createReview>} Reviewing */

/** Similarity of proposals that are shown at first: most of these are right. */
const ALIKE = 0.6;

/** @param {Proposal} proposal @param {number} label */
function newObject({ mask, score, point, box }, label) {
  const prompts = { points: point ? [[...point, 1]] : [], box: box ?? null };
  return { label_id: label, mask, score, source: box ? "box" : "auto", prompts };
}

/**
 * @param {{store: Store, api: Api, outbox: Pick<Outbox, "idle">, parking: Parking, objects: Pick<Objects, "commit">, toast: Toast,
 *   labels: Pick<Labels, "chosen" | "named">}} context
 */
export function createReview({ store, api, outbox, parking, objects, toast, labels }) {
  const runs = createRuns({ store, api, outbox, parking, toast });
  const { find, patch, discard } = runs;
  /** The last review that was closed, which undo brings back. @type {Review | null} */
  let closed = null;
  /** The last review that was closed with proposals left, and the state of the image then. @type {{review: Review, revision: number, message: ReturnType<Toast>} | null} */
  let dropped = null;
  const objectIds = () => store.get().annotations.map((item) => item.id);
  const shown = () => store.get().review;

  /**
   * Marks proposals as kept or dropped.
   * @param {Run} run
   * @param {number[]} indices
   * @returns {Proposal[]} those
   */
  function judge(run, indices) {
    const now = find(run);
    if (!now) return [];
    const chosen = now.proposals.filter((item) => indices.includes(item.index));
    const together = new Set([...now.together].filter((index) => !indices.includes(index)));
    patch(run, { judged: [...now.judged, ...chosen], gone: new Set([...now.gone, ...indices]), together });
    return chosen;
  }

  /** Takes a judgement back. @param {Run} run @param {Judged[]} chosen */
  function unjudge(run, chosen) {
    const now = find(run);
    if (!now) return;
    const gone = new Set(now.gone);
    for (const item of chosen) gone.delete(item.index);
    patch(run, { judged: now.judged.filter((old) => !chosen.some((item) => isSame(now, old, item))), gone });
  }

  /**
   * @param {Proposal[]} items
   * @returns {Promise<((item: Proposal) => number) | null>} the label of each: that of its category, else the chosen one
   */
  async function findLabels(items) {
    /** @type {Map<string | undefined, number>} */
    const ids = new Map();
    for (const category of new Set(items.map((item) => item.category))) {
      const id = await (category === undefined ? labels.chosen() : labels.named(category));
      if (id === null) return null;
      ids.set(category, id);
    }
    return ({ category }) => /** @type {number} */ (ids.get(category));
  }

  /** @param {number[]} indices @param {boolean} [merge]  into one object @returns {Promise<boolean>} whether they were kept */
  async function accept(indices, merge = false) {
    const now = shown();
    if (!now || !indices.length) return false;
    const labelOf = await findLabels(now.proposals.filter((item) => indices.includes(item.index)));
    if (!labelOf) return false;
    const chosen = judge(now, indices);
    const before = new Set(objectIds());
    const body = { objects: chosen.map((item) => newObject(item, labelOf(item))), merge };
    const change = /** @type {const} */ ({ method: "POST", path: "/annotations/many", body, failed: "The masks were not kept" });
    const document = /** @type {ImageDocument | null} */ (await objects.commit(now.imageId, change));
    if (!document) {
      unjudge(now, chosen);
      return false;
    }
    const kept = find(now)?.kept ?? [];
    const known = new Set([...before, ...kept.flatMap((item) => item.ids)]);
    const ids = document.annotations.map((item) => item.id).filter((id) => !known.has(id));
    patch(now, { kept: [...kept, { ids, items: chosen }], dropped: [] });
    return true;
  }

  /** @param {Review} now @param {number} x @param {number} y @returns {boolean} whether the pointer was on the same proposals before */
  function isSameStack(now, x, y) {
    const there = proposalsAt(now, x, y);
    const { under } = pointedAt(now);
    return now.pointer !== null && there.length === under.length && there.every((item, at) => item === under[at]);
  }

  /**
   * What a click there means: the smallest proposal, or the one that was stepped to among the same ones.
   * @param {number} x
   * @param {number} y
   */
  function meantAt(x, y) {
    const now = shown();
    if (now && isSameStack(now, x, y)) return pointedAt(now).meant?.index ?? null;
    return proposalsAt(now, x, y)[0]?.index ?? null;
  }

  /** @param {number | null} index */
  function drop(index) {
    const now = shown();
    if (now && index !== null) patch(now, { dropped: [...now.dropped, judge(now, [index])] });
  }

  return {
    /** Looks for everything. @param {Box | null} region */
    start: (region = null) => runs.start("automask", { region }),
    /** Looks for what is like kept objects, which may lie in another image. @param {string[]} ids @param {string} imageId @param {number} labelId  theirs */
    startSimilar: (ids, imageId, labelId) =>
      runs.start(
        "similar",
        { annotation_ids: ids, examples_in: imageId },
        { kind: "similar", labelId, filter: { ...OPEN_FILTER, similarity: ALIKE } },
      ),
    addBoxes: runs.addBoxes,
    cancel: runs.cancel,
    resume: runs.resume,
    /** @param {Partial<Filter>} fields */
    filter(fields) {
      const now = shown();
      if (now) patch(now, { filter: { ...now.filter, ...fields } });
    },
    /** @param {number} x @param {number} y */
    hover(x, y) {
      const now = shown();
      if (now) patch(now, { pointer: [x, y], steps: isSameStack(now, x, y) ? now.steps : 0 });
    },
    /** The pointer has left the image. */
    endHover() {
      const now = shown();
      if (now?.pointer) patch(now, { pointer: null, steps: 0 });
    },
    /** Goes on to a larger or smaller one of the proposals under the pointer. @param {number} by @returns {boolean} whether there are any */
    step(by) {
      const now = shown();
      const { under, meant } = pointedAt(now);
      if (!now || !meant) return false;
      patch(now, { steps: (under.indexOf(meant) + by + under.length) % under.length });
      return true;
    },
    /** Keeps the proposal there; if it is put together with others, all of them. @param {number} x @param {number} y */
    async keepAt(x, y) {
      const index = meantAt(x, y);
      if (index === null) return;
      const together = gathered(shown());
      await (together.includes(index) ? accept(together, true) : accept([index]));
    },
    /** Puts the proposal there together with others, or takes it out again. @param {number} x @param {number} y */
    gatherAt(x, y) {
      const now = shown();
      const index = meantAt(x, y);
      if (!now || index === null) return;
      const together = new Set(now.together);
      if (!together.delete(index)) together.add(index);
      patch(now, { together });
    },
    /** @param {number} x @param {number} y */
    dropAt: (x, y) => drop(meantAt(x, y)),
    /** Drops the proposal under the pointer. */
    dropMeant: () => drop(pointedAt(shown()).meant?.index ?? null),
    /** @returns {boolean} whether a dropped proposal was brought back */
    undoDrop() {
      const now = shown();
      const last = now?.dropped.at(-1);
      if (!now || !last) return false;
      unjudge(now, last);
      patch(now, { dropped: now.dropped.slice(0, -1) });
      return true;
    },
    /** @returns {boolean} whether the review that was closed last is back; not after other changes of the image */
    undoClose() {
      const { image, history } = store.get();
      const back = dropped?.review.imageId === image?.id && dropped?.revision === history.revision && !shown() ? dropped : null;
      dropped = null;
      back?.message.close();
      if (back) store.set({ review: back.review });
      return back !== null;
    },
    /** Runs an undo or redo. Proposals whose objects it takes away can be kept again. @param {() => Promise<void>} undoRedo */
    async runUndoRedo(undoRedo) {
      const { image } = store.get();
      const before = objectIds();
      await undoRedo();
      if (!image || store.get().image?.id !== image.id) return;
      const after = objectIds();
      const now = shown() ?? (closed?.imageId === image.id ? closed : null);
      if (!now) return;
      for (const { ids, items } of now.kept) {
        const [was, is] = [before, after].map((all) => ids.some((id) => all.includes(id)));
        if (was === is) continue;
        if (!shown()) store.set({ review: now });
        if (is)
          judge(
            now,
            items.map((item) => item.index),
          );
        else unjudge(now, items);
      }
    },
    /**
     * Keeps every proposal of which at least half lies inside a drawn line.
     * @param {Position[]} line
     * @param {boolean} merge  into one object
     */
    keepInside: async (line, merge) => void (await accept(indicesInside(shown(), line), merge)),
    /** Keeps the proposals put together as one object, if there are any, else every proposal shown. */
    async acceptAll() {
      const now = shown();
      const together = gathered(now);
      if (together.length) return void (await accept(together, true));
      const kept = await accept(visibleProposals(now).map((item) => item.index));
      const after = now && find(now);
      if (!kept || !after || after.state === "running") return;
      if (shown()?.id === after.id) closed = after;
      discard(after);
    },
    /** Drops the proposals that are not judged yet. */
    close() {
      const { image, history } = store.get();
      const now = shown();
      const left = now && { ...now, pointer: null };
      store.set({ review: null });
      dropped = null;
      if (!left || !image || !visibleProposals(left).length) return;
      const undo = () => {
        dropped = null;
        if (store.get().image?.id === image.id && !shown()) store.set({ review: left });
      };
      const message = toast("The proposals were dropped.", { action: ["Undo", undo] });
      dropped = { review: left, revision: history.revision, message };
    },
  };
}
