/** Runs that find proposals: automatic masks, a search for similar objects, or the masks of a file's boxes. */

import { newReview } from "../data/reviews.js";
import { OPEN_FILTER, atMost, isSame } from "../data/proposals.js";
import { counted } from "./words.js";

/** @import { CategoryBox, Job, JobState, Proposal, Review, ReviewKind, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Outbox } from "../data/outbox.js" */
/** @import { Parking } from "../data/parking.js" */

/** Names a review wherever it is. @typedef {Pick<Review, "id" | "imageId">} Run */
/** @typedef {ReturnType<typeof createRuns>} Runs */

const POLL_MS = 300;
/** Boxes that go to the server at once; their masks are shown before the next ones are asked for. */
const BOXES_AT_ONCE = 64;

/** Automatic masks that are shown before a person moves a slider: the best ones. */
const MOST_AT_FIRST = 50;

/** @type {Record<ReviewKind, {name: string, nothing: string}>} */
const WORDS = {
  auto: { name: "Auto-mask", nothing: "Auto-mask found nothing here." },
  similar: { name: "The search", nothing: "Nothing else like it was found here." },
  boxes: { name: "Masks for boxes", nothing: "The boxes gave no masks." },
};

/**
 * @param {{store: Store, api: Api, outbox: Pick<Outbox, "idle">, parking: Parking, toast: Toast}} context
 */
export function createRuns({ store, api, outbox, parking, toast }) {
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
    const known = review && (review.jobId || review.kind === "boxes");
    if (known && review.state === "running" && !followed.has(review.id)) void comeBack(review);
    if (review?.state !== "done" || review.proposals.length) return;
    discard(review);
    toast(WORDS[review.kind].nothing);
  });

  /** Takes proposals as they come, until the run ends or its review is closed. @param {Review} run */
  async function follow(run) {
    followed.add(run.id);
    try {
      await (run.kind === "boxes" ? askForMasks(run) : poll(run));
    } finally {
      followed.delete(run.id);
    }
  }

  /** @param {Run} run */
  async function poll(run) {
    for (let now = find(run); now?.state === "running"; now = find(run)) {
      takeAnswer(run, await api.get(`/jobs/${now.jobId}`, { retry: "always" }));
      if (find(run)?.state === "running") await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** @param {Review} run */
  async function askForMasks(run) {
    const { imageId, boxes } = run;
    /** @type {Proposal[]} */
    let proposals = [];
    for (let done = 0; done < boxes.length && find(run)?.state === "running"; ) {
      const some = boxes.slice(done, done + BOXES_AT_ONCE);
      const objects = some.map(({ box }) => ({ points: [], box }));
      const reply = await api.post(`/images/${imageId}/prompts`, { objects }, { retry: "always" });
      const found = reply.objects.map(({ mask, score, stability, area }, at) => {
        const bbox = /** @type {Proposal["bbox"]} */ ([mask.x, mask.y, mask.w, mask.h]);
        return { index: done + at, mask, score, stability, area, bbox, similarity: null, ...some[at] };
      });
      proposals = [...proposals, ...found.filter(({ mask }) => mask.w > 0)];
      done += some.length;
      const state = /** @type {JobState} */ (done < boxes.length ? "running" : "done");
      takeAnswer(run, { state, done, total: boxes.length, proposals, error: null });
    }
    const without = boxes.length - proposals.length;
    if (find(run)?.state === "done" && without && proposals.length)
      toast(`${counted(without, "box")} gave no mask.`);
  }

  /** @param {Run} run @param {Job} job */
  function takeAnswer(run, { state, done, total, proposals, error }) {
    const now = find(run);
    if (!now) return;
    const isJudged = (/** @type {Proposal} */ item) => now.judged.some((old) => isSame(now, old, item));
    const gone = new Set(proposals.filter(isJudged).map((item) => item.index));
    const filter = now.filter === OPEN_FILTER ? atMost(MOST_AT_FIRST, proposals, now.filter) : now.filter;
    patch(run, { state: now.state === "running" ? state : now.state, done, total, proposals, gone, filter });
    if (state === "failed") toast(`${WORDS[now.kind].name} stopped: ${error ?? "the job failed."}`, { kind: "error" });
  }

  /** Goes on with a review that an earlier page began, or that waited for its image. @param {Review} run */
  async function comeBack(run) {
    try {
      await follow(run);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (run.kind === "boxes") {
        patch(run, { state: "failed" });
        return void toast(`${WORDS.boxes.name} could not be made: ${message}`, { kind: "error" });
      }
      discard(run);
      toast(`The review of automatic masks is lost: ${message}`, { kind: "error" });
    }
  }

  return {
    find,
    patch,
    discard,
    /**
     * Starts a run in the open image.
     * @param {"automask" | "similar"} path
     * @param {object} body
     * @param {Partial<Review>} [fields]
     */
    async start(path, body, fields = {}) {
      const { image, photoReady } = store.get();
      if (!image || !photoReady || shown()?.state === "running") return;
      const run = newReview(image.id, fields);
      store.set({ review: run, selection: [], hover: null, tool: "add" });
      try {
        const { job_id: jobId } = await api.post(`/images/${image.id}/${path}`, body);
        if (!find(run)) return void api.delete(`/jobs/${jobId}`);
        patch(run, { jobId });
        await follow(run);
      } catch (error) {
        if (shown()?.id !== run.id) return patch(run, { state: "failed" });
        discard(run);
        toast(`${WORDS[run.kind].name} could not run: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
    /**
     * Boxes of a file become proposals when their image is opened.
     * @param {string} imageId
     * @param {CategoryBox[]} boxes
     * @returns {boolean} false where another review waits on the image, which stays
     */
    addBoxes(imageId, boxes) {
      if (parking.of(imageId).review) return false;
      parking.change(imageId, { review: newReview(imageId, { kind: "boxes", boxes }) });
      return true;
    },
    /** Stops looking; what was found so far can be reviewed. */
    async cancel() {
      const now = shown();
      if (!now) return;
      if (now.kind === "boxes") patch(now, { state: "cancelled" });
      else if (now.jobId) await api.delete(`/jobs/${now.jobId}`).catch(() => discard(now));
      else discard(now);
    },
    /** Goes on where it was stopped. */
    async resume() {
      const now = shown();
      if (!now || now.state === "running") return;
      if (now.kind === "boxes") return patch(now, { state: "running" });
      try {
        await outbox.idle(); // proposals that are being kept are named by their index in this run
        await api.post(`/jobs/${now.jobId}/resume`);
        if (!find(now)) return void api.delete(`/jobs/${now.jobId}`);
        patch(now, { state: "running", proposals: [], gone: new Set(), together: new Set() });
        await follow(now);
      } catch (error) {
        patch(now, { state: "cancelled" });
        toast(`${WORDS[now.kind].name} could not go on: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
  };
}
