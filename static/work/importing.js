/** Files of other tools: objects with masks are kept, boxes without masks become proposals for review. */

import { isImage } from "./folders.js";
import { counted } from "./words.js";

/** @import { CategoryBox, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */
/** @import { Reviewing } from "./review.js" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createImporting>} Importing */

/**
 * @param {{store: Store, api: Api, labels: Pick<Labels, "load">, objects: Pick<Objects, "show">, review: Pick<Reviewing, "addBoxes">,
 *   session: Pick<Session, "open">, toast: Toast}} context
 */
export function createImporting({ store, api, labels, objects, review, session, toast }) {
  const tell = (/** @type {string[]} */ problems) => {
    if (problems.length) toast(`${problems.slice(0, 3).join(" ")}${more(problems.length - 3)}`, { kind: "error" });
  };

  /** @param {`/projects/${number}`} project */
  async function showImported(project) {
    const { images, image } = store.get();
    const [page] = await Promise.all([
      api.get(`${project}/images?limit=${Math.max(1, Math.min(1000, images.length))}`),
      labels.load(),
    ]);
    const fresh = new Map(page.images.map((item) => [item.id, item]));
    store.set({ images: store.get().images.map((item) => fresh.get(item.id) ?? item) });
    if (image) await objects.show(await api.get(`/images/${image.id}/document`));
  }

  /** @param {{image_id: string, boxes: CategoryBox[]}[]} found */
  function addToReview(found) {
    const taken = found.filter(({ image_id: id, boxes }) => review.addBoxes(id, boxes));
    const count = taken.reduce((sum, { boxes }) => sum + boxes.length, 0);
    const later = taken.length > 1 ? " Masks come when an image is opened." : "";
    if (count) toast(`${counted(count, "box")} on ${counted(taken.length, "image")} to review.${later}`);
    const left = found.length - taken.length;
    if (left)
      toast(`Proposals are waiting for review on ${counted(left, "image")} already: finish that, and import again.`, {
        kind: "error",
      });
    const open = store.get().image?.id;
    if (taken.length && !taken.some(({ image_id: id }) => id === open)) void session.open(taken[0].image_id);
  }

  return {
    /** @param {File} file @param {`/projects/${number}`} project */
    async take(file, project) {
      if (!hasObjects(file))
        return void toast(
          isImage(file)
            ? `${file.name} is an image and holds no objects. Upload adds images.`
            : `${file.name} is no file with objects: Import takes JSON, XML and CSV files, and zip archives.`,
          { kind: "error" },
        );
      const form = new FormData();
      form.append("file", file, file.name);
      const never = /** @type {const} */ ({ retry: "never" });
      try {
        const masks = isCsv(file) ? null : await outcome(api.post(`${project}/import`, form, never));
        const isWhole = masks?.reply && !masks.reply.problems.length;
        const boxes = isWhole ? null : await outcome(api.post(`${project}/boxes`, form, never));
        const found = boxes?.reply?.images ?? [];
        if (found.length && !masks?.reply?.kept) {
          tell(boxes?.reply?.problems ?? []);
        } else if (masks?.reply) {
          const { kept, present, problems } = masks.reply;
          toast(brought(kept, present));
          tell(problems);
          await showImported(project);
        } else if (boxes?.reply) {
          tell(boxes.reply.problems.length ? boxes.reply.problems : ["There are no boxes for the images here."]);
        } else throw masks?.error ?? boxes?.error;
        if (found.length) addToReview(found);
      } catch (error) {
        toast(named(file.name, /** @type {Error} */ (error).message), { kind: "error" });
      }
    },
  };
}

/** Endings of files that may hold objects or boxes, as a file dialog takes them. */
export const OBJECT_FILES = ".json,.zip,.csv,.xml";

/** @param {File} file @returns {boolean} whether it may hold objects or boxes */
export const hasObjects = ({ name }) => OBJECT_FILES.split(",").some((ending) => name.toLowerCase().endsWith(ending));

/** @param {number} kept @param {number} present  objects that were there already */
function brought(kept, present) {
  if (!present) return `${counted(kept, "object")} imported.`;
  if (kept) return `${counted(kept, "object")} imported; ${present} more ${present === 1 ? "was" : "were"} there already.`;
  return present === 1 ? "The object was there already." : `All ${present} objects were there already.`;
}
/** Such a file holds only boxes. @param {File} file */
const isCsv = (file) => /\.csv$/i.test(file.name);

/**
 * @template T
 * @param {Promise<T>} request
 * @returns {Promise<{reply: T | null, error: Error | null}>}
 */
const outcome = (request) =>
  request.then(
    (reply) => ({ reply, error: null }),
    (error) => ({ reply: null, error }),
  );

/** @param {number} count */
const more = (count) => (count > 0 ? ` And ${count} more.` : "");

/** @param {string} name @param {string} sentence @returns {string} the sentence, with the file's name in it */
export const named = (name, sentence) => (sentence.includes(name) ? sentence : `${name}: ${sentence}`);
