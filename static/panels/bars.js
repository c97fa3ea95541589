/** A plot of counts: horizontal bars, with a table of the same numbers beside it. */

import { el } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 320;
const NAMES = 110; // width of the names, in the plot's units
const VALUES = 44; // room for the numbers behind the bars
const ROW = 24;
const MOST = 20; // bars; the table has all rows
const MOST_LETTERS = 16;

/** @typedef {{name: string, value: number, color?: string, cells?: (Node | string)[]}} Row  `cells` are further ones of the table */

/**
 * @param {string} title  what is counted
 * @param {string[]} heads  of the table's columns: the name, the count, and those of the further cells
 * @param {Row[]} rows
 * @param {string} nothing  said where there are no rows
 * @returns {HTMLElement}
 */
export function bars(title, heads, rows, nothing) {
  const head = el("h3", {}, title);
  if (!rows.length) return el("section", { class: "counts" }, head, el("p", { class: "hint" }, nothing));
  const table = el(
    "table",
    { "aria-label": title },
    el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows.map(line)),
  );
  return el("section", { class: "counts" }, head, plot(title, rows.slice(0, MOST)), el("div", { class: "numbers" }, table));
}

/** @param {Row} row */
const line = ({ name, value, cells = [] }) =>
  el(
    "tr",
    {},
    el("th", { scope: "row", title: name }, name),
    el("td", { class: "number" }, value.toLocaleString("en")),
    ...cells.map((cell) => el("td", {}, cell)),
  );

/** @param {string} title @param {Row[]} rows @returns {SVGElement} hidden from screen readers, which read the table */
function plot(title, rows) {
  const most = Math.max(1, ...rows.map(({ value }) => value));
  const svg = part("svg", { viewBox: `0 0 ${WIDTH} ${rows.length * ROW}`, class: "plot", "aria-hidden": "true" });
  svg.dataset.plot = title;
  for (const [at, { name, value, color = "var(--accent)" }] of rows.entries()) {
    const y = at * ROW;
    const length = (value / most) * (WIDTH - NAMES - VALUES);
    const short = name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
    const bar = part("rect", { x: NAMES, y: y + 5, width: Math.max(length, value ? 1 : 0), height: ROW - 10, rx: 2 });
    bar.style.fill = color;
    svg.append(
      part("text", { x: NAMES - 8, y: y + 16, "text-anchor": "end" }, short),
      bar,
      part("text", { x: NAMES + length + 6, y: y + 16 }, value.toLocaleString("en")),
    );
  }
  return svg;
}

/** @param {string} name @param {Record<string, string | number>} attributes @param {string} [text] */
function part(name, attributes, text) {
  const node = /** @type {SVGElement} */ (document.createElementNS(NS, name));
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  if (text) node.textContent = text;
  return node;
}
