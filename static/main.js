/** Puts the page together: builds the elements, makes the parts, and introduces them to each other. */

import { createApi } from "./data/api.js";
import { createCommands } from "./work/commands.js";
import { createDetail } from "./work/detail.js";
import { el } from "./panels/dom.js";
import { createDrafts } from "./data/drafts.js";
import { createExport } from "./work/export.js";
import { listenToKeys } from "./work/keys.js";
import { createIntake } from "./work/intake.js";
import { createLabels } from "./work/labels.js";
import { createModels } from "./work/models.js";
import { createObjects } from "./work/objects.js";
import { createOutbox } from "./data/outbox.js";
import { createCandidateBar } from "./panels/candidates.js";
import { createHeader } from "./panels/header.js";
import { createFolderPanel } from "./panels/folder.js";
import { createHelp } from "./panels/help.js";
import { createLabelPanel } from "./panels/labels.js";
import { createEmptyState, createNotices, createStatusBar } from "./panels/notices.js";
import { createObjectPanel } from "./panels/objects.js";
import { createRail } from "./panels/rail.js";
import { createReviewPanel } from "./panels/review.js";
import { createStrip } from "./panels/strip.js";
import { createToasts } from "./panels/toasts.js";
import { createViewPanel } from "./panels/view.js";
import { createPhoto } from "./canvas/photo.js";
import { createPrompting } from "./work/prompting.js";
import { createRenderer, readBack } from "./canvas/render.js";
import { createReview } from "./work/review.js";
import { createSession } from "./work/session.js";
import { VIEW, createStore, initialState, shownMask } from "./data/state.js";
import { openStorage, remember } from "./data/storage.js";
import { createTools } from "./work/tools.js";
import { listenToFiles } from "./panels/uploads.js";
import { createViewport } from "./canvas/viewport.js";

const PREFERENCES = "annotator.view";
const NARROW = 720;
/** A fitted image stays clear of the tool rail and the candidate bar where there is room. */
const WIDE_INSETS = { left: 64, top: 14, right: 14, bottom: 66 };
const NARROW_INSETS = { left: 6, top: 62, right: 6, bottom: 60 };

/**
 * Turns an empty element into the annotator. Mounting twice does nothing.
 * @param {HTMLElement & {annotator?: any}} root
 */
export function mount(root) {
  if (root.annotator) return;
  const storage = openStorage("localStorage");
  const store = createStore({ ...initialState(), view: { ...VIEW, ...remembered(storage) } });

  const photoCanvas = el("canvas", { class: "photo" });
  const overlayCanvas = el("canvas", { class: "overlay" });
  const toastPlace = el("div", { class: "toasts" });
  const box = el(
    "div",
    { class: "canvas-box", tabindex: "0", role: "application", "aria-label": "Image canvas. Press ? for the keys." },
    photoCanvas,
    overlayCanvas,
  );
  const done = () => box.focus({ preventScroll: true });

  const toast = createToasts(toastPlace, done);
  const viewport = createViewport(() => {
    renderer.invalidate();
    detail.moved();
    statusBar.setZoom(viewport.view.scale);
  });
  const statusBar = createStatusBar({ store });
  const photo = createPhoto(() => renderer.invalidate());
  const api = createApi({ fetch: fetch.bind(window), onConnection: (online) => session.connection(online) });
  const outbox = createOutbox({ send: api.send, storage, onCount: (unsent) => store.set({ unsent }) });
  const labels = createLabels({ store, api, toast });
  const prompting = createPrompting({ store, api, toast, drafts: createDrafts(openStorage("sessionStorage")) });
  const objects = createObjects({ store, api, outbox, labels, toast, prompting });
  const review = createReview({ store, api, outbox, objects, toast, chooseLabel: labels.chosen });
  const session = createSession({ store, api, outbox, labels, objects, prompting, review, photo, toast, storage });
  const renderer = createRenderer({ photoCanvas, overlayCanvas, photo, viewport, store, onPainted: prompting.painted });
  const tools = createTools({ box, viewport, store, prompting, objects, review, toast });
  const detail = createDetail({ store, viewport, toast });
  const setView = (/** @type {any} */ fields) => store.set({ view: { ...store.get().view, ...fields } });
  const openHelp = createHelp(root, { store, setView, closed: done });
  const intake = createIntake({ store, api, labels, objects, session, toast });
  const pick = listenToFiles(root, {
    files: (files) => void intake.take(files).then(done),
    folder: (files) => void intake.takeFolder(files).then(done),
  });
  const pickFiles = () => pick.files();
  const commands = createCommands({
    store,
    viewport,
    prompting,
    objects,
    review,
    session,
    labels,
    tools,
    detail,
    openHelp,
    focusNewLabel: () => labelPanel.focus(),
  });
  const { run } = commands;
  const choose = (/** @type {number} */ id) => {
    store.set({ labelId: id });
    if (!store.get().draft.now) void objects.relabel(id);
    done();
  };
  const labelPanel = createLabelPanel({ store, labels, choose, done });

  listenToKeys(box, {
    keymap: () => store.get().view.keymap,
    run: commands.key,
    label: commands.labelKey,
    arrow: tools.moveCursor,
  });

  const stage = el(
    "div",
    { class: "stage" },
    box,
    createRail({ store, commands: run, done }),
    createCandidateBar({ store, prompting, commands: run, done }),
    createEmptyState({ store, intake, pickFiles, done }),
    ...createNotices({ store }),
    toastPlace,
  );
  const side = el(
    "aside",
    { class: "side" },
    createReviewPanel({ store, review, done }),
    labelPanel.element,
    createObjectPanel({ store, objects, setView, commands: run, done }),
  );
  const viewPanel = createViewPanel({ store, setView, toggleTheme });
  root.prepend(
    createHeader({
      store,
      session,
      exportCoco: createExport({ store, api, objects, toast }),
      models: createModels({ store, api, toast }),
      commands: run,
      pickFiles,
      pickFolder: pick.folder,
      pickCoco: () => pick.files(".json"),
      viewPanel,
      folderPanel: createFolderPanel({ store, intake, done }),
      done,
    }),
    stage,
    side,
    createStrip({ store, session, intake, pickFiles, done }),
    statusBar.element,
  );

  new ResizeObserver(() => {
    const size = { width: box.clientWidth, height: box.clientHeight };
    viewport.setScreen(size, size.width < NARROW ? NARROW_INSETS : WIDE_INSETS);
    renderer.resize(size);
  }).observe(box);
  store.watch(["image"], ({ image }) => image && sized(image));
  store.watch(["view"], ({ view }) => remember(storage, PREFERENCES, JSON.stringify(view)));
  store.watch(["tool", "review", "image"], ({ tool, review: reviewing, image }) => {
    box.dataset.tool = reviewing ? "review" : image ? tool : "none";
  });

  /** @type {string | null} */
  let fittedTo = null;
  /** @param {any} image */
  function sized(image) {
    if (image.id === fittedTo) return;
    fittedTo = image.id;
    viewport.setImage(image);
  }

  // After the mouse, Enter and the arrows are for the canvas again, not for the button that was clicked.
  root.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("button");
    const stays = button?.closest(".popover, dialog, [aria-expanded]");
    if (event.detail > 0 && button && button === document.activeElement && !stays) done();
  });
  window.addEventListener("pagehide", prompting.save);
  window.addEventListener("beforeunload", (event) => outbox.atRisk() && event.preventDefault());
  root.annotator = createHook({ root, store, viewport, box });
  void session.boot().then(done);
}

/** @param {Storage} storage @returns {object} the preferences of the last visit */
function remembered(storage) {
  try {
    return JSON.parse(storage.getItem(PREFERENCES) ?? "{}");
  } catch {
    return {};
  }
}

function toggleTheme() {
  const dark = document.body.classList.toggle("dark");
  document.documentElement.style.colorScheme = dark ? "dark" : "light";
}

/**
 * What scripts and tests may ask the page. `data-ready` is "true" when an image is drawn or the page waits for one,
 * `data-busy` while a prompt or a change is on its way, `data-embedding` when the open image is encoded.
 * @param {{root: HTMLElement, store: any, viewport: any, box: HTMLElement}} parts
 */
function createHook({ root, store, viewport, box }) {
  store.watch(["booted", "image", "photoReady", "busy", "unsent"], (/** @type {any} */ state) => {
    root.dataset.ready = String(state.booted && (state.image === null || state.photoReady));
    root.dataset.busy = String(state.busy > 0 || state.unsent > 0);
    root.dataset.embedding = state.image?.embedding ?? "none";
  });
  return {
    state: store.get,
    viewport,
    /** @param {number} x image @param {number} y @returns {[number, number]} position on the page */
    imageToPage(x, y) {
      const { left, top } = box.getBoundingClientRect();
      const [sx, sy] = viewport.toScreen(x, y);
      return [left + sx, top + sy];
    },
    /** @param {string} [id] of a kept object; without it the object in progress @returns {any} the mask as it is drawn, read back */
    readMask(id) {
      const { annotations, draft, image } = store.get();
      const mask = id ? annotations.find((/** @type {any} */ item) => item.id === id)?.mask : shownMask(draft.now);
      return mask ? readBack(mask, image) : null;
    },
  };
}
