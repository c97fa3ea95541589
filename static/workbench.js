/** The canvas, what a person does on it, and the panels beside it: what the page and the Gradio component have in common. */

import { createPhoto } from "./canvas/photo.js";
import { onNewPixelRatio } from "./canvas/pixelratio.js";
import { createRenderer } from "./canvas/render.js";
import { createViewport } from "./canvas/viewport.js";
import { createApi, requestId } from "./data/api.js";
import { createDrafts } from "./data/drafts.js";
import { createOutbox } from "./data/outbox.js";
import { createParking } from "./data/parking.js";
import { createReviews } from "./data/reviews.js";
import { rightOf } from "./data/rights.js";
import { VIEW, initialState } from "./data/state.js";
import { recall, remember } from "./data/storage.js";
import { createStore } from "./data/store.js";
import { createAsk } from "./panels/ask.js";
import { createCandidateBar } from "./panels/candidates.js";
import { el } from "./panels/dom.js";
import { createHelp } from "./panels/help.js";
import { createLabelPanel } from "./panels/labels.js";
import { createManyPanel } from "./panels/many.js";
import { createBanners, createStatusBar } from "./panels/banners.js";
import { createObjectPanel } from "./panels/objects.js";
import { createRail } from "./panels/rail.js";
import { createReviewPanel } from "./panels/review.js";
import { createToasts } from "./panels/toasts.js";
import { createCommands } from "./work/commands.js";
import { createDetail } from "./work/detail.js";
import { createImporting } from "./work/importing.js";
import { createIntake } from "./work/intake.js";
import { listenToKeys } from "./work/keys.js";
import { createLabels } from "./work/labels.js";
import { createMerging } from "./work/merging.js";
import { createObjects } from "./work/objects.js";
import { createPrompting } from "./work/prompting.js";
import { createReview } from "./work/review.js";
import { createSession } from "./work/session.js";
import { createSimilar } from "./work/similar.js";
import { createSuggestion } from "./work/suggestion.js";
import { createTeam } from "./work/team.js";
import { createTools } from "./work/tools.js";

/** @import { Store, ViewSettings } from "./data/types.d.ts" */
/** @import { Viewport } from "./canvas/viewport.js" */
/** @import { VerdictKeys } from "./work/commands.js" */

/** @typedef {ReturnType<typeof createWorkbench>} Workbench */

const PREFERENCES = "annotator.view";
const NARROW = 720; // as in style.css
/** Where there is room, a fitted image stays clear of the tool rail and the candidate bar. */
const WIDE_INSETS = { left: 64, top: 14, right: 14, bottom: 66 };
const NARROW_INSETS = { left: 6, top: 62, right: 6, bottom: 60 };

/**
 * Makes the parts and introduces them to each other. The caller puts `stage`, `side` and `status` into `root`.
 * @param {HTMLElement} root
 * @param {{fetch: typeof globalThis.fetch, base: string, storage: Storage, tabStorage: Storage, keysOf: Document | HTMLElement,
 *   belowKeys?: HTMLElement[], verdict?: VerdictKeys}} options
 *   `base`: address of the REST routes; `keysOf`: where a key counts; `belowKeys`: what stands below the key sheet;
 *   `verdict`: what the keys of a reviewer do
 */
export function createWorkbench(root, { fetch, base, storage, tabStorage, keysOf, belowKeys, verdict }) {
  const store = createStore({ ...initialState(), view: { ...VIEW, ...recall(storage, PREFERENCES, {}) } });

  const photoCanvas = el("canvas", { class: "photo" });
  const overlayCanvas = el("canvas", { class: "overlay" });
  const toastPlace = el("div", { class: "toasts" });
  const box = el(
    "div",
    { class: "canvas-box", tabindex: "0", role: "application", "aria-label": "Image canvas. Press ? for the keys." },
    photoCanvas,
    overlayCanvas,
  );
  const focusCanvas = () => box.focus({ preventScroll: true });
  const setView = (/** @type {Partial<ViewSettings>} */ fields) => store.set({ view: { ...store.get().view, ...fields } });

  // What a person does, on top of the canvas and the data
  const toast = createToasts(toastPlace, focusCanvas);
  const ask = createAsk(root);
  const viewport = createViewport(() => {
    renderer.invalidate();
    detail.moved();
    statusBar.setZoom(viewport.transform.scale);
  });
  const statusBar = createStatusBar({ store });
  const photo = createPhoto(() => renderer.invalidate(), fetch);
  const api = createApi({ fetch, base, onConnection: (online) => session.connection(online) });
  const outbox = createOutbox({ send: api.send, storage, onCount: (unsent) => store.set({ unsent }) });
  const parking = createParking({ store, drafts: createDrafts(tabStorage), reviews: createReviews(tabStorage) });
  const labels = createLabels({ store, api, toast });
  const prompting = createPrompting({ store, api, parking, toast });
  const objects = createObjects({ store, api, outbox, labels, toast, prompting });
  const review = createReview({ store, api, outbox, parking, objects, toast, labels });
  const client = requestId();
  const session = createSession({ store, api, outbox, labels, parking, objects, photo, toast, storage, client });
  const team = createTeam({ store, api, session, objects, toast, ask, client });
  const merging = createMerging({ store, api, labels, objects, toast, ask });
  const renderer = createRenderer({ photoCanvas, overlayCanvas, photo, viewport, store, onPainted: prompting.painted });
  const tools = createTools({ box, viewport, store, prompting, objects, review, toast });
  const detail = createDetail({ store, viewport, toast });
  const importing = createImporting({ store, api, labels, objects, review, session, toast });
  const intake = createIntake({ store, api, importing, session, toast });

  // What is around the canvas
  const openHelp = createHelp(root, { store, setView, closed: focusCanvas, below: belowKeys });
  const commands = createCommands({
    store,
    viewport,
    prompting,
    objects,
    review,
    similar: createSimilar({ store, review, session, toast }),
    session,
    team,
    verdict,
    labels,
    suggestion: createSuggestion({ store, api }),
    tools,
    detail,
    toast,
    openHelp,
    focusNewLabel: () => labelPanel.focus(),
  });
  const { run } = commands;
  const choose = (/** @type {number} */ id) => {
    store.set({ labelId: id });
    if (!store.get().draft.now) void objects.relabel(id);
    focusCanvas();
  };
  const labelPanel = createLabelPanel({ store, labels, merging, choose, focusCanvas });
  const stage = el(
    "div",
    { class: "stage" },
    box,
    createRail({ store, commands: run, focusCanvas }),
    createCandidateBar({ store, prompting, commands: run, focusCanvas }),
    ...createBanners({ store }),
    toastPlace,
  );
  const side = el(
    "aside",
    { class: "side" },
    createReviewPanel({ store, review, commands: run, focusCanvas }),
    createManyPanel({ store, commands: run, focusCanvas }),
    labelPanel.element,
    createObjectPanel({ store, objects, setView, commands: run, focusCanvas }),
  );

  listenToKeys(box, keysOf, {
    keymap: () => store.get().view.keymap,
    run: commands.key,
    label: commands.labelKey,
    arrow: tools.moveCursor,
  });
  const resize = () => {
    const size = { width: box.clientWidth, height: box.clientHeight };
    viewport.setScreen(size, innerWidth <= NARROW ? NARROW_INSETS : WIDE_INSETS);
    renderer.resize(size);
  };
  new ResizeObserver(resize).observe(box);
  onNewPixelRatio(resize);
  fitEachImage(store, viewport);
  store.watch(["view"], ({ view }) => {
    root.dataset.theme = view.theme;
    remember(storage, PREFERENCES, JSON.stringify(view));
  });
  store.watch(["projects", "projectId"], (state) => {
    root.dataset.right = rightOf(state); // the style sheet hides what only owners may do
  });
  store.watch(["tool", "review", "image"], ({ tool, review: reviewing, image }) => {
    box.dataset.tool = reviewing ? "review" : image ? tool : "none";
  });
  // After the mouse, Enter and the arrows are for the canvas again, not for the button that was clicked.
  root.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest("button");
    const stays = button?.closest(".popover, dialog, [aria-expanded]");
    if (event.detail > 0 && button && button === document.activeElement && !stays) focusCanvas();
  });
  window.addEventListener("pagehide", parking.save);
  window.addEventListener("beforeunload", (event) => outbox.atRisk() && event.preventDefault());
  return {
    store,
    viewport,
    box,
    api,
    toast,
    ask,
    objects,
    labels,
    session,
    team,
    client,
    intake,
    commands: run,
    setView,
    focusCanvas,
    stage,
    side,
    status: statusBar.element,
  };
}

/** Fits an image to the screen when it is opened, and not again while its facts change. @param {Store} store @param {Viewport} viewport */
function fitEachImage(store, viewport) {
  /** @type {string | null} */
  let fitted = null;
  store.watch(["image"], ({ image }) => {
    if (!image || image.id === fitted) return;
    fitted = image.id;
    viewport.setImage(image);
  });
}
