import assert from "node:assert/strict";
import { test } from "node:test";

import { trace } from "../../static/canvas/contour.js";
import { EMPTY, area, commonPixels, contains, decode, encode, equal, stroke, subtract } from "../../static/data/rle.js";

/** A bitmap from rows of "#" and ".". */
function bitmap(rows, x = 0, y = 0) {
  const data = Uint8Array.from(rows.join(""), (character) => (character === "#" ? 1 : 0));
  return { x, y, w: rows[0].length, h: rows.length, data };
}

/** A bitmap of noise from a fixed seed. */
function noise(w, h, seed, density = 0.5) {
  let state = seed;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  return { x: 0, y: 0, w, h, data: Uint8Array.from({ length: w * h }, () => (next() < density ? 1 : 0)) };
}

/** The pixels of a mask as "x,y" names. */
function pixels(mask) {
  const { x, y, w, data } = decode(mask);
  return new Set([...data.keys()].filter((i) => data[i]).map((i) => `${x + (i % w)},${y + Math.floor(i / w)}`));
}

/** Fills loops with the even-odd rule, pixel centre by pixel centre. */
function fill(loops, w, h) {
  const data = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      let crossings = 0;
      for (const loop of loops) {
        for (let i = 0; i < loop.length; i += 2) {
          const [x0, y0] = [loop[i], loop[i + 1]];
          const [x1, y1] = [loop[(i + 2) % loop.length], loop[(i + 3) % loop.length]];
          if (x0 === x1 && x0 > x + 0.5 && Math.min(y0, y1) < y + 0.5 && y + 0.5 < Math.max(y0, y1)) crossings++;
        }
      }
      data[y * w + x] = crossings & 1;
    }
  }
  return data;
}

test("encode crops to the tight box and starts with zeros", () => {
  const mask = encode(bitmap([".....", "..##.", ".###.", "....."], 10, 20));
  assert.deepEqual(mask, { x: 11, y: 21, w: 3, h: 2, runs: [1, 5] });
});

test("a run of zeros of length 0 comes first when the corner is set", () => {
  assert.deepEqual(encode(bitmap(["#.", "##"])).runs, [0, 1, 1, 2]);
});

test("an empty bitmap is the empty mask", () => {
  assert.deepEqual(encode(bitmap(["...", "..."])), EMPTY);
  assert.equal(area(EMPTY), 0);
});

test("decode undoes encode on noise, stripes, full and single pixels", () => {
  const cases = [
    noise(37, 23, 7),
    noise(64, 5, 11, 0.02),
    bitmap(["#.#.#", "#.#.#"]),
    bitmap(["###", "###"]),
    bitmap(["....", "..#."]),
  ];
  for (const source of cases) {
    const mask = encode(source);
    const again = decode(mask);
    let set = 0;
    for (let y = 0; y < source.h; y++) {
      for (let x = 0; x < source.w; x++) {
        const inside = x >= mask.x && x < mask.x + mask.w && y >= mask.y && y < mask.y + mask.h;
        const value = inside ? again.data[(y - mask.y) * mask.w + x - mask.x] : 0;
        assert.equal(value, source.data[y * source.w + x]);
        assert.equal(contains(mask, x + 0.5, y + 0.5), value === 1);
        set += value;
      }
    }
    assert.equal(area(mask), set);
    assert.equal(
      mask.runs.reduce((sum, run) => sum + run, 0),
      mask.w * mask.h,
    );
  }
});

test("the pixels of two masks are counted wherever their boxes lie", () => {
  const shifted = (source, x, y) => encode({ ...source, x, y });
  const masks = [noise(31, 17, 3), noise(20, 20, 5, 0.8), noise(9, 40, 7, 0.3)].map((each, i) => shifted(each, 7 * i, 5 * i));
  masks.push(EMPTY, shifted(noise(5, 5, 9), 200, 0));
  for (const a of masks) {
    for (const b of masks) {
      let expected = 0;
      for (let y = 0; y < 80; y++) for (let x = 0; x < 220; x++) expected += contains(a, x, y) && contains(b, x, y);
      assert.equal(commonPixels(a, b), expected);
    }
  }
});

test("the loops of a mask, filled with the even-odd rule, are the mask", () => {
  const ring = bitmap(["#####", "#...#", "#.#.#", "#...#", "#####"]);
  const corners = bitmap(["#.#", ".#.", "#.#"]);
  for (const source of [ring, corners, noise(31, 17, 3), noise(20, 20, 5, 0.8)]) {
    assert.deepEqual(fill(trace(source), source.w, source.h), source.data);
  }
});

test("loops have corners only", () => {
  assert.deepEqual(
    trace(bitmap(["##", "##"], 3, 4)).map((loop) => loop.length),
    [8],
  );
});

test("a stroke paints the pixels whose centres it reaches and clips at the image", () => {
  const dot = stroke(EMPTY, [[5.5, 5.5]], 1, 1, 10, 10);
  assert.deepEqual(pixels(dot), new Set(["5,5", "4,5", "6,5", "5,4", "5,6"]));
  const edge = stroke(
    EMPTY,
    [
      [0, 0],
      [20, 0],
    ],
    0.9,
    1,
    10,
    10,
  );
  assert.deepEqual(edge, { x: 0, y: 0, w: 10, h: 1, runs: [0, 10] });
});

test("the eraser leaves holes and never grows the mask", () => {
  const square = encode(bitmap(Array(9).fill("#########")));
  const holed = stroke(square, [[4.5, 4.5]], 1, 0, 9, 9);
  assert.equal(area(holed), 81 - 5);
  assert.equal(contains(holed, 4.5, 4.5), false);
  assert.deepEqual([holed.x, holed.y, holed.w, holed.h], [0, 0, 9, 9]);
  assert.deepEqual(stroke(square, [[4, 4]], 30, 0, 9, 9), EMPTY);
});

/** What a stroke is by definition: pixel centres within the radius of one of its pieces. */
function strokeByDefinition(line, radius, w, h) {
  const data = new Uint8Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      data[y * w + x] = line.some(([ax, ay], i) => {
        const [bx, by] = line[Math.max(0, i - 1)];
        const [dx, dy] = [bx - ax, by - ay];
        const t = Math.max(0, Math.min(1, ((x + 0.5 - ax) * dx + (y + 0.5 - ay) * dy) / (dx * dx + dy * dy || 1)));
        return Math.hypot(x + 0.5 - ax - t * dx, y + 0.5 - ay - t * dy) <= radius;
      });
    }
  }
  return encode({ x: 0, y: 0, w, h, data });
}

test("strokes in every direction and of every size are exactly their pixels", () => {
  let seed = 5;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  const anywhere = () => [random() * 60 - 10, random() * 50 - 10];
  const lines = Array.from({ length: 60 }, () => Array.from({ length: 1 + Math.floor(random() * 4) }, anywhere));
  for (const end of [
    [30, 12],
    [12, 30],
    [30, 30],
    [12, 12.0001],
    [12, -40],
  ])
    lines.push([[12, 12], end], [end, [12, 12]]);
  for (const line of lines) {
    const radius = 0.4 + random() * 12;
    assert.deepEqual(
      stroke(EMPTY, line, radius, 1, 40, 30),
      strokeByDefinition(line, radius, 40, 30),
      JSON.stringify({ line, radius }),
    );
    const full = encode(bitmap(Array(30).fill("#".repeat(40))));
    assert.equal(area(stroke(full, line, radius, 0, 40, 30)), 1200 - area(strokeByDefinition(line, radius, 40, 30)));
  }
});

test("a stroke may have any number of points", () => {
  const line = Array.from({ length: 300_000 }, (_, i) => [(i % 1000) / 10, Math.floor(i / 1000) / 10]);
  assert.equal(area(stroke(EMPTY, line, 1, 1, 100, 30)), 100 * 30);
});

test("a long stroke has no gaps between its points", () => {
  const line = stroke(
    EMPTY,
    [
      [2, 2],
      [60, 40],
      [90, 5],
    ],
    3,
    1,
    100,
    60,
  );
  for (const t of [0.1, 0.33, 0.5, 0.77]) assert.ok(contains(line, 2 + 58 * t, 2 + 38 * t));
});

test("subtracting takes away the pixels of the others, and only those", () => {
  const from = encode(bitmap(["###", "###"], 4, 4));
  const others = [encode(bitmap(["##", ".#"], 3, 3)), encode(bitmap(["##", "##"], 6, 5)), encode(bitmap(["#"], 0, 0))];
  assert.deepEqual(pixels(subtract(from, others)), new Set(["5,4", "6,4", "4,5", "5,5"]));
  assert.deepEqual(subtract(from, [from]), EMPTY);
  assert.ok(equal(subtract(from, []), from));
});

test("subtracting noise is what it is pixel by pixel", () => {
  const [a, b] = [noise(23, 17, 3), { ...noise(19, 25, 4), x: 7, y: -4 }];
  const [from, other] = [encode(a), encode(b)];
  const left = new Set([...pixels(from)].filter((name) => !pixels(other).has(name)));
  assert.deepEqual(pixels(subtract(from, [other])), left);
});

test("equal compares pixels, not objects", () => {
  const mask = encode(bitmap(["#.", "##"]));
  assert.ok(equal(mask, { ...mask, runs: [...mask.runs] }));
  assert.ok(!equal(mask, { ...mask, x: 1 }));
});
