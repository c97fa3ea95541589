/** The page's state when it starts. `types.d.ts` says what each value means. */

import { NO_PROGRESS } from "./progress.js";

/** @import { State, ViewSettings } from "./types.d.ts" */

/** @type {ViewSettings} */
export const VIEW = Object.freeze({
  opacity: 0.45,
  style: "both",
  colors: "label",
  theme: "system",
  only: false,
  hover: true,
  crosshair: false,
  keymap: "standard",
  specks: 64,
});

/** @returns {State} */
export function initialState() {
  return {
    status: null,
    projects: [],
    removedProjects: [],
    projectId: null,
    images: [],
    total: 0,
    queueStatus: "",
    version: 0,
    places: [],
    live: false,
    bin: [],
    samples: [],
    image: null,
    photoReady: false,
    annotations: [],
    history: { revision: 0, undo: null, redo: null },
    labels: [],
    labelId: null,
    suggestion: null,
    selection: [],
    hidden: new Set(),
    ...NO_PROGRESS,
    many: false,
    review: null,
    hover: null,
    tool: "add",
    detail: null,
    scratch: {},
    brush: 16,
    busy: 0,
    unsent: 0,
    online: true,
    timing: null,
    view: VIEW,
    booted: false,
  };
}
