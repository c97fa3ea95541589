/** Device pixels per CSS pixel. They change without a resize when the window moves to another screen. */

/** @param {() => void} run  called after every change */
export function onNewPixelRatio(run) {
  const changed = () => {
    run();
    onNewPixelRatio(run);
  };
  matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", changed, { once: true });
}
