/** What is in progress on each image. It waits while another image is open, and outlives a reload. */

import { NO_PROGRESS, progressOf } from "./progress.js";

/** @import { Progress, Review, Store } from "./types.d.ts" */

/** @typedef {Progress & {review: Review | null}} Work */
/** @typedef {ReturnType<typeof createParking>} Parking */

/** @type {Work} */
const NOTHING = Object.freeze({ ...NO_PROGRESS, review: null });
const SAVE_MS = 300;

/**
 * @param {{store: Store, drafts: {load: () => Map<string, Progress>, save: (all: Map<string, Progress>) => void},
 *   reviews: {load: () => Review[], save: (reviews: Review[]) => void}}} context
 */
export function createParking({ store, drafts, reviews }) {
  /** Work on images that are not shown, by image id. @type {Map<string, Work>} */
  const parked = new Map([...drafts.load()].map(([id, progress]) => [id, { ...NOTHING, ...progress }]));
  for (const review of reviews.load()) parked.set(review.imageId, { ...(parked.get(review.imageId) ?? NOTHING), review });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let saving;

  function save() {
    clearTimeout(saving);
    saving = undefined;
    const { image, draft, others, review } = store.get();
    const all = new Map(parked);
    if (image && (draft.now || review)) all.set(image.id, { draft, others, review });
    drafts.save(new Map([...all].filter(([, work]) => work.draft.now)));
    reviews.save([...all.values()].flatMap((work) => work.review ?? []));
  }
  const saveSoon = () => (saving ??= setTimeout(save, SAVE_MS));

  store.watch(["draft", "others"], ({ draft }) => {
    if (draft.now) saveSoon();
    else save(); // at once: a kept object must not come back as a draft
  });
  store.watch(["review"], ({ review }) => {
    if (review) saveSoon();
    else save();
  });

  /** @param {string} imageId @returns {Work} wherever it is */
  function of(imageId) {
    const { image, photoReady, review } = store.get();
    const shown = image?.id === imageId && photoReady ? { ...progressOf(store.get()), review } : NOTHING;
    return parked.get(imageId) ?? shown;
  }

  return {
    of,
    save,
    /** Changes the work on an image wherever it is. @param {string} imageId @param {Partial<Work>} fields */
    change(imageId, fields) {
      const { image, photoReady } = store.get();
      if (image?.id === imageId && photoReady && !parked.has(imageId)) return store.set(fields);
      const next = { ...of(imageId), ...fields };
      if (next.draft.now || next.review) parked.set(imageId, next);
      else parked.delete(imageId);
      saveSoon();
    },
    /** The image is left. @param {string} imageId */
    park(imageId) {
      const { draft, others, review } = store.get();
      if (draft.now || review) parked.set(imageId, { draft, others, review: review && { ...review, pointer: null } });
      store.set({ ...NOTHING, hover: null });
    },
    /** The image is shown again. @param {string} imageId */
    unpark(imageId) {
      store.set({ ...(parked.get(imageId) ?? NOTHING), hover: null });
      parked.delete(imageId);
    },
  };
}
