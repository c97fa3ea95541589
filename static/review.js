/** Automatic masks: a job that can be cancelled, then a review of its proposals with live filters. */

import { requestId } from "./api.js";
import { contains } from "./rle.js";

const POLL_MS = 300;

/**
 * @typedef {{index: number, mask: import("./rle.js").Mask, score: number, stability: number, area: number, bbox: number[]}} Proposal
 * @typedef {{jobId: string, state: "running" | "done" | "cancelled" | "failed", done: number, total: number,
 *   proposals: Proposal[], gone: Set<number>, filter: {score: number, stability: number, area: number},
 *   hover: number | null}} Review
 */

/** Everything passes. */
export const OPEN_FILTER = Object.freeze({ score: 0, stability: 0, area: 0 });

/**
 * @param {Review | null} review
 * @returns {Proposal[]} those still to be judged that pass the filters
 */
export function visibleProposals(review) {
  if (!review) return [];
  const { filter, gone } = review;
  return review.proposals.filter(
    (item) =>
      !gone.has(item.index) && item.score >= filter.score && item.stability >= filter.stability && item.area >= filter.area,
  );
}

/**
 * @param {Review | null} review
 * @param {number} x image
 * @param {number} y
 * @returns {Proposal | null} the smallest proposal there
 */
export function proposalAt(review, x, y) {
  const hits = visibleProposals(review).filter((item) => contains(item.mask, x, y));
  return hits.reduce((/** @type {Proposal | null} */ best, item) => (best && best.area <= item.area ? best : item), null);
}

/**
 * @param {{store: any, api: any, outbox: any, objects: any, toast: (text: string, options?: any) => any,
 *   chooseLabel: () => Promise<number | null>}} context
 */
export function createReview({ store, api, outbox, objects, toast, chooseLabel }) {
  const review = () => /** @type {Review | null} */ (store.get().review);
  const patch = (/** @type {Partial<Review>} */ fields) => {
    if (review()) store.set({ review: { ...review(), ...fields } });
  };

  /** @param {string} jobId */
  async function poll(jobId) {
    while (review()?.jobId === jobId && review()?.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const now = review();
      if (now?.jobId !== jobId) return;
      const job = await api.get(`/jobs/${jobId}?since=${now.proposals.length}`);
      const latest = review();
      if (latest?.jobId !== jobId) return;
      patch({ state: job.state, done: job.done, total: job.total, proposals: [...latest.proposals, ...job.proposals] });
      if (job.state === "failed") toast(`Auto-mask stopped: ${job.error ?? "the job failed."}`, { kind: "error" });
    }
    if (review()?.jobId === jobId && !review()?.proposals.length) {
      store.set({ review: null });
      toast("Auto-mask found nothing here.");
    }
  }

  /** @param {number[]} indices */
  async function accept(indices) {
    const now = review();
    const { image, labelId } = store.get();
    if (!now || !indices.length) return;
    const label = labelId ?? (await chooseLabel());
    if (label === null) return;
    patch({ gone: new Set([...now.gone, ...indices]), hover: null });
    try {
      const body = { job_id: now.jobId, indices, label_id: label, request_id: requestId() };
      objects.show(await outbox.push({ method: "POST", path: `/images/${image.id}/automask/accept`, body }));
    } catch (error) {
      const gone = new Set(review()?.gone ?? []);
      for (const index of indices) gone.delete(index);
      patch({ gone });
      toast(`The masks were not kept: ${error.message}`, { kind: "error" });
    }
  }

  function close() {
    store.set({ review: null });
  }

  return {
    /** @param {number[] | null} region  x0, y0, x1, y1 */
    async start(region = null) {
      const { image } = store.get();
      if (!image || review()?.state === "running") return;
      const blank = {
        jobId: "",
        state: "running",
        done: 0,
        total: 0,
        proposals: [],
        gone: new Set(),
        filter: OPEN_FILTER,
        hover: null,
      };
      store.set({ review: blank, selection: [], hover: null, tool: "add" });
      try {
        const { job_id: jobId } = await api.post(`/images/${image.id}/automask`, { region });
        if (!review() || store.get().image?.id !== image.id) return void api.delete(`/jobs/${jobId}`);
        patch({ jobId });
        await poll(jobId);
      } catch (error) {
        close();
        toast(`Auto-mask could not run: ${error.message}`, { kind: "error" });
      }
    },
    async cancel() {
      const now = review();
      if (!now) return;
      if (!now.proposals.length) close();
      else patch({ state: "cancelled" });
      if (now.jobId) await api.delete(`/jobs/${now.jobId}`).catch(() => {});
    },
    /** @param {Partial<Review["filter"]>} fields */
    filter(fields) {
      const now = review();
      if (now) patch({ filter: { ...now.filter, ...fields } });
    },
    /** @param {number} x image @param {number} y */
    hover(x, y) {
      const index = proposalAt(review(), x, y)?.index ?? null;
      if (review() && review()?.hover !== index) patch({ hover: index });
    },
    /** @param {number} x image @param {number} y */
    async keepAt(x, y) {
      const hit = proposalAt(review(), x, y);
      if (hit) await accept([hit.index]);
    },
    /** Drops the proposal under the pointer. */
    dropHovered() {
      const now = review();
      if (now && now.hover !== null) patch({ gone: new Set([...now.gone, now.hover]), hover: null });
    },
    /** Keeps every proposal whose middle lies inside a drawn line. @param {number[][]} line image points */
    keepInside: (line) =>
      accept(
        visibleProposals(review())
          .filter((item) => inPolygon(line, middle(item)))
          .map((item) => item.index),
      ),
    acceptAll: async () => {
      await accept(visibleProposals(review()).map((item) => item.index));
      if (review()?.state !== "running") close();
    },
    close,
  };
}

/** @param {Proposal} item @returns {number[]} */
const middle = ({ mask }) => [mask.x + mask.w / 2, mask.y + mask.h / 2];

/** @param {number[][]} polygon @param {number[]} point */
function inPolygon(polygon, [x, y]) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
