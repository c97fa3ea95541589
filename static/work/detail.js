/** Fine detail: the model looks only at the visible part of the image, at full resolution, until that view is left. */

const MIN_SIDE = 16;
/** The view is left when less than this share of the screen still shows it, or it fills less than this share. */
const STILL_THERE = 0.5;

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Part  whole image pixels
 */

/**
 * @param {{toImage: (x: number, y: number) => [number, number], screen: {width: number, height: number}}} viewport
 * @param {{width: number, height: number}} image
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
 * @returns {boolean} whether the screen still shows, mostly, what the model looks at
 */
export function stillThere(detail, shown) {
  const width = Math.min(detail.x + detail.width, shown.x + shown.width) - Math.max(detail.x, shown.x);
  const height = Math.min(detail.y + detail.height, shown.y + shown.height) - Math.max(detail.y, shown.y);
  const common = Math.max(0, width) * Math.max(0, height);
  const [seen, screen] = [detail.width * detail.height, shown.width * shown.height];
  return common >= STILL_THERE * Math.min(seen, screen) && screen <= seen / STILL_THERE;
}

/**
 * @param {{width: number, height: number}} image
 * @param {number} imageSize  side of the model's input, to which it scales what it looks at
 * @returns {boolean} whether looking at a part would show the model anything that the whole image does not
 */
export function gains(image, imageSize) {
  return image.width > imageSize || image.height > imageSize;
}

/**
 * @param {{store: any, viewport: any, toast: (text: string, options?: any) => void}} context
 */
export function createDetail({ store, viewport, toast }) {
  const leave = () => store.get().detail && store.set({ detail: null });
  store.watch(["image"], (/** @type {any} */ { image, detail }) => {
    if (detail && detail.imageId !== image?.id) leave();
  });
  return {
    toggle() {
      const { image, detail, status } = store.get();
      if (!image) return;
      if (detail) return leave();
      if (!gains(image, status.model.image_size))
        return toast("The model already sees every pixel of this image: there is no finer detail.");
      const part = visiblePart(viewport, image);
      if (part.width >= image.width && part.height >= image.height)
        return toast("Zoom in first: fine detail looks at what is on the screen.");
      if (Math.min(part.width, part.height) < MIN_SIDE) return toast("There is too little of the image on the screen.");
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
 * @param {{detail: (Part & {imageId: string}) | null}} state
 * @returns {Part | null} what a prompt's `view` is
 */
export function viewOf({ detail }) {
  if (!detail) return null;
  const { x, y, width, height } = detail;
  return { x, y, width, height };
}
