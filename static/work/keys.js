/** Which key does what, in the keymaps people know. Nothing here touches the page but the one listener. */

/**
 * @typedef {{command: string, combos: string[]}} Binding
 */

/** What every keymap shares; a keymap may take a key over. @type {Record<string, string[]>} */
const COMMON = {
  nextCandidate: ["Tab"],
  previousCandidate: ["Shift+Tab"],
  keep: ["Enter", "N"],
  drop: ["Escape"],
  remove: ["Delete", "Backspace"],
  undo: ["Ctrl+Z"],
  redo: ["Ctrl+Shift+Z", "Ctrl+Y"],
  nextImage: ["D", "PageDown"],
  previousImage: ["A", "PageUp"],
  fit: ["F", "0"],
  zoomIn: ["+", "="],
  zoomOut: ["-"],
  toggleSign: ["T"],
  brush: ["B"],
  eraser: ["X"],
  smaller: ["["],
  larger: ["]"],
  correct: ["E"],
  merge: ["M"],
  subtract: ["Shift+M"],
  split: ["S"],
  clean: ["G"],
  autoMask: ["Q"],
  detail: ["Z"],
  onlyThis: ["O"],
  hideAll: ["H"],
  selectNext: ["."],
  selectPrevious: [","],
  pointHere: ["P"],
  negativeHere: ["Shift+P"],
  cornerHere: ["R"],
  newLabel: ["L"],
  help: ["?"],
};

/** @type {Record<string, {title: string, keys: Record<string, string[]>}>} */
export const KEYMAPS = {
  standard: { title: "Standard", keys: COMMON },
  cvat: {
    title: "CVAT",
    keys: { ...COMMON, nextImage: ["F", "PageDown"], previousImage: ["D", "PageUp"], fit: ["0"], selectNext: [".", "A"] },
  },
  labelme: {
    title: "labelme / X-AnyLabeling",
    keys: {
      ...COMMON,
      keep: ["Enter", "F", "N"],
      fit: ["Ctrl+F", "0"],
      toggleSign: ["T", "Q"],
      autoMask: ["I"],
      correct: ["E", "Ctrl+J"],
    },
  },
};

/** The lines of the key sheet: command and meaning, in groups. @type {[string, [string, string][]][]} */
export const SHEET = [
  [
    "Object in progress",
    [
      ["nextCandidate", "next candidate mask"],
      ["previousCandidate", "previous candidate"],
      ["keep", "keep it under the chosen label"],
      ["drop", "drop it"],
      ["undo", "take back a prompt, else the last change"],
      ["redo", "do it again"],
      ["toggleSign", "switch clicks between + and −"],
    ],
  ],
  [
    "Kept objects",
    [
      ["selectNext", "select the next object"],
      ["selectPrevious", "select the one before"],
      ["remove", "delete the selected"],
      ["correct", "pick it up again"],
      ["merge", "merge the selected"],
      ["subtract", "subtract the others from the first selected, or the selected from the object in progress"],
      ["split", "split into its parts"],
      ["clean", "fill small holes, drop specks"],
      ["brush", "brush"],
      ["eraser", "eraser; in auto-mask: drop the proposal"],
      ["smaller", "smaller brush"],
      ["larger", "larger brush"],
    ],
  ],
  [
    "Image and view",
    [
      ["previousImage", "image before"],
      ["nextImage", "next image"],
      ["fit", "fit to the window"],
      ["zoomIn", "zoom in"],
      ["zoomOut", "zoom out"],
      ["autoMask", "auto-mask; inside a box if one is drawn"],
      ["detail", "fine detail: prompts see only what is on the screen, at full resolution"],
      ["onlyThis", "show only the selected"],
      ["hideAll", "hide or show all objects"],
      ["newLabel", "new label"],
    ],
  ],
  [
    "Without a mouse",
    [
      ["cursor", "move the cross (Shift: faster)"],
      ["pointHere", "point on the object at the cross"],
      ["negativeHere", "point beside the object"],
      ["cornerHere", "one corner of a box, then the other"],
    ],
  ],
];

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, shiftKey?: boolean, altKey?: boolean}} event
 * @returns {string} such as "Ctrl+Shift+Z"; Cmd counts as Ctrl, Shift only where it does not make the character
 */
export function comboOf({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  const letter = /^\p{L}$/u.test(key);
  const named = key.length > 1;
  const parts = [];
  if (ctrlKey || metaKey) parts.push("Ctrl");
  if (altKey) parts.push("Alt");
  if (shiftKey && (letter || named)) parts.push("Shift");
  parts.push(letter ? key.toUpperCase() : key);
  return parts.join("+");
}

/**
 * @param {string} keymap
 * @param {string} combo
 * @returns {string | null} the command
 */
export function commandFor(keymap, combo) {
  const { keys } = KEYMAPS[keymap] ?? KEYMAPS.standard;
  return Object.keys(keys).find((command) => keys[command].includes(combo)) ?? null;
}

/**
 * @param {string} keymap
 * @param {string} command
 * @returns {string[]} its keys, as shown to people
 */
export function keysOf(keymap, command) {
  if (command === "cursor") return ["Arrows"];
  const { keys } = KEYMAPS[keymap] ?? KEYMAPS.standard;
  return (keys[command] ?? []).map((combo) => combo.replace("Escape", "Esc").replace("Delete", "Del").replace("-", "−"));
}

/** Where every key is typed or chosen with, and what lies open above the page. */
const TAKES_ALL = "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable], dialog, .popover";
/** What a focused control does with keys itself. */
const OF_CONTROLS = new Set(["Enter", " ", "Home", "End", "PageUp", "PageDown", ...Object.keys(ARROWS)]);

/** @param {HTMLElement} target  outside the canvas @param {string} key @returns {boolean} whether the target needs the key itself */
function takes(target, key) {
  if (key === "Tab" || target.closest(TAKES_ALL)) return true;
  return OF_CONTROLS.has(key) && Boolean(target.closest("button, a, input"));
}

/**
 * Listens on the whole page, so that keys work on after a click anywhere, but leaves controls and fields what is theirs.
 * @param {HTMLElement} box  the canvas
 * @param {{keymap: () => string, run: (command: string, event: KeyboardEvent) => boolean, label: (key: string) => void,
 *   arrow: (dx: number, dy: number, leap: boolean) => void}} handlers  `run` tells whether the key was used
 */
export function listenToKeys(box, { keymap, run, label, arrow }) {
  document.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!box.isConnected || event.defaultPrevented || (target !== box && takes(target, event.key))) return;
    const combo = comboOf(event);
    const step = ARROWS[event.key];
    let used = true;
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) arrow(step[0], step[1], event.shiftKey);
    else if (/^[1-9]$/.test(combo)) label(combo);
    else {
      const command = commandFor(keymap(), combo);
      used = command !== null && run(command, event);
    }
    if (used) event.preventDefault();
  });
}
