/** How images and objects get in: files, folders, folders of the server, samples, files of other tools. */

import { isOwner } from "../data/rights.js";
import { isImage } from "./folders.js";
import { hasObjects, named } from "./importing.js";
import { counted } from "./words.js";

/** @import { Image, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Found } from "./folders.js" */
/** @import { Importing } from "./importing.js" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createIntake>} Intake */
/** Path of a project. @typedef {`/projects/${number}`} ProjectPath */

/**
 * @param {{store: Store, api: Api, importing: Importing, session: Pick<Session, "adopt" | "open">, toast: Toast}} context
 */
export function createIntake({ store, api, importing, session, toast }) {
  /** @returns {ProjectPath} of the project shown */
  const project = () => `/projects/${store.get().projectId ?? 0}`;

  /**
   * Takes many things one after the other. The queue keeps their order, and the first is opened while the others arrive.
   * All go to the project that is shown when the first one starts.
   * @template T
   * @param {T[]} things
   * @param {string} doing
   * @param {(thing: T, into: ProjectPath) => Promise<Image[]>} take  takes one of them; returns the images it became, throws what to say
   */
  async function each(things, doing, take) {
    if (!things.length) return;
    const progress = toast("", { kind: "progress" });
    const into = project();
    let opened = false;
    /** @type {string[]} */
    const problems = [];
    /** @type {Image[]} */
    const known = [];
    for (const [at, thing] of things.entries()) {
      progress.update(`${doing} ${at + 1} of ${things.length} …`, at / things.length);
      const images = await take(thing, into).catch((error) => {
        problems.push(error.message);
        return [];
      });
      const added = session.adopt(images);
      if (added.length && !opened) void session.open(added[0].id);
      opened ||= added.length > 0;
      for (const image of images) if (!added.some(({ id }) => id === image.id)) known.push(image);
    }
    progress.close();
    if (known.length) toast(known.length === 1 ? `${known[0].name} was here already.` : `${known.length} images were here already.`);
    if (known.length && !opened) void session.open(known[0].id);
    if (problems.length === 1) toast(problems[0], { kind: "error" });
    else if (problems.length)
      toast([`${problems.length} could not be added:`, ...problems].join("\n"), { kind: "error", stays: true });
  }

  /** @param {Found} found @param {ProjectPath} into */
  async function uploadOne({ file, path }, into) {
    const form = new FormData();
    form.append("files", file, path);
    try {
      const { images, known } = await api.post(`${into}/images`, form);
      return [...images, ...known];
    } catch (error) {
      throw new Error(named(path, /** @type {Error} */ (error).message));
    }
  }

  /** @param {string} path @param {ProjectPath} into */
  async function addOne(path, into) {
    try {
      return [await api.post(`${into}/folder-images`, { path })];
    } catch (error) {
      throw new Error(named(path, /** @type {Error} */ (error).message));
    }
  }

  /** @returns {boolean} whether the person may add images and objects of files; it is said if not */
  function mayAdd() {
    const may = isOwner(store.get());
    if (!may) toast("Only the owner of the project may add images or import objects.", { kind: "error" });
    return may;
  }

  /** @param {File[]} files @param {ProjectPath} into */
  const takeObjects = async (files, into) => files.length ? importing.take(files, into) : undefined;

  return {
    /** Images, or files of other tools with objects for images that are here. @param {File[]} files */
    async take(files) {
      if (!mayAdd()) return;
      const into = project();
      const images = files.filter((file) => !hasObjects(file)).map((file) => ({ file, path: file.name }));
      await each(images, "Uploading", uploadOne);
      await takeObjects(files.filter(hasObjects), into);
    },
    /** Files of other tools. @param {File[]} files */
    takeObjects: (files) => takeObjects(files, project()),
    /** The images among the files of folders. @param {Found[]} files */
    async takeFolder(files) {
      if (!mayAdd()) return;
      const into = project();
      const images = files.filter(({ file }) => isImage(file));
      const objects = files.map(({ file }) => file).filter(hasObjects);
      const left = files.length - images.length - objects.length;
      if (!images.length) toast("There are no images in this folder.");
      else if (left)
        toast(left === 1 ? "1 file that is no image was left out." : `${left} files that are no images were left out.`);
      await each(images, "Uploading", uploadOne);
      const take = /** @type {[string, () => void]} */ (["Import", () => void takeObjects(objects, into)]);
      if (objects.length) toast(`${counted(objects.length, "file")} of the folder may hold objects.`, { action: take, stays: true });
    },
    /** All images in a folder of the server. @param {string} path */
    async addFolder(path) {
      try {
        const { images } = await api.get(`/folders?path=${encodeURIComponent(path)}`);
        if (!images.length) return void toast(`There are no images in ${path}.`);
        await each(images, "Adding", addOne);
      } catch (error) {
        toast(/** @type {Error} */ (error).message, { kind: "error" });
      }
    },
    /** @param {string} name */
    async addSample(name) {
      try {
        const image = await api.post(`${project()}/samples`, { name });
        for (const { id } of session.adopt([image])) await session.open(id);
      } catch (error) {
        toast(`The sample could not be added: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      }
    },
  };
}
