/** Pointer events of the canvas as taps, drags, pans, pinches and wheel turns. */

/** @import { Position } from "../data/types.d.ts" */

const MOUSE_SLACK = 4;
const TOUCH_SLACK = 9;
const WHEEL_SPEED = 0.0015;
const MIDDLE = 1;
const RIGHT = 2;

/**
 * @typedef {{x: number, y: number, negative: boolean, shift: boolean, alt: boolean, ctrl: boolean, touch: boolean, at: number}} Spot
 *   `x` and `y` in CSS pixels of the canvas; `negative`: right button or Shift; `at`: time stamp of the event
 * @typedef {object} Handlers
 * @property {(spot: Spot) => void} press  the pointer went down; a tap or a drag may follow
 * @property {(spot: Spot) => void} tap  the place where the pointer went down, the time when it went up
 * @property {(spot: Spot) => void} double
 * @property {(spot: Spot) => boolean} begin  a drag starts here; false turns it into a pan
 * @property {(spot: Spot) => boolean} immediate  whether a drag starts with the press itself
 * @property {(spot: Spot) => void} move
 * @property {(spot: Spot) => void} end
 * @property {() => void} cancel
 * @property {(spot: Spot) => void} hover
 * @property {() => void} leave
 * @property {(dx: number, dy: number) => void} pan
 * @property {(x: number, y: number, factor: number) => void} zoom
 */

/**
 * @param {HTMLElement} box
 * @param {Handlers} handlers
 */
export function listenToGestures(box, handlers) {
  /** @type {Map<number, {x: number, y: number}>} */
  const pointers = new Map();
  /** @type {{start: Spot, mode: "undecided" | "pan" | "draw" | "pinch" | "done"} | null} */
  let press = null;
  let spaceHeld = false;

  /** @param {PointerEvent | MouseEvent} event @returns {Spot} */
  function spot(event) {
    const { left, top } = box.getBoundingClientRect();
    return {
      x: event.clientX - left,
      y: event.clientY - top,
      negative: event.shiftKey || event.button === RIGHT,
      shift: event.shiftKey,
      alt: event.altKey,
      ctrl: event.ctrlKey || event.metaKey,
      touch: /** @type {PointerEvent} */ (event).pointerType === "touch",
      at: event.timeStamp,
    };
  }

  box.addEventListener("pointerdown", (event) => {
    if (event.target !== box && !(event.target instanceof HTMLCanvasElement)) return;
    box.focus({ preventScroll: true });
    const here = spot(event);
    pointers.set(event.pointerId, here);
    box.setPointerCapture(event.pointerId);
    if (pointers.size > 1) {
      if (press?.mode === "draw") handlers.cancel();
      press = { start: here, mode: "pinch" };
    } else if (event.button === MIDDLE || spaceHeld) {
      event.preventDefault();
      press = { start: here, mode: "pan" };
    } else {
      press = { start: here, mode: "undecided" };
      if (handlers.immediate(here) && handlers.begin(here)) press.mode = "draw";
      else handlers.press(here);
    }
    box.classList.toggle("panning", press.mode === "pan");
  });

  box.addEventListener("pointermove", (event) => {
    const here = spot(event);
    const before = pointers.get(event.pointerId);
    if (!press || !before) {
      if (!here.touch) handlers.hover(here);
      return;
    }
    if (press.mode === "pinch") return pinch(event.pointerId, here);
    if (press.mode === "undecided") decide(here);
    pointers.set(event.pointerId, here);
    if (press.mode === "pan") handlers.pan(here.x - before.x, here.y - before.y);
    if (press.mode === "draw") {
      for (const each of event.getCoalescedEvents?.() ?? []) handlers.move(spot(each));
      handlers.move(here);
    }
  });

  /** @param {Spot} here */
  function decide(here) {
    if (!press) return;
    const slack = here.touch ? TOUCH_SLACK : MOUSE_SLACK;
    if (Math.hypot(here.x - press.start.x, here.y - press.start.y) < slack) return;
    press.mode = handlers.begin(press.start) ? "draw" : "pan";
    box.classList.toggle("panning", press.mode === "pan");
  }

  /** @param {number} id @param {{x: number, y: number}} here */
  function pinch(id, here) {
    const other = [...pointers].find(([key]) => key !== id)?.[1];
    const before = pointers.get(id);
    pointers.set(id, here);
    if (!other || !before) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(here.x - other.x, here.y - other.y);
    handlers.pan((here.x - before.x) / 2, (here.y - before.y) / 2);
    if (was > 0 && is > 0) handlers.zoom((here.x + other.x) / 2, (here.y + other.y) / 2, is / was);
  }

  box.addEventListener("pointerup", (event) => {
    if (!pointers.delete(event.pointerId) || !press) return;
    const here = spot(event);
    here.negative = press.start.negative;
    here.shift = press.start.shift;
    if (press.mode === "undecided") handlers.tap({ ...press.start, at: here.at });
    else if (press.mode === "draw") handlers.end(here);
    if (pointers.size === 0) press = null;
    else press.mode = "done";
    box.classList.remove("panning");
  });

  box.addEventListener("pointercancel", (event) => {
    pointers.delete(event.pointerId);
    if (press?.mode === "draw") handlers.cancel();
    press = null;
    box.classList.remove("panning");
  });

  box.addEventListener("pointerleave", () => handlers.leave());
  box.addEventListener("contextmenu", (event) => event.preventDefault());
  box.addEventListener("dblclick", (event) => handlers.double(spot(event)));
  box.addEventListener("auxclick", (event) => event.preventDefault());

  box.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = spot(event);
      const lines = event.deltaMode === 1 ? 30 : 1;
      const turn = event.deltaY * lines * (event.ctrlKey ? 4 : 1);
      handlers.zoom(x, y, Math.exp(-Math.max(-400, Math.min(400, turn)) * WHEEL_SPEED));
    },
    { passive: false },
  );

  box.addEventListener("keydown", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    spaceHeld = true;
    box.classList.add("pannable");
  });
  const release = () => {
    spaceHeld = false;
    box.classList.remove("pannable");
  };
  box.addEventListener("keyup", (event) => event.key === " " && release());
  box.addEventListener("blur", release);
}
