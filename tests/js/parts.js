/** Stand-ins for what the modules are given: the browser's storage, answers that come when the test says so, a page's parts. */

import { createDrafts } from "../../static/data/drafts.js";
import { createParking } from "../../static/data/parking.js";
import { OPEN_FILTER } from "../../static/data/proposals.js";
import { createReviews } from "../../static/data/reviews.js";
import { initialState } from "../../static/data/state.js";
import { createStore } from "../../static/data/store.js";

/** The part of the browser's storage that is used; its keys are its properties. */
export function memory(entries = {}) {
  const storage = Object.create({
    getItem: (key) => storage[key] ?? null,
    setItem: (key, value) => void (storage[key] = value),
    removeItem: (key) => void delete storage[key],
  });
  return Object.assign(storage, entries);
}

/** A promise, and what settles it. */
export function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

/** Lets everything run that waits for nothing outside. */
export const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

export const square = (x = 0, size = 2) => ({ x, y: 0, w: size, h: size, runs: [0, size * size] });

export const photo = (id, fields = {}) => ({
  id,
  project_id: 1,
  name: `${id}.jpg`,
  width: 100,
  height: 80,
  status: "new",
  embedding: "ready",
  url: `/${id}`,
  annotations: 0,
  ...fields,
});

export const annotation = (id, fields = {}) => ({ id, label_id: 1, mask: square(), area: 4, bbox: [0, 0, 2, 2], ...fields });

export const label = (id, fields = {}) => ({
  id,
  project_id: 1,
  name: `label ${id}`,
  color: "#0072b2",
  supercategory: "",
  key: null,
  ...fields,
});

/** A finished review of image "a". */
export const review = (fields = {}) => ({
  id: 1,
  imageId: "a",
  kind: "auto",
  boxes: [],
  jobId: "",
  state: "done",
  done: 1,
  total: 1,
  proposals: [],
  judged: [],
  gone: new Set(),
  together: new Set(),
  filter: OPEN_FILTER,
  labelId: null,
  kept: [],
  dropped: [],
  pointer: null,
  steps: 0,
  ...fields,
});

/** A store with an image open, and a toast that only remembers what it said. Reviews are in the tab's storage. */
export function page(fields = {}, tabStorage = memory()) {
  const said = [];
  const store = createStore({
    ...initialState(),
    projectId: 1,
    labels: [label(1)],
    labelId: 1,
    image: photo("a"),
    images: [photo("a"), photo("b")],
    photoReady: true,
    ...fields,
  });
  const toast = (text, options = {}) => {
    const shown = { text, ...options };
    said.push(shown);
    return { update: (next) => void (shown.text = next), close: () => void (shown.closed = true) };
  };
  const labels = { chosen: async () => 1, named: async () => 2, load: async () => {} };
  const parking = createParking({ store, drafts: createDrafts(memory()), reviews: createReviews(tabStorage) });
  return { store, said, toast, parking, labels };
}

/**
 * An API whose answers are functions by "METHOD /path"; what was asked is in `calls`.
 * @param {Record<string, (body: any) => any>} answers
 */
export function server(answers) {
  const calls = [];
  const send = async (method, path, { body, signal } = {}) => {
    calls.push({ method, path, body, signal });
    const answer = answers[`${method} ${path}`];
    if (!answer) throw new Error(`nobody answers ${method} ${path}`);
    return answer(body);
  };
  const api = {
    get: (path) => send("GET", path),
    post: (path, body, options) => send("POST", path, { ...options, body }),
    put: (path, body) => send("PUT", path, { body }),
    patch: (path, body) => send("PATCH", path, { body }),
    delete: (path) => send("DELETE", path),
    send,
  };
  return { api, send, calls };
}
