/** What the page says by itself: no image yet, preparing, connection lost, how long a click took. */

import { el, iconButton } from "./dom.js";
import { isOwner } from "../data/rights.js";
import { sampleTile } from "./strip.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Intake } from "../work/intake.js" */

const ms = (/** @type {number | null | undefined} */ value) =>
  value === null || value === undefined ? null : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** @param {{store: Store, intake: Intake, pickFiles: () => void, focusCanvas: () => void}} context */
export function createEmptyState({ store, intake, pickFiles, focusCanvas }) {
  const samples = el("div", { class: "tiles owners-only" });
  const words = el("p", {});
  const upload = iconButton("upload", "Upload images", pickFiles, { words: "Upload images", class: "primary owners-only" });
  const element = el("div", { class: "empty", hidden: true }, el("h1", {}, "Click to segment"), words, upload, samples);
  store.watch(["booted", "image", "images", "samples", "projects", "projectId"], (state) => {
    element.hidden = !state.booted || state.image !== null;
    words.textContent = isOwner(state)
      ? "Drop images or folders here, paste one, or pick a sample. Then click an object: its mask appears at once."
      : "There are no images yet. The owner of the project adds them.";
    samples.replaceChildren(...state.samples.map((sample) => sampleTile(sample, intake, focusCanvas)));
  });
  return element;
}

/** @param {{store: Store}} context */
export function createBanners({ store }) {
  const offline = el(
    "div",
    { class: "banner", role: "alert", hidden: true },
    "The connection to the server is lost. Your changes are kept here and sent when it is back.",
  );
  const encoding = el("div", { class: "pill", role: "status", hidden: true });
  store.watch(["online"], ({ online }) => {
    offline.hidden = online;
  });
  store.watch(["image", "photoReady", "booted", "detail"], ({ image, photoReady, booted, detail }) => {
    const text = !booted
      ? ""
      : detail
        ? "Fine detail: prompts see this part at full resolution (Z to leave)"
        : image && !photoReady
          ? "Loading …"
          : image?.embedding === "none"
            ? "Preparing the image; you can click already …"
            : image?.embedding === "failed"
              ? "The image could not be prepared; a click tries again"
              : "";
    encoding.hidden = !text;
    encoding.textContent = text;
  });
  return [offline, encoding];
}

/** @param {{store: Store}} context */
export function createStatusBar({ store }) {
  const size = el("span", { class: "size" });
  const stretched = el(
    "span",
    { title: "The file has more than 8 bits a sample. Its values are spread over 8 bits, for you and for the model." },
    "stretched for display",
  );
  const zoom = el("span", { class: "zoom" });
  const timing = el("span", { class: "timing", title: "Click to paint, and the server's share of it" });
  store.watch(["image"], ({ image }) => {
    size.textContent = image ? `${image.width} × ${image.height}` : "";
    stretched.hidden = !image?.stretched;
    zoom.hidden = !image;
  });
  store.watch(["timing"], ({ timing: spans }) => {
    timing.replaceChildren();
    if (!spans) return;
    timing.append(el("b", {}, `${ms(spans.paint)}`), " click to paint");
    for (const name of /** @type {const} */ (["queue", "encode", "decode", "postprocess"])) {
      timing.append(el("span", { class: "span" }, `${name} ${ms(spans[name]) ?? "cached"}`));
    }
  });
  return {
    element: el("footer", { class: "status" }, size, stretched, zoom, el("span", { class: "space" }), timing),
    /** @param {number} scale */
    setZoom(scale) {
      zoom.textContent = `${Math.round(scale * 100)} %`;
    },
  };
}
