/** "All like this one": looks for what is like the selected objects, in the open image and in the next one. */

/** @import { Store, Toast } from "../data/types.d.ts" */
/** @import { Reviewing } from "./review.js" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createSimilar>} Similar */

/**
 * @param {{store: Store, review: Pick<Reviewing, "startSimilar">, session: Pick<Session, "step">, toast: Toast}} context
 */
export function createSimilar({ store, review, session, toast }) {
  /** The examples chosen last. @type {{imageId: string, projectId: number, ids: string[], labelId: number} | null} */
  let last = null;

  /** The review that the label of its examples is lent to, and the label that was chosen before. @type {{review: number, own: number | null, lent: number} | null} */
  let borrowed = null;
  /** @param {number | null} labelId  it may have been removed since */
  const choose = (labelId) => store.get().labels.some(({ id }) => id === labelId) && store.set({ labelId });
  store.watch(["review", "labelId"], ({ review: shown, labelId }) => {
    if (shown && labelId !== null && borrowed?.review === shown.id) {
      if (labelId === borrowed.lent) return;
      borrowed = { review: shown.id, own: labelId, lent: labelId }; // the person chose another one
      return store.set({ review: { ...shown, labelId } });
    }
    if (borrowed?.lent === labelId) choose(borrowed.own);
    borrowed = null;
    if (!shown || shown.labelId === null) return;
    borrowed = { review: shown.id, own: store.get().labelId, lent: shown.labelId };
    choose(shown.labelId);
  });

  /** @returns {boolean} whether there are examples: the selected objects, else those chosen last */
  function findExamples() {
    const { image, annotations, selection } = store.get();
    const chosen = annotations.filter((item) => selection.includes(item.id) && !item.pending);
    if (!image || !chosen.length) return last !== null && last.projectId === store.get().projectId;
    last = { imageId: image.id, projectId: image.project_id, ids: chosen.map((item) => item.id), labelId: chosen[0].label_id };
    return true;
  }
  const search = () => last && review.startSimilar(last.ids, last.imageId, last.labelId);
  const ask = () => toast("Select one or more kept objects first: Ctrl+click on the image, or in the list.");

  return {
    /** What is found is kept under the label of the first example, unless another one is chosen. */
    here: () => (findExamples() ? search() : ask()),
    /** The same in the next image. */
    async next() {
      const { image } = store.get();
      if (!findExamples()) return void ask();
      await session.step(1);
      const { image: opened, photoReady, review: waiting } = store.get();
      if (opened?.id === image?.id || !photoReady) return;
      if (waiting) toast("Proposals are waiting for review on this image already.");
      else await search();
    },
  };
}
