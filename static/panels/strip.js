/** The image queue and, behind it, the samples. */

import { el, icon, iconButton } from "./dom.js";
import { shownQueue } from "../work/queue.js";

/** @import { Image, ImageStatus, Sample, State, Store } from "../data/types.d.ts" */
/** @import { Intake } from "../work/intake.js" */
/** @import { Session } from "../work/session.js" */

const STATUS = { new: "new", in_progress: "in progress", done: "done" };

/**
 * @param {{store: Store, session: Session, intake: Intake, pickFiles: () => void, focusCanvas: () => void}} context
 */
export function createStrip({ store, session, intake, pickFiles, focusCanvas }) {
  const add = el(
    "button",
    { type: "button", class: "tile add", title: "Upload images", "aria-label": "Upload images", onclick: pickFiles },
    icon("plus"),
  );
  const filter = el("select", {
    class: "filter",
    "aria-label": "Show images",
    onchange: () => void session.filter(/** @type {ImageStatus | ""} */ (filter.value)),
  });
  for (const [value, words] of [["", "All"], ...Object.entries(STATUS)]) filter.append(el("option", { value }, words));
  const count = el("span", { class: "count" });
  const side = el("div", { class: "strip-side" }, count, filter);
  const queue = el("div", { class: "tiles queue", role: "list", "aria-label": "Images" });
  const samples = el("div", { class: "tiles samples", role: "group", "aria-label": "Sample photos" });
  const scroller = el("div", { class: "scroller" }, queue, samples);

  /** The tiles by image id, and the values each was made from. @type {Map<string, {node: HTMLElement, from: unknown[]}>} */
  const tiles = new Map();

  scroller.addEventListener("scroll", () => {
    if (scroller.scrollLeft + scroller.clientWidth > queue.offsetWidth - 400) void session.loadMore().catch(() => {});
  });
  scroller.addEventListener(
    "wheel",
    (event) => {
      if (event.deltaX === 0) scroller.scrollLeft += event.deltaY;
    },
    { passive: true },
  );

  /** @param {Image} image @param {boolean} current */
  function tile(image, current) {
    const from = [image.thumbnail_url, image.name, image.status, image.embedding, image.annotations, current];
    const known = tiles.get(image.id);
    if (known && from.every((value, i) => value === known.from[i])) return known.node;
    const node = newTile(image, current);
    tiles.set(image.id, { node, from });
    return node;
  }

  // A function of its own: listeners that are made where `known` is in scope would keep the tile before alive.
  /** @param {Image} image @param {boolean} current */
  function newTile(image, current) {
    const words = `${image.name}: ${STATUS[image.status]}, ${image.annotations} objects`;
    const open = el(
      "button",
      {
        type: "button",
        class: current ? "tile current" : "tile",
        title: words,
        "aria-label": words,
        "aria-current": current && "true",
        dataset: { id: image.id },
        onclick: () => void session.open(image.id).then(focusCanvas),
      },
      el("img", { src: image.thumbnail_url, alt: "", loading: "lazy", draggable: false }),
      el("span", { class: `state ${image.status} ${image.embedding === "ready" ? "ready" : ""}` }),
      image.annotations ? el("span", { class: "badge" }, String(image.annotations)) : null,
    );
    const remove = iconButton("close", `Remove ${image.name}`, () => void session.removeImage(image.id).then(focusCanvas), {
      class: "small tile-remove",
    });
    return el("div", { class: "tile-box", role: "listitem" }, open, remove);
  }

  /** @param {State} state */
  function draw(state) {
    const { images, image, total, queueStatus } = state;
    filter.value = queueStatus;
    const nodes = shownQueue(state).map((item) => tile(item, item.id === image?.id));
    if (nodes.length !== queue.childElementCount || nodes.some((node, i) => queue.children[i] !== node))
      queue.replaceChildren(...nodes);
    const at = images.findIndex((item) => item.id === image?.id);
    count.textContent = total ? `${at + 1} / ${total}` : "";
    side.hidden = total === 0;
  }

  /** @type {string | null} */
  let scrolledTo = null;
  store.watch(["images", "image", "total", "queueStatus"], (state) => {
    draw(state);
    if (state.image?.id === scrolledTo) return;
    scrolledTo = state.image?.id ?? null;
    const node = scrolledTo && tiles.get(scrolledTo)?.node;
    if (node) scroller.scrollTo({ left: node.offsetLeft - scroller.clientWidth / 2 + node.offsetWidth / 2 });
  });

  store.watch(["samples", "images"], (state) => {
    const taken = new Set(state.images.map((image) => image.name.replace(/\.\w+$/, "")));
    const left = state.samples.filter((sample) => !taken.has(sample.name));
    samples.hidden = !left.length || !state.images.length;
    samples.replaceChildren(
      el("span", { class: "divider" }, "Samples"),
      ...left.map((sample) => sampleTile(sample, intake, focusCanvas)),
    );
  });

  return el("nav", { class: "strip", "aria-label": "Image queue" }, add, side, scroller);
}

/** @param {Sample} sample @param {Pick<Intake, "addSample">} intake @param {() => void} focusCanvas */
export function sampleTile(sample, intake, focusCanvas) {
  return el(
    "button",
    {
      type: "button",
      class: "tile sample",
      title: `Add the sample “${sample.title}”`,
      "aria-label": `Add the sample ${sample.title}`,
      onclick: () => void intake.addSample(sample.name).then(focusCanvas),
    },
    el("img", { src: sample.thumbnail_url, alt: "", draggable: false }),
    el("span", { class: "caption" }, sample.title),
  );
}
