/** What others do to the project: the page shows it without a reload, and tells what concerns the open image. */

import { equal } from "../data/rle.js";
import { draftsOf, progressOf } from "../data/progress.js";
import { otherThan } from "./team.js";
import { createImageNotices } from "./notices.js";
import { STATUS } from "./words.js";

/** @import { Annotation, Image, ProjectEvent, Store, Toast } from "../data/types.d.ts" */
/** @import { Labels } from "./labels.js" */
/** @import { Objects } from "./objects.js" */
/** @import { Projects } from "./projects.js" */
/** @import { Session } from "./session.js" */

/**
 * @param {{store: Store, session: Pick<Session, "adopt" | "drop" | "reload" | "update" | "reaches" | "exists">,
 *   objects: Pick<Objects, "refresh">, labels: Pick<Labels, "load">, projects: Pick<Projects, "refresh">, toast: Toast}} context
 */
export function createOthers({ store, session, objects, labels, projects, toast }) {
  const tell = createImageNotices({ store, toast });
  /** @param {string | null} by @returns {boolean} whether it was another person */
  const isOther = (by) => otherThan(store.get(), by) !== null;

  /** @param {{id: string, by: string | null}} gone */
  async function remove({ id, by }) {
    if (!store.get().images.some((item) => item.id === id) || (await session.exists(id))) return; // it was restored since
    const { image } = store.get();
    if (image?.id === id && isOther(by)) toast(`${by} removed ${image.name} from the project.`, { stays: true });
    await session.drop(id);
  }

  /** @param {Image} image @param {string | null} by */
  function change(image, by) {
    const { images, image: open } = store.get();
    if (!images.some((item) => item.id === image.id)) return void (session.reaches(image) && session.adopt([image]));
    if (open?.id !== image.id) return session.update(image.id, image);
    const { status, reviewer, review_comment } = image;
    if (isOther(by) && status !== open.status) {
      if (status === "approved") toast(`${by} approved this image.`);
      else if (status === "rejected") tell(image.id, status, `${by} rejected this image: ${review_comment}`);
      else if (open.status === "approved") tell(image.id, status, `${by} took the approval of this image back: it is ${STATUS[status]}.`);
    }
    session.update(image.id, { name: image.name, status, reviewer, review_comment }); // its objects are counted here
  }

  /** Kept objects that are being corrected. @returns {Annotation[]} */
  function corrected() {
    const ids = new Set(draftsOf(progressOf(store.get())).map(({ now }) => now?.annotationId));
    return store.get().annotations.filter((item) => ids.has(item.id));
  }

  /** Shows the open image's objects as they are now. What is in progress stays. @param {string | null} by */
  async function refresh(by) {
    const { image, history } = store.get();
    const before = corrected();
    await objects.refresh().catch(() => {});
    const now = store.get();
    if (now.image?.id !== image?.id || now.history.revision === history.revision) return;
    const who = isOther(by) ? by : by === null && now.status?.user ? "Somebody" : "Another tab";
    for (const old of before) {
      const item = now.annotations.find((one) => one.id === old.id);
      if (!item) toast(`${who} deleted the object that you are correcting. If you keep yours, it is a new object.`, { stays: true });
      else if (isOther(by) && !equal(item.mask, old.mask))
        toast(`${by} changed the object that you are correcting. If you keep yours, Ctrl+Z brings theirs back.`, { stays: true });
    }
    if (isOther(by)) toast(`${by} changed this image.`, { quiet: true });
  }

  /** @param {ProjectEvent} event */
  async function show(event) {
    if (event.places) store.set({ places: event.places });
    if (event.reload) await session.reload().catch(() => {});
    for (const { image, by } of event.images) change(image, by);
    for (const gone of event.removed) await remove(gone);
    const { image, history } = store.get();
    const open = event.images.find((one) => one.image.id === image?.id);
    if (open && open.revision > history.revision) await refresh(open.by);
    else if (event.labels || event.reload) await refresh(null);
    if (event.labels) await labels.load().catch(() => {}); // after the objects, which may have had one that is gone
    if (event.project) await projects.refresh();
  }

  return {
    show,
    /** The server tells no more: the project may be gone, or no longer be shared with this person. */
    async refused() {
      const { projectId, projects: before } = store.get();
      await projects.refresh();
      const name = before.find((one) => one.id === projectId)?.name;
      if (name && !store.get().projects.some((one) => one.id === projectId))
        toast(`The project ${name} was removed, or is no longer shared with you.`, { stays: true });
    },
  };
}
