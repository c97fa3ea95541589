/** Suggests a label for the new object in hand, where the kept objects that look like it all have one. Nothing is chosen by itself. */

import { createLatest } from "../data/api.js";
import { shownMask } from "../data/draft.js";

/** @import { Mask, Store } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createSuggestion>} Suggestion */

/** The mask has stood still for this long: the next click is not slowed down. */
const PAUSE_MS = 250;

/**
 * @param {{store: Store, api: Api}} context
 */
export function createSuggestion({ store, api }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;
  /** The mask that was asked about last. @type {Mask | null} */
  let asked = null;

  const latest = createLatest(
    (/** @type {{imageId: string, mask: Mask}} */ { imageId, mask }) =>
      api.post(`/images/${imageId}/label-suggestion`, { mask }, { retry: "never" }),
    ({ label_id: labelId }, { mask }) => {
      if (newMask() === mask) store.set({ suggestion: labelId });
    },
  );

  /** @returns {Mask | null} that of the object in hand, if it needs a label */
  function newMask() {
    const { draft, labels } = store.get();
    const mask = draft.now?.answered && !draft.now.annotationId ? shownMask(draft.now) : null;
    return mask?.w && labels.length > 1 ? mask : null;
  }

  store.watch(["draft", "labels"], ({ image }) => {
    const mask = newMask();
    if (mask === asked) return;
    asked = mask;
    clearTimeout(pause);
    latest.cancel();
    store.set({ suggestion: null });
    if (mask && image) pause = setTimeout(() => latest.ask({ imageId: image.id, mask }), PAUSE_MS);
  });

  return {
    /** Chooses the suggested label. */
    take() {
      const { suggestion, labels } = store.get();
      if (labels.some((label) => label.id === suggestion)) store.set({ labelId: suggestion, suggestion: null });
    },
  };
}
