/** A finer model that can be had with one click, said once. */

import { remember } from "../data/storage.js";
import { el } from "./dom.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Models } from "../work/models.js" */

const DECLINED = "annotator.declined-model";

/** @param {{store: Store, models: Models, storage: Storage, focusCanvas: () => void}} context */
export function createOffer({ store, models, storage, focusCanvas }) {
  const words = el("span", {});
  /** @param {string} text @param {string} kind @param {(name: string) => void} act */
  const button = (text, kind, act) => {
    const onclick = () => {
      const name = store.get().status?.model.offer;
      element.hidden = true;
      focusCanvas();
      if (name) act(name);
    };
    return el("button", { type: "button", class: `button ${kind}`, onclick }, text);
  };
  const element = el(
    "div",
    { class: "offer", role: "status", hidden: true },
    words,
    button("Get it", "primary", (name) => void models.choose(name)),
    button("Not now", "plain", (name) => void remember(storage, DECLINED, name)),
  );
  store.watch(["status"], ({ status }) => {
    const model = status?.models.find((each) => each.name === status.model.offer);
    element.hidden = !model || !status?.is_admin || storage.getItem(DECLINED) === model.name;
    if (model) words.textContent = `${model.title} (${Math.round(model.size_mb)} MB) gives finer masks than ${status?.model.title}.`;
  });
  return element;
}
