import assert from "node:assert/strict";
import { test } from "node:test";

import { KEYMAPS, SHEET, combosOf, commandFor, keysOf } from "../../static/work/keymaps.js";

const comboOf = (event) => combosOf(event)[0];

test("combos are named the way people write them", () => {
  assert.equal(comboOf({ key: "z", ctrlKey: true }), "Ctrl+Z");
  assert.equal(comboOf({ key: "Z", metaKey: true, shiftKey: true }), "Ctrl+Shift+Z");
  assert.equal(comboOf({ key: "?", shiftKey: true }), "?");
  assert.equal(comboOf({ key: "Tab", shiftKey: true }), "Shift+Tab");
  assert.equal(comboOf({ key: "n" }), "N");
  assert.equal(comboOf({ key: "[", altKey: true }), "Alt+[");
});

test("the keys people know do what they expect", () => {
  const expected = {
    Enter: "keep",
    N: "keep",
    Escape: "drop",
    Tab: "nextCandidate",
    "Ctrl+Z": "undo",
    Delete: "remove",
    A: "previousImage",
    D: "nextImage",
    F: "fit",
    0: "fit",
    "?": "help",
  };
  for (const [combo, command] of Object.entries(expected)) assert.equal(commandFor("standard", combo), command);
  assert.equal(commandFor("standard", "Ctrl+S"), null);
});

/** The command of a key press in the standard keymap; digits are themselves. */
const meaning = (event) =>
  combosOf(event)
    .map((combo) => commandFor("standard", combo) ?? (/^[1-9]$/.test(combo) ? combo : null))
    .find(Boolean);

for (const [layout, presses] of Object.entries({
  Russian: [
    [{ key: "т", code: "KeyN" }, "keep"],
    [{ key: "я", code: "KeyZ", ctrlKey: true }, "undo"],
    [{ key: "Я", code: "KeyZ", ctrlKey: true, shiftKey: true }, "redo"],
    [{ key: "х", code: "BracketLeft" }, "smaller"],
    [{ key: "ю", code: "Period" }, "selectNext"],
    [{ key: "Ь", code: "KeyM", shiftKey: true }, "subtract"],
  ],
  Persian: [
    [{ key: "ش", code: "KeyA" }, "previousImage"],
    [{ key: "۱", code: "Digit1" }, "1"],
    [{ key: "؟", code: "Slash", shiftKey: true }, "help"],
  ],
  Greek: [[{ key: "φ", code: "KeyF" }, "fit"]],
  Japanese: [[{ key: "ち", code: "KeyA" }, "previousImage"]],
  French: [
    [{ key: "&", code: "Digit1" }, "1"],
    [{ key: "à", code: "Digit0" }, "fit"],
    [{ key: "a", code: "KeyQ" }, "previousImage"],
    [{ key: "5", code: "Digit5", shiftKey: true }, "5"],
  ],
  German: [
    [{ key: "z", code: "KeyY", ctrlKey: true }, "undo"],
    [{ key: "ü", code: "BracketLeft" }, "smaller"],
    [{ key: "[", code: "Digit5", altKey: true }, "smaller"], // Option+5 on a Mac
  ],
  Dvorak: [[{ key: "u", code: "KeyF" }, undefined]],
  US: [
    [{ key: "!", code: "Digit1", shiftKey: true }, undefined],
    [{ key: ">", code: "Period", shiftKey: true }, undefined],
    [{ key: "Unidentified", code: "KeyN" }, "keep"],
  ],
}))
  test(`keys mean what they should on a ${layout} keyboard`, () => {
    for (const [event, expected] of presses) assert.equal(meaning(event), expected, JSON.stringify(event));
  });

test("CVAT's F and D move between images", () => {
  assert.equal(commandFor("cvat", "F"), "nextImage");
  assert.equal(commandFor("cvat", "D"), "previousImage");
});

test("an unknown keymap is the standard one", () => {
  assert.equal(commandFor("nonsense", "Enter"), "keep");
});

for (const [name, { keys }] of Object.entries(KEYMAPS)) {
  test(`no combo of ${name} has two meanings, and digits stay free for labels`, () => {
    const combos = Object.values(keys).flat();
    assert.deepEqual(
      combos.filter((combo, i) => combos.indexOf(combo) !== i),
      [],
    );
    assert.deepEqual(
      combos.filter((combo) => /^[1-9]$/.test(combo)),
      [],
    );
  });

  test(`the key sheet shows every command of ${name}`, () => {
    const shown = SHEET.flatMap(([, lines]) => lines.map(([command]) => command));
    assert.deepEqual(
      Object.keys(keys).filter((command) => command !== "help" && !shown.includes(command)),
      [],
    );
    for (const command of shown) assert.ok(keysOf(name, command).length > 0, command);
  });
}
