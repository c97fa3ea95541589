/**
 * What tests and benchmarks see of the page from the inside. They inject this script; the program ships nothing of it.
 * `#annotator` gets the attributes `data-ready` (an image is drawn, or the page waits for one), `data-busy` (a prompt or a
 * change is on its way) and `data-embedding` (whether the open image is encoded), and the object `annotator`.
 */
new MutationObserver(async (_, observer) => {
  const root = document.querySelector("#annotator");
  if (!root?.querySelector(".canvas-box")) return;
  observer.disconnect();
  const [{ mount }, { shownMask }, { drawMask }, { encode }] = await Promise.all(
    ["main.js", "data/draft.js", "canvas/paint.js", "data/rle.js"].map((path) => import(new URL(`page/${path}`, document.baseURI).href)),
  );
  const { store, viewport, box } = mount(root);

  /** Draws a mask as the page draws it, at one canvas pixel per image pixel, and reads the pixels back. */
  function readBack(mask, { width, height }) {
    const context = new OffscreenCanvas(width, height).getContext("2d");
    drawMask(context, mask, { color: "#fff", fill: 1, lines: [], pixel: 1 });
    const { data } = context.getImageData(0, 0, width, height);
    const bits = Uint8Array.from({ length: width * height }, (_, i) => (data[4 * i + 3] > 127 ? 1 : 0));
    return encode({ x: 0, y: 0, w: width, h: height, data: bits });
  }

  root.annotator = {
    state: store.get,
    viewport,
    /** Where an image point is on the page. */
    imageToPage(x, y) {
      const { left, top } = box.getBoundingClientRect();
      const [sx, sy] = viewport.toScreen(x, y);
      return [left + sx, top + sy];
    },
    /** The mask of a kept object, or of the object in progress, as it is drawn. */
    readMask(id) {
      const { annotations, draft, image } = store.get();
      const mask = id ? annotations.find((item) => item.id === id)?.mask : shownMask(draft.now);
      return mask ? readBack(mask, image) : null;
    },
  };
  store.watch(["booted", "image", "photoReady", "busy", "unsent"], ({ booted, image, photoReady, busy, unsent }) => {
    root.dataset.ready = String(booted && (image === null || photoReady));
    root.dataset.busy = String(busy > 0 || unsent > 0);
    root.dataset.embedding = image?.embedding ?? "none";
  });
}).observe(document, { childList: true, subtree: true });
