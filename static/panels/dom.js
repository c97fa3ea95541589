/** Small helpers that make DOM elements. */

/**
 * Makes an element. Keys of `props` that start with "on" are listeners, "dataset" and "style" are merged, and keys that the
 * element knows are set as properties. All others are attributes; `null`, `undefined` and `false` leave them out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]  any: each key has a type of its own
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  /** @type {Record<string, any>} any: properties are set by name */
  const fields = node;
  for (const [key, value] of Object.entries(props)) {
    if (key === "class") node.className = value;
    else if (key === "dataset" || key === "style") Object.assign(fields[key], value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && typeof value !== "string") fields[key] = value;
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child) node.append(child);
  return node;
}

/** Line drawings of 24 x 24, one path each. */
const ICONS = {
  mark: "M4 15c0-6 5-11 9-11 5 0 7 4 7 7 0 6-5 9-9 9-4 0-7-2-7-5zM12 8v7M8.5 11.5h7",
  upload: "M12 16V5M7 9.5 12 4.5l5 5M4 16v3.5h16V16",
  import: "M6 3.5h8l4 4v13H6zM14 3.5v4h4M12 10.5v6M9 13.5h6",
  project: "M12 4l8.5 4.5-8.5 4.5-8.5-4.5zM3.5 12l8.5 4.5 8.5-4.5M3.5 15.5l8.5 4.5 8.5-4.5",
  folder: "M3.5 6.5h6l2 2.5h9v10h-17z",
  folderUp: "M3.5 6.5h6l2 2.5h9v10h-17zM12 17v-5M9.5 14.2l2.5-2.5 2.5 2.5",
  magic: "M5 19 15.5 8.5M17.5 3v4M15.5 5h4M8 4v3M6.5 5.5h3M19 12.5v3M17.5 14h3",
  export: "M12 4v11M7 10.5l5 5 5-5M4 17v3h16v-3",
  chart: "M4 20V4M4 20h16M8 16v-5M12.5 16V7M17 16v-7",
  help: "M9 9.2a3 3 0 1 1 4.4 2.7c-.9.5-1.4 1.1-1.4 2.3M12 17.6v.2",
  view: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z",
  hidden: "M4 4l16 16M9.5 6C17 4 21.5 12 21.5 12s-1 2-3 3.8M6.2 7.8C3.7 9.6 2.5 12 2.5 12S6 18.5 12 18.5c1.4 0 2.7-.4 3.8-.9",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l.8 12.5h9.4L17.5 7M10 11v5M14 11v5",
  undo: "M8.5 5 4.5 9l4 4M5 9h8.5a5 5 0 0 1 0 10H10",
  redo: "M15.5 5l4 4-4 4M19 9h-8.5a5 5 0 0 0 0 10H14",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  detail: "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13M15.5 15.5L20 20M8 10.5h5M10.5 8v5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  box: "M5 5h14v14H5z",
  many: "M7 4a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM17 4a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM7 14a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM17 14.5v5M14.5 17h5",
  brush: "M19.5 4.5 11 13M9 12.5c2 0 3 1.5 3 3 0 3-3 4.5-7.5 4 1.5-1 1.5-2 1.5-3.5 0-2 1.3-3.5 3-3.5z",
  eraser: "M9 19.5 4 14.5 14 4.5l6 6-9 9zM9 9.5l6 6M9 19.5h11",
  check: "M5 12.5 10 17.5 19.5 7",
  close: "M6 6l12 12M18 6 6 18",
  pencil: "M4.5 19.5l1-4.5L16 4.5l3.5 3.5L9 18.5zM13.5 7l3.5 3.5",
  merge: "M9 5.5a6.5 6.5 0 1 0 0 13M15 5.5a6.5 6.5 0 1 1 0 13M12 8.5v7M8.5 12h7",
  subtract: "M9 5.5a6.5 6.5 0 1 0 0 13M15 5.5a6.5 6.5 0 1 1 0 13M8.5 12h7",
  split: "M12 3v18M8.5 7H4v10h4.5M15.5 7H20v10h-4.5",
  clean: "M12 4.5a7.5 7.5 0 1 1 0 15 7.5 7.5 0 0 1 0-15zM9 12l2.2 2.2L15.2 10",
  chip: "M7 7h10v10H7zM10 3.5V7M14 3.5V7M10 17v3.5M14 17v3.5M3.5 10H7M3.5 14H7M17 10h3.5M17 14h3.5",
  caret: "M7 10l5 5 5-5",
  next: "M9.5 6l6 6-6 6",
};

/** @typedef {keyof typeof ICONS} IconName */

/**
 * @param {IconName} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon, optionally words, and a tooltip. Its accessible name begins with the words: people who speak to
 * their computer say what they see.
 * @param {IconName} name
 * @param {string} title
 * @param {() => void} onclick
 * @param {{words?: string, class?: string}} [options]
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, title, onclick, options = {}) {
  const { words = "" } = options;
  const label = title.startsWith(words) ? title : `${words}: ${title}`;
  return el(
    "button",
    { type: "button", class: `button ${options.class ?? ""}`, title, "aria-label": label, onclick },
    icon(name),
    words && el("span", { class: "words" }, words),
  );
}

/** Most characters of a name: the server's limit. */
const MAX_NAME = 200;

/**
 * A field for the name of a project or a label.
 * @param {Record<string, string>} props
 * @returns {HTMLInputElement}
 */
export const nameInput = (props) => el("input", { type: "text", maxlength: String(MAX_NAME), ...props });

/**
 * @param {number} value
 * @returns {string} 1234567 as "1.2 M", 12345 as "12.3 k"
 */
export function compact(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return String(value);
}
