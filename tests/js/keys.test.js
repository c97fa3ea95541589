import assert from "node:assert/strict";
import { test } from "node:test";

import { KEYMAPS, SHEET, comboOf, commandFor, keysOf } from "../../static/work/keymaps.js";

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
