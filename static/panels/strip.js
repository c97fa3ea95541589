/** The image queue and, behind it, the samples. */

import { createBinPanel } from "./bin.js";
import { el, icon, iconButton } from "./dom.js";
import { createKeyedList } from "./keyed.js";
import { shownQueue } from "../work/queue.js";
import { othersAt } from "../work/team.js";
import { STATUS, counted } from "../work/words.js";

/** @import { Image, ImageStatus, Sample, State, Store } from "../data/types.d.ts" */
/** @import { Bin } from "../work/bin.js" */
/** @import { Commands } from "../work/commands.js" */
/** @import { Intake } from "../work/intake.js" */
/** @import { Session } from "../work/session.js" */

const VERDICTS = ["approved", "rejected"];

/**
 * @param {{store: Store, session: Session, intake: Intake, bin: Bin, commands: Commands, pickFiles: () => void, focusCanvas: () => void}} context
 */
export function createStrip({ store, session, intake, bin, commands, pickFiles, focusCanvas }) {
  const add = el(
    "button",
    { type: "button", class: "tile add owners-only", title: "Upload images", "aria-label": "Upload images", onclick: pickFiles },
    icon("plus"),
  );
  const filter = el("select", {
    class: "filter",
    "aria-label": "Show images",
    onchange: () => void session.filter(/** @type {ImageStatus | ""} */ (filter.value)),
  });
  for (const [value, words] of [["", "All"], ...Object.entries(STATUS)]) filter.append(el("option", { value }, words));
  const verdicts = [...filter.options].filter(({ value }) => VERDICTS.includes(value));
  const count = el("span", { class: "count" });
  const side = el("div", { class: "strip-side" }, count, filter);
  const nextWords = el("span", { class: "words" });
  const next = el("button", { type: "button", class: "button plain", onclick: () => commands.nextFree() }, icon("next"), nextWords);
  const queue = el("div", { class: "tiles queue", role: "list", "aria-label": "Images" });
  const samples = el("div", { class: "tiles samples owners-only", role: "group", "aria-label": "Sample photos" });
  const scroller = el("div", { class: "scroller" }, queue, samples);

  const tiles = createKeyedList(queue, tile);

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

  /** @param {Pick<Image, "name" | "status" | "embedding" | "annotations"> & {key: string, thumbnail: string, current: boolean, takenBy: string}} values */
  function tile({ key: id, thumbnail, name, status, embedding, annotations, current, takenBy }) {
    const words = `${name}: ${STATUS[status]}, ${counted(annotations, "object")}${takenBy && `, being annotated by ${takenBy}`}`;
    const open = el(
      "button",
      {
        type: "button",
        class: current ? "tile current" : "tile",
        title: words,
        "aria-label": words,
        "aria-current": current && "true",
        dataset: { id },
        onclick: () => void session.open(id).then(focusCanvas),
      },
      el("img", { src: thumbnail, alt: "", loading: "lazy", draggable: false }),
      el("span", { class: `state ${status} ${embedding === "ready" ? "ready" : ""}` }),
      annotations ? el("span", { class: "badge" }, String(annotations)) : null,
      takenBy && el("span", { class: "taken", dataset: { by: takenBy } }), // the button's name says it already
    );
    const remove = iconButton("close", `Remove ${name}`, () => void bin.remove(id).then(focusCanvas), {
      class: "small tile-remove owners-only",
    });
    return el("div", { class: "tile-box", role: "listitem" }, open, remove);
  }

  /** @param {State} state */
  function draw(state) {
    const { images, image, total, queueStatus } = state;
    filter.value = queueStatus;
    tiles.show(
      shownQueue(state).map(({ id, thumbnail_url: thumbnail, name, status, embedding, annotations }) => ({
        key: id,
        thumbnail,
        name,
        status,
        embedding,
        annotations,
        current: id === image?.id,
        takenBy: othersAt(state, id).join(", "),
      })),
    );
    const at = images.findIndex((item) => item.id === image?.id);
    count.textContent = total ? `${at + 1} / ${total}` : "";
    side.hidden = next.hidden = total === 0;
  }

  store.watch(["status"], ({ status }) => {
    const shared = Boolean(status?.user); // where there is no login, there is nobody else, and nobody reviews
    for (const option of verdicts) option.hidden = !shared;
    next.title = shared ? "Next free image: not done, and nobody else has it open (J)" : "Next to do: an image that is not done (J)";
    next.setAttribute("aria-label", next.title);
    nextWords.textContent = shared ? "Next free" : "Next to do";
  });

  /** @type {string | null} */
  let scrolledTo = null;
  store.watch(["images", "image", "total", "queueStatus", "places", "status"], (state) => {
    draw(state);
    if (state.image?.id === scrolledTo) return;
    scrolledTo = state.image?.id ?? null;
    const node = tiles.find(scrolledTo ?? "");
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

  return el("nav", { class: "strip", "aria-label": "Image queue" }, add, side, next, scroller, createBinPanel({ store, bin, focusCanvas }));
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
