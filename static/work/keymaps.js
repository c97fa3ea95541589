/** Which key does what, in the keymaps that people know from other tools. */

/** @typedef {keyof typeof COMMON} Command */

/** The keys that all keymaps share. A keymap may use one of them for something else. */
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
  nextFree: ["J"],
  finish: ["Ctrl+Enter"],
  approve: ["V"],
  reject: ["Shift+V"],
  fit: ["F", "0"],
  zoomIn: ["+", "="],
  zoomOut: ["-"],
  toggleSign: ["T"],
  many: ["C"],
  brush: ["B"],
  eraser: ["X"],
  smaller: ["["],
  larger: ["]"],
  correct: ["E"],
  merge: ["M"],
  subtract: ["Shift+M"],
  settleOverlaps: ["Shift+C"],
  split: ["S"],
  clean: ["G"],
  autoMask: ["Q"],
  similar: ["K"],
  similarNext: ["Shift+K"],
  detail: ["Z"],
  onlyThis: ["O"],
  hideAll: ["H"],
  selectNext: ["."],
  selectPrevious: [","],
  pointHere: ["P"],
  negativeHere: ["Shift+P"],
  cornerHere: ["R"],
  newLabel: ["L"],
  takeLabel: ["Y"],
  help: ["?"],
};

/** @type {Record<string, {title: string, keys: Record<Command, string[]>}>} */
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

/** The lines of the key sheet, in groups. @type {[title: string, lines: [Command | "cursor", string][]][]} */
export const SHEET = [
  [
    "Objects in progress",
    [
      ["nextCandidate", "next candidate mask; in a review: the next proposal under the pointer"],
      ["previousCandidate", "previous candidate"],
      ["keep", "keep them under the chosen label"],
      ["drop", "drop them"],
      ["many", "many: each click beside them begins another object, a click on one corrects it"],
      ["settleOverlaps", "give pixels that several claim to the best-scored one"],
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
      ["similar", "find all like the selected"],
      ["similarNext", "find all like them in the next image"],
      ["merge", "merge the selected"],
      ["subtract", "subtract the others from the first selected, or the selected from the object in progress"],
      ["split", "split into its parts"],
      ["clean", "fill small holes, drop specks"],
      ["brush", "brush"],
      ["eraser", "eraser; in a review: drop the proposal"],
      ["smaller", "smaller brush"],
      ["larger", "larger brush"],
    ],
  ],
  [
    "Image and view",
    [
      ["previousImage", "image before"],
      ["nextImage", "next image"],
      ["nextFree", "next image that is not done, and that nobody else has open"],
      ["finish", "the image is done; on to the next one to do"],
      ["approve", "approve the image, as a reviewer of one that is done"],
      ["reject", "reject it, with a comment"],
      ["fit", "fit to the window"],
      ["zoomIn", "zoom in"],
      ["zoomOut", "zoom out"],
      ["autoMask", "auto-mask; inside a box if one is drawn"],
      ["detail", "fine detail: prompts see only what is on the screen, at full resolution"],
      ["onlyThis", "show only the selected"],
      ["hideAll", "hide or show all objects"],
      ["newLabel", "new label"],
      ["takeLabel", "take the suggested label"],
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

/** @typedef {Pick<KeyboardEvent, "key"> & Partial<Pick<KeyboardEvent, "code" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">>} Key */

/** What a US keyboard types at a place: without Shift, and with it. @type {Record<string, string[]>} */
const PLACES = {
  BracketLeft: ["["],
  BracketRight: ["]"],
  Comma: [","],
  Period: ["."],
  Minus: ["-"],
  Equal: ["=", "+"],
  Slash: ["/", "?"],
};

/**
 * The names of a key press, such as "Ctrl+Shift+Z". Cmd counts as Ctrl. Shift is left out where it makes another character:
 * "?". The first name is what the key types. Where that is no character of a US keyboard, what a US keyboard has at the same
 * place follows: commands work on every layout.
 * @param {Key} event
 * @returns {string[]}
 */
export function combosOf(event) {
  const { key, code = "", shiftKey = false, altKey } = event;
  const combos = [named(event, key)];
  if (altKey && /^[!-/:-@[-`{-~]$/.test(key)) combos.push(named({ ...event, altKey: false }, key)); // typed with Option or AltGr
  const [, letter, digit] = /^(?:Key([A-Z])|Digit(\d))$/.exec(code) ?? [];
  const place = letter ?? PLACES[code]?.[Number(shiftKey)];
  const foreign = key.length === 1 ? key > "~" : key === "Dead" || key === "Unidentified";
  if (place && foreign) combos.push(named(event, place));
  if (digit && !shiftKey && !/^\w$/.test(key)) combos.push(named(event, digit)); // French keyboards type digits with Shift
  return combos;
}

/** @param {Key} event @param {string} key */
function named({ ctrlKey, metaKey, shiftKey, altKey }, key) {
  const letter = /^\p{L}$/u.test(key);
  const parts = [];
  if (ctrlKey || metaKey) parts.push("Ctrl");
  if (altKey) parts.push("Alt");
  if (shiftKey && (letter || key.length > 1)) parts.push("Shift");
  parts.push(letter ? key.toUpperCase() : key);
  return parts.join("+");
}

/**
 * @param {string} keymap
 * @param {string} combo
 * @returns {Command | null}
 */
export function commandFor(keymap, combo) {
  const { keys } = KEYMAPS[keymap] ?? KEYMAPS.standard;
  const commands = /** @type {Command[]} */ (Object.keys(keys));
  return commands.find((command) => keys[command].includes(combo)) ?? null;
}

/**
 * @param {string} keymap
 * @param {Command | "cursor"} command
 * @returns {string[]} its keys, as shown to people
 */
export function keysOf(keymap, command) {
  if (command === "cursor") return ["Arrows"];
  const { keys } = KEYMAPS[keymap] ?? KEYMAPS.standard;
  return keys[command].map((combo) => combo.replace("Escape", "Esc").replace("Delete", "Del").replace("-", "−"));
}
