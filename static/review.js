/** Automatic masks: a job that can be cancelled, then a review of its proposals with live filters. */

import { requestId } from "./api.js";
import { contains } from "./rle.js";

const POLL_MS = 300;
/** Boxes that overlap more are of the same thing: the server's own rule (NMS) for automatic masks. */
const SAME_THING = 0.7;

/**
 * @typedef {{index: number, mask: import("./rle.js").Mask, score: number, stability: number, area: number, bbox: number[]}} Proposal
 * @typedef {{score: number, stability: number, area: number, overlap: number}} Filter  least score, stability and area; most
 *   overlap (IoU of the boxes) with a better-scored proposal that is shown
 * @typedef {{jobId: string, state: "running" | "done" | "cancelled" | "failed", done: number, total: number,
 *   proposals: Proposal[], gone: Set<number>, together: Set<number>, filter: Filter, hover: number | null}} Review  `gone`: kept
 *   or dropped already; `together`: to be kept as one object
 */

/** Everything passes. */
export const OPEN_FILTER = Object.freeze({ score: 0, stability: 0, area: 0, overlap: 1 });

/** @type {{key: any[], shown: Proposal[]}} */
let last = { key: [], shown: [] };

/**
 * @param {Review | null} review
 * @returns {Proposal[]} those still to be judged that pass the filters
 */
export function visibleProposals(review) {
  if (!review) return [];
  const key = [review.proposals, review.gone, review.filter];
  if (key.some((value, i) => value !== last.key[i])) last = { key, shown: filtered(review) };
  return last.shown;
}

/** @param {Review | null} review @returns {number[]} what is put together, as far as it is shown */
export const gathered = (review) =>
  visibleProposals(review)
    .map((item) => item.index)
    .filter((index) => review?.together.has(index));

/** @param {Review} review @returns {Proposal[]} */
function filtered({ proposals, gone, filter }) {
  const passing = proposals.filter(
    (item) => item.score >= filter.score && item.stability >= filter.stability && item.area >= filter.area,
  );
  /** @type {Proposal[]} */
  const apart = [];
  for (const item of passing) {
    if (filter.overlap >= 1 || apart.every((other) => boxIou(item.bbox, other.bbox) <= filter.overlap)) apart.push(item);
  }
  return apart.filter((item) => !gone.has(item.index));
}

/** @param {number[]} a  x, y, width, height @param {number[]} b */
function boxIou(a, b) {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  const common = Math.max(0, width) * Math.max(0, height);
  return common / (a[2] * a[3] + b[2] * b[3] - common);
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
  /** What was kept or dropped of this run: it does not come back when the run goes on. @type {Set<Proposal>} */
  let judged = new Set();
  const patch = (/** @type {Partial<Review>} */ fields) => {
    if (review()) store.set({ review: { ...review(), ...fields } });
  };

  /** @param {string} jobId */
  async function poll(jobId) {
    while (review()?.jobId === jobId && review()?.state === "running") {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (review()?.jobId !== jobId) return;
      const job = await api.get(`/jobs/${jobId}`);
      const latest = review();
      if (latest?.jobId !== jobId) return;
      const known = (/** @type {Proposal} */ item) => [...judged].some((old) => boxIou(old.bbox, item.bbox) > SAME_THING);
      const gone = new Set(job.proposals.filter(known).map((/** @type {Proposal} */ item) => item.index));
      patch({ state: job.state, done: job.done, total: job.total, proposals: job.proposals, gone });
      if (job.state === "failed") toast(`Auto-mask stopped: ${job.error ?? "the job failed."}`, { kind: "error" });
    }
    if (review()?.jobId === jobId && review()?.state === "done" && !review()?.proposals.length) {
      store.set({ review: null });
      toast("Auto-mask found nothing here.");
    }
  }

  /** @param {number[]} indices  to be kept or dropped: they are judged @returns {Proposal[]} those */
  function judge(indices) {
    const now = review();
    if (!now) return [];
    const chosen = now.proposals.filter((item) => indices.includes(item.index));
    for (const item of chosen) judged.add(item);
    const together = new Set([...now.together].filter((index) => !indices.includes(index)));
    patch({ gone: new Set([...now.gone, ...indices]), together, hover: null });
    return chosen;
  }

  /** @param {number[]} indices @param {boolean} [merge]  as one object @returns {Promise<boolean>} whether they were kept */
  async function accept(indices, merge = false) {
    const now = review();
    const { image } = store.get();
    if (!now || !indices.length) return false;
    const label = await chooseLabel();
    if (label === null) return false;
    const chosen = judge(indices);
    try {
      const body = { job_id: now.jobId, indices, label_id: label, merge, request_id: requestId() };
      objects.show(await outbox.push({ method: "POST", path: `/images/${image.id}/automask/accept`, body }));
      return true;
    } catch (error) {
      const gone = new Set(review()?.gone ?? []);
      for (const index of indices) gone.delete(index);
      for (const item of chosen) judged.delete(item);
      patch({ gone });
      toast(`The masks were not kept: ${error.message}`, { kind: "error" });
      return false;
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
        together: new Set(),
        filter: OPEN_FILTER,
        hover: null,
      };
      judged = new Set();
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
    /** Stops looking; what was found so far can be reviewed. */
    async cancel() {
      const now = review();
      if (now?.jobId) await api.delete(`/jobs/${now.jobId}`).catch(close);
      else close();
    },
    /** Goes on where it was stopped. */
    async resume() {
      const now = review();
      if (!now || now.state === "running") return;
      try {
        await outbox.idle(); // what is being kept is named by its number in this run
        await api.post(`/jobs/${now.jobId}/resume`);
        if (review()?.jobId !== now.jobId) return void api.delete(`/jobs/${now.jobId}`);
        patch({ state: "running", proposals: [], gone: new Set(), together: new Set(), hover: null });
        await poll(now.jobId);
      } catch (error) {
        if (review()?.jobId === now.jobId) patch({ state: "cancelled" });
        toast(`Auto-mask could not go on: ${error.message}`, { kind: "error" });
      }
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
      patch({ together });
    },
    /** Drops the proposal under the pointer. */
    dropHovered() {
      const now = review();
      if (now && now.hover !== null) judge([now.hover]);
    },
    /**
     * Keeps every proposal whose middle lies inside a drawn line.
     * @param {number[][]} line image points
     * @param {boolean} merge  as one object
     */
    keepInside: (line, merge) =>
      accept(
        visibleProposals(review())
          .filter((item) => inPolygon(line, middle(item)))
          .map((item) => item.index),
        merge,
      ),
    /** Keeps those put together as one object, if there are any, else every proposal shown. */
    acceptAll: async () => {
      const together = gathered(review());
      if (together.length) return void accept(together, true);
      const kept = await accept(visibleProposals(review()).map((item) => item.index));
      if (kept && review()?.state !== "running") close();
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
