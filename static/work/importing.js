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
/** Boxes on an image. @typedef {{image_id: string, boxes: CategoryBox[]}} Found */
/** What a file brought: objects that are new, and that were there already. @typedef {{kept: number, present: number, problems: string[], found: Found[]}} Brought */

const MOST_PROBLEMS = 8;

/**
 * @param {{store: Store, api: Api, labels: Pick<Labels, "load">, objects: Pick<Objects, "show">, review: Pick<Reviewing, "addBoxes">,
 *   session: Pick<Session, "open">, toast: Toast}} context
 */
export function createImporting({ store, api, labels, objects, review, session, toast }) {
  /** @param {string[]} problems */
  function tell(problems) {
    const lines = problems.slice(0, MOST_PROBLEMS);
    const more = problems.length - lines.length;
    if (more) lines.push(`And ${more} more.`);
    if (lines.length) toast(lines.join("\n"), { kind: "error", stays: lines.length > 1 });
  }

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

  /** @param {Found[]} found @param {boolean} isShown  whether their project is */
  function addToReview(found, isShown) {
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
    if (isShown && taken.length && !taken.some(({ image_id: id }) => id === open)) void session.open(taken[0].image_id);
  }

  /**
   * Sends one file. Masks are kept by the server at once.
   * @param {File} file
   * @param {`/projects/${number}`} project
   * @returns {Promise<Brought>}
   */
  async function send(file, project) {
    if (isImage(file)) throw new Error(`${file.name} is an image and holds no objects. Upload adds images.`);
    if (!hasObjects(file))
      throw new Error(`${file.name} is no file with objects: Import takes JSON, XML and CSV files, and zip archives.`);
    const form = new FormData();
    form.append("file", file, file.name);
    const never = /** @type {const} */ ({ retry: "never" });
    const masks = isCsv(file) ? null : await outcome(api.post(`${project}/import`, form, never));
    const isWhole = masks?.reply && !masks.reply.problems.length;
    const boxes = isWhole ? null : await outcome(api.post(`${project}/boxes`, form, never));
    const found = boxes?.reply?.images ?? [];
    if (found.length && !masks?.reply?.kept) return { kept: 0, present: 0, problems: boxes?.reply?.problems ?? [], found };
    if (masks?.reply) return { ...masks.reply, found };
    if (!boxes?.reply) throw masks?.error ?? boxes?.error;
    const { problems } = boxes.reply;
    return { kept: 0, present: 0, problems: problems.length ? problems : ["There are no boxes for the images here."], found };
  }

  return {
    /** Takes files one after the other, and says at the end what they brought. @param {File[]} files @param {`/projects/${number}`} project */
    async take(files, project) {
      const several = files.length > 1;
      const progress = several ? toast("", { kind: "progress" }) : null;
      let wasRead = false;
      const sum = /** @type {Brought} */ ({ kept: 0, present: 0, problems: [], found: [] });
      for (const [at, file] of files.entries()) {
        progress?.update(`Importing ${at + 1} of ${files.length} …`, at / files.length);
        try {
          const { kept, present, problems, found } = await send(file, project);
          wasRead = true;
          sum.kept += kept;
          sum.present += present;
          sum.found.push(...found);
          sum.problems.push(...problems.map((problem) => (several ? named(file.name, problem) : problem)));
        } catch (error) {
          sum.problems.push(named(file.name, /** @type {Error} */ (error).message));
        }
      }
      progress?.close();
      if (sum.kept || sum.present) toast(brought(sum.kept, sum.present));
      else if (!sum.problems.length && !sum.found.length) toast(several ? "The files hold no objects." : "The file holds no objects.");
      tell(sum.problems);
      const isShown = project === `/projects/${store.get().projectId}`; // else another one was opened meanwhile
      if (wasRead && isShown) await showImported(project).catch((error) => toast(error.message, { kind: "error" })); // labels may be new
      if (sum.found.length) addToReview(byImage(sum.found), isShown);
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

/** @param {Found[]} found @returns {Found[]} each image once, in the order they came */
function byImage(found) {
  /** @type {Map<string, CategoryBox[]>} */
  const all = new Map();
  for (const { image_id: id, boxes } of found) all.set(id, [...(all.get(id) ?? []), ...boxes]);
  return [...all].map(([image_id, boxes]) => ({ image_id, boxes }));
}

/** @param {string} name @param {string} sentence @returns {string} the sentence, with the file's name in it */
export const named = (name, sentence) => (sentence.includes(name) ? sentence : `${name}: ${sentence}`);
