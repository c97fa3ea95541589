/** Fine detail: the model looks only at the visible part of the image, at full resolution, until the person looks elsewhere. */

/** @import { Part, Size, State, Store, Toast } from "../data/types.d.ts" */
/** @import { Viewport } from "../canvas/viewport.js" */

/** @typedef {ReturnType<typeof createDetail>} Detail */

const MIN_SIDE = 16;
/** Fine detail ends when less than this share of the part is on the screen, or when it fills less than this share of the screen. */
const STILL_THERE = 0.5;

/**
 * @param {Pick<Viewport, "toImage" | "screen">} viewport
 * @param {Size} image
 * @returns {Part} the part of the image on the screen
 */
export function visiblePart({ toImage, screen }, image) {
  const clamp = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(most, Math.max(0, value));
  const [left, top] = toImage(0, 0);
  const [right, bottom] = toImage(screen.width, screen.height);
  const x = Math.floor(clamp(left, image.width));
  const y = Math.floor(clamp(top, image.height));
  return { x, y, width: Math.ceil(clamp(right, image.width)) - x, height: Math.ceil(clamp(bottom, image.height)) - y };
}

/**
 * @param {Part} detail
 * @param {Part} shown
 * @returns {boolean} whether the screen still shows most of what the model looks at
 */
export function stillThere(detail, shown) {
  const width = Math.min(detail.x + detail.width, shown.x + shown.width) - Math.max(detail.x, shown.x);
  const height = Math.min(detail.y + detail.height, shown.y + shown.height) - Math.max(detail.y, shown.y);
  const common = Math.max(0, width) * Math.max(0, height);
  const [part, screen] = [detail.width * detail.height, shown.width * shown.height];
  return common >= STILL_THERE * Math.min(part, screen) && screen <= part / STILL_THERE;
}

/**
 * @param {Size} image
 * @param {number} imageSize  side of the model's input
 * @returns {boolean} whether a part shows the model anything that the whole image, scaled to its input, does not
 */
export function gains(image, imageSize) {
  return image.width > imageSize || image.height > imageSize;
}

/**
 * @param {{store: Store, viewport: Viewport, toast: Toast}} context
 */
export function createDetail({ store, viewport, toast }) {
  const leave = () => store.set({ detail: null });
  store.watch(["image"], ({ image, detail }) => {
    if (detail && detail.imageId !== image?.id) leave();
  });
  return {
    toggle() {
      const { image, detail, status } = store.get();
      if (!image || !status) return;
      if (detail) return leave();
      if (!gains(image, status.model.image_size))
        return void toast("The model already sees every pixel of this image: there is no finer detail.");
      const part = visiblePart(viewport, image);
      if (part.width >= image.width && part.height >= image.height)
        return void toast("Zoom in first: fine detail looks at what is on the screen.");
      if (Math.min(part.width, part.height) < MIN_SIDE) return void toast("There is too little of the image on the screen.");
      store.set({ detail: { ...part, imageId: image.id }, hover: null });
    },
    /** The view moved. */
    moved() {
      const { image, detail } = store.get();
      if (image && detail && !stillThere(detail, visiblePart(viewport, image))) leave();
    },
  };
}

/**
 * @param {Pick<State, "detail">} state
 * @returns {Part | null} the `view` of a prompt
 */
export function viewOf({ detail }) {
  if (!detail) return null;
  const { x, y, width, height } = detail;
  return { x, y, width, height };
}
