/** Automatic masks: a job that can be cancelled, then a review of its proposals with live filters. */

import { indicesInside, proposalAt } from "../canvas/hits.js";
import { gathered, sameThing, visibleProposals } from "../data/proposals.js";
import { newReview } from "../data/reviews.js";

/** @import { Box, Filter, ImageDocument, Job, Judged, Position, Proposal, Review, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Parking } from "../data/parking.js" */
/** @import { Objects } from "./objects.js" */

/** @typedef {ReturnType<typeof createReview>} Reviewing */
/** Names a review wherever it is. @typedef {Pick<Review, "id" | "imageId">} Run */

const POLL_MS = 300;

/** @param {Proposal} proposal @param {number} label */
function newObject({ mask, score, point }, label) {
  return { label_id: label, mask, score, source: "auto", prompts: { points: [[...point, 1]], box: null } };
}

/**
 * @param {{store: Store, api: Api, outbox: Pick<Outbox, "idle">, parking: Parking, objects: Pick<Objects, "commit">, toast: Toast,
 *   chooseLabel: () => Promise<number | null>}} context
 */
export function createReview({ store, api, outbox, parking, objects, toast, chooseLabel }) {
  /** The last review that was closed, which undo brings back. @type {Review | null} */
  let closed = null;
  const objectIds = () => store.get().annotations.map((item) => item.id);
  const shown = () => store.get().review;
  /** Ids of the reviews whose runs are asked about. @type {Set<number>} */
  const followed = new Set();

  /** @param {Run} run @returns {Review | null} as it is now; null when it was closed */
  function find({ id, imageId }) {
    const { review } = parking.of(imageId);
    return review?.id === id ? review : null;
  }

  /** Changes a review wherever it is. Nothing happens when it was closed. @param {Run} run @param {Partial<Review>} fields */
  function patch(run, fields) {
    const now = find(run);
    if (now) parking.change(run.imageId, { review: { ...now, ...fields } });
  }

  /** @param {Run} run */
  function discard(run) {
    if (find(run)) parking.change(run.imageId, { review: null });
  }

  store.watch(["review"], ({ review }) => {
    if (review?.state === "running" && review.jobId && !followed.has(review.id)) void comeBack(review);
    if (review?.state !== "done" || review.proposals.length) return;
    discard(review);
    toast("Auto-mask found nothing here.");
  });

  /** Asks how far the run is, until it ends or its review is closed. @param {Run} run */
  async function follow(run) {
    followed.add(run.id);
    try {
      for (let now = find(run); now?.state === "running"; now = find(run)) {
        takeAnswer(run, await api.get(`/jobs/${now.jobId}`, { retry: "always" }));
        if (find(run)?.state === "running") await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    } finally {
      followed.delete(run.id);
    }
  }

  /** @param {Run} run @param {Job} job */
  function takeAnswer(run, { state, done, total, proposals, error }) {
    const now = find(run);
    if (!now) return;
    const isJudged = (/** @type {Proposal} */ item) => now.judged.some((old) => sameThing(old, item));
    const gone = new Set(proposals.filter(isJudged).map((item) => item.index));
    patch(run, { state, done, total, proposals, gone });
    if (state === "failed") toast(`Auto-mask stopped: ${error ?? "the job failed."}`, { kind: "error" });
  }

  /** Goes on with a review that an earlier page began. @param {Run} run */
  async function comeBack(run) {
    try {
      await follow(run);
    } catch (error) {
      discard(run);
      toast(`The review of automatic masks is lost: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    }
  }

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
    patch(run, { judged: [...now.judged, ...chosen], gone: new Set([...now.gone, ...indices]), together, hover: null });
    return chosen;
  }

  /** Takes a judgement back. @param {Run} run @param {Judged[]} chosen */
  function unjudge(run, chosen) {
    const now = find(run);
    if (!now) return;
    const gone = new Set(now.gone);
    for (const item of chosen) gone.delete(item.index);
    patch(run, { judged: now.judged.filter((old) => !chosen.some((item) => sameThing(old, item))), gone });
  }

  /** @param {number[]} indices @param {boolean} [merge]  into one object @returns {Promise<boolean>} whether they were kept */
  async function accept(indices, merge = false) {
    const now = shown();
    if (!now || !indices.length) return false;
    const label = await chooseLabel();
    if (label === null) return false;
    const chosen = judge(now, indices);
    const before = new Set(objectIds());
    const body = { objects: chosen.map((item) => newObject(item, label)), merge };
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

  return {
    /** @param {Box | null} region */
    async start(region = null) {
      const { image, photoReady } = store.get();
      if (!image || !photoReady || shown()?.state === "running") return;
      const run = newReview(image.id);
      store.set({ review: run, selection: [], hover: null, tool: "add" });
      try {
        const { job_id: jobId } = await api.post(`/images/${image.id}/automask`, { region });
        if (!find(run)) return void api.delete(`/jobs/${jobId}`);
        patch(run, { jobId });
        await follow(run);
      } catch (error) {
        if (shown()?.id !== run.id) return patch(run, { state: "failed" });
        discard(run);
        toast(`Auto-mask could not run: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
    /** Stops looking; what was found so far can be reviewed. */
    async cancel() {
      const now = shown();
      if (!now) return;
      if (now.jobId) await api.delete(`/jobs/${now.jobId}`).catch(() => discard(now));
      else discard(now);
    },
    /** Goes on where it was stopped. */
    async resume() {
      const now = shown();
      if (!now || now.state === "running") return;
      try {
        await outbox.idle(); // proposals that are being kept are named by their index in this run
        await api.post(`/jobs/${now.jobId}/resume`);
        if (!find(now)) return void api.delete(`/jobs/${now.jobId}`);
        patch(now, { state: "running", proposals: [], gone: new Set(), together: new Set(), hover: null });
        await follow(now);
      } catch (error) {
        patch(now, { state: "cancelled" });
        toast(`Auto-mask could not go on: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
    /** @param {Partial<Filter>} fields */
    filter(fields) {
      const now = shown();
      if (now) patch(now, { filter: { ...now.filter, ...fields } });
    },
    /** @param {number} x @param {number} y */
    hover(x, y) {
      const now = shown();
      const hover = proposalAt(now, x, y)?.index ?? null;
      if (now && now.hover !== hover) patch(now, { hover });
    },
    /** Keeps the proposal there; if it is put together with others, all of them. @param {number} x @param {number} y */
    async keepAt(x, y) {
      const hit = proposalAt(shown(), x, y);
      if (!hit) return;
      const together = gathered(shown());
      await (together.includes(hit.index) ? accept(together, true) : accept([hit.index]));
    },
    /** Puts the proposal there together with others, or takes it out again. @param {number} x @param {number} y */
    gatherAt(x, y) {
      const now = shown();
      const hit = proposalAt(now, x, y);
      if (!now || !hit) return;
      const together = new Set(now.together);
      if (!together.delete(hit.index)) together.add(hit.index);
      patch(now, { together });
    },
    /** Drops the proposal under the pointer. */
    dropHovered() {
      const now = shown();
      if (now && now.hover !== null) patch(now, { dropped: [...now.dropped, judge(now, [now.hover])] });
    },
    /** @returns {boolean} whether a dropped proposal was brought back */
    undoDrop() {
      const now = shown();
      const last = now?.dropped.at(-1);
      if (!now || !last) return false;
      unjudge(now, last);
      patch(now, { dropped: now.dropped.slice(0, -1) });
      return true;
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
     * Keeps every proposal whose middle lies inside a drawn line.
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
      const { image } = store.get();
      const left = shown();
      store.set({ review: null });
      if (!left || !image || !visibleProposals(left).length) return;
      const undo = () => {
        if (store.get().image?.id === image.id && !shown()) store.set({ review: left });
      };
      toast("The proposals were dropped.", { action: ["Undo", undo] });
    },
  };
}
