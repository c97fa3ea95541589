/** Automatic masks: a job that can be cancelled, then a review of its proposals with live filters. */

import { requestId } from "../data/api.js";
import { OPEN_FILTER, gathered, indicesInside, proposalAt, sameThing, visibleProposals } from "../data/proposals.js";

const POLL_MS = 300;

/** @typedef {import("../data/proposals.js").Proposal} Proposal */
/** @typedef {import("../data/proposals.js").Review} Review */

let lastReview = 0;

/** @returns {Review} */
function newReview() {
  lastReview += 1;
  return {
    id: lastReview,
    jobId: "",
    state: "running",
    done: 0,
    total: 0,
    proposals: [],
    judged: [],
    gone: new Set(),
    together: new Set(),
    filter: OPEN_FILTER,
    kept: [],
    dropped: [],
    hover: null,
  };
}

/**
 * @param {{store: any, api: any, outbox: any, objects: any, toast: (text: string, options?: any) => any,
 *   chooseLabel: () => Promise<number | null>}} context
 */
export function createReview({ store, api, outbox, objects, toast, chooseLabel }) {
  /** Reviews of images that were left, by image id; their jobs run on. @type {Map<string, Review>} */
  const parked = new Map();
  /** The last review that was closed, to be had back. @type {{imageId: string, review: Review} | null} */
  let closed = null;
  const objectIds = () => store.get().annotations.map((/** @type {any} */ item) => item.id);
  const review = () => /** @type {Review | null} */ (store.get().review);
  const find = (/** @type {number} */ id) => [review(), ...parked.values()].find((item) => item?.id === id) ?? null;

  /** Changes a review wherever it is; one that is gone stays gone. @param {number} id @param {Partial<Review>} fields */
  function patch(id, fields) {
    const now = review();
    if (now?.id === id) store.set({ review: { ...now, ...fields } });
    for (const [imageId, left] of parked) if (left.id === id) parked.set(imageId, { ...left, ...fields });
  }

  /** @param {number} id */
  function discard(id) {
    if (review()?.id === id) store.set({ review: null });
    for (const [imageId, left] of parked) if (left.id === id) parked.delete(imageId);
  }

  function closeEmpty() {
    const now = review();
    if (now?.state !== "done" || now.proposals.length) return;
    discard(now.id);
    toast("Auto-mask found nothing here.");
  }

  /** @param {number} id */
  async function poll(id) {
    while (find(id)?.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const before = find(id);
      if (!before) return;
      const job = await api.get(`/jobs/${before.jobId}`, { retry: "always" });
      const now = find(id);
      if (!now) return;
      const known = (/** @type {Proposal} */ item) => now.judged.some((old) => sameThing(old, item));
      const gone = new Set(job.proposals.filter(known).map((/** @type {Proposal} */ item) => item.index));
      patch(id, { state: job.state, done: job.done, total: job.total, proposals: job.proposals, gone });
      if (job.state === "failed") toast(`Auto-mask stopped: ${job.error ?? "the job failed."}`, { kind: "error" });
    }
    closeEmpty();
  }

  /**
   * @param {number} id
   * @param {number[]} indices  to be kept or dropped: they are judged
   * @returns {Proposal[]} those
   */
  function judge(id, indices) {
    const now = find(id);
    if (!now) return [];
    const chosen = now.proposals.filter((item) => indices.includes(item.index));
    const together = new Set([...now.together].filter((index) => !indices.includes(index)));
    patch(id, { judged: [...now.judged, ...chosen], gone: new Set([...now.gone, ...indices]), together, hover: null });
    return chosen;
  }

  /** Takes a judgement back. @param {number} id @param {Proposal[]} chosen */
  function reprieve(id, chosen) {
    const now = find(id);
    if (!now) return;
    const gone = new Set(now.gone);
    for (const item of chosen) gone.delete(item.index);
    patch(id, { judged: now.judged.filter((item) => !chosen.includes(item)), gone });
  }

  /** @param {number[]} indices @param {boolean} [merge]  as one object @returns {Promise<boolean>} whether they were kept */
  async function accept(indices, merge = false) {
    const now = review();
    const { image } = store.get();
    if (!now || !indices.length) return false;
    const label = await chooseLabel();
    if (label === null) return false;
    const chosen = judge(now.id, indices);
    const before = new Set(objectIds());
    try {
      const body = { job_id: now.jobId, indices, label_id: label, merge, request_id: requestId() };
      const document = await outbox.push({ method: "POST", path: `/images/${image.id}/automask/accept`, body });
      const ids = document.annotations.flatMap((/** @type {any} */ item) => (before.has(item.id) ? [] : [item.id]));
      patch(now.id, { kept: [...(find(now.id)?.kept ?? []), { ids, items: chosen }], dropped: [] });
      objects.show(document);
      return true;
    } catch (error) {
      reprieve(now.id, chosen);
      toast(`The masks were not kept: ${error.message}`, { kind: "error" });
      return false;
    }
  }

  return {
    /** @param {number[] | null} region  x0, y0, x1, y1 */
    async start(region = null) {
      const { image, photoReady } = store.get();
      if (!photoReady || review()?.state === "running") return;
      const blank = newReview();
      store.set({ review: blank, selection: [], hover: null, tool: "add" });
      try {
        const { job_id: jobId } = await api.post(`/images/${image.id}/automask`, { region });
        if (!find(blank.id)) return void api.delete(`/jobs/${jobId}`);
        patch(blank.id, { jobId });
        await poll(blank.id);
      } catch (error) {
        if (review()?.id !== blank.id) return patch(blank.id, { state: "failed" });
        discard(blank.id);
        toast(`Auto-mask could not run: ${error.message}`, { kind: "error" });
      }
    },
    /** Stops looking; what was found so far can be reviewed. */
    async cancel() {
      const now = review();
      if (!now) return;
      if (now.jobId) await api.delete(`/jobs/${now.jobId}`).catch(() => discard(now.id));
      else discard(now.id);
    },
    /** Goes on where it was stopped. */
    async resume() {
      const now = review();
      if (!now || now.state === "running") return;
      try {
        await outbox.idle(); // what is being kept is named by its number in this run
        await api.post(`/jobs/${now.jobId}/resume`);
        if (!find(now.id)) return void api.delete(`/jobs/${now.jobId}`);
        patch(now.id, { state: "running", proposals: [], gone: new Set(), together: new Set(), hover: null });
        await poll(now.id);
      } catch (error) {
        patch(now.id, { state: "cancelled" });
        toast(`Auto-mask could not go on: ${error.message}`, { kind: "error" });
      }
    },
    /** @param {Partial<Review["filter"]>} fields */
    filter(fields) {
      const now = review();
      if (now) patch(now.id, { filter: { ...now.filter, ...fields } });
    },
    /** @param {number} x image @param {number} y */
    hover(x, y) {
      const now = review();
      const hover = proposalAt(now, x, y)?.index ?? null;
      if (now && now.hover !== hover) patch(now.id, { hover });
    },
    /** Keeps the proposal there, with those put together if it is one of them. @param {number} x image @param {number} y */
    async keepAt(x, y) {
      const hit = proposalAt(review(), x, y);
      if (!hit) return;
      const together = gathered(review());
      await (together.includes(hit.index) ? accept(together, true) : accept([hit.index]));
    },
    /** Puts the proposal there together with others, or takes it out again. @param {number} x image @param {number} y */
    gatherAt(x, y) {
      const now = review();
      const hit = proposalAt(now, x, y);
      if (!now || !hit) return;
      const together = new Set(now.together);
      if (!together.delete(hit.index)) together.add(hit.index);
      patch(now.id, { together });
    },
    /** Drops the proposal under the pointer. */
    dropHovered() {
      const now = review();
      if (now && now.hover !== null) patch(now.id, { dropped: [...now.dropped, judge(now.id, [now.hover])] });
    },
    /** @returns {boolean} whether a dropped proposal was brought back */
    undoDrop() {
      const now = review();
      const last = now?.dropped.at(-1);
      if (!now || !last) return false;
      reprieve(now.id, last);
      patch(now.id, { dropped: now.dropped.slice(0, -1) });
      return true;
    },
    /** Runs an undo or redo; proposals whose objects it takes away can be kept again. @param {() => Promise<void>} walk */
    async follow(walk) {
      const { image } = store.get();
      const had = objectIds();
      await walk();
      if (!image || store.get().image?.id !== image.id) return;
      const has = objectIds();
      const now = review() ?? (closed?.imageId === image.id ? closed.review : null);
      for (const { ids, items } of now?.kept ?? []) {
        const [was, is] = [had, has].map((all) => ids.some((id) => all.includes(id)));
        if (!now || was === is) continue;
        if (!review()) store.set({ review: now });
        if (is) judge(now.id, items.map((item) => item.index));
        else reprieve(now.id, items);
      }
    },
    /**
     * Keeps every proposal whose middle lies inside a drawn line.
     * @param {number[][]} line image points
     * @param {boolean} merge  as one object
     */
    keepInside: (line, merge) => accept(indicesInside(review(), line), merge),
    /** Keeps those put together as one object, if there are any, else every proposal shown. */
    acceptAll: async () => {
      const now = review();
      const together = gathered(now);
      if (together.length) return void accept(together, true);
      const kept = await accept(visibleProposals(now).map((item) => item.index));
      const after = now && find(now.id);
      if (!kept || !after || after.state === "running") return;
      if (review()?.id === after.id) closed = { imageId: store.get().image.id, review: after };
      discard(after.id);
    },
    /** Leaves what is still to be judged. */
    close() {
      const { image } = store.get();
      const left = review();
      store.set({ review: null });
      if (!left || !image || !visibleProposals(left).length) return;
      const undo = () => {
        if (store.get().image?.id === image.id && !review()) store.set({ review: left });
      };
      toast("The proposals were dropped.", { action: ["Undo", undo] });
    },
    /** Leaves the image; what is to be reviewed waits for the return. @param {string} imageId */
    park(imageId) {
      const now = review();
      if (!now) return;
      parked.set(imageId, { ...now, hover: null });
      store.set({ review: null });
    },
    /** @param {string} imageId */
    unpark(imageId) {
      store.set({ review: parked.get(imageId) ?? null });
      parked.delete(imageId);
      closeEmpty();
    },
  };
}
