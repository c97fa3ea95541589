/** The stream of a project's events. One for a tab: it ends when the tab is hidden for long, and goes on where it was. */

/** @import { ProjectEvent } from "../data/types.d.ts" */

/** @typedef {ReturnType<typeof createStream>} Stream */

/**
 * Browsers allow six connections to a server, for all tabs together, where it speaks HTTP/1.1. A stream takes one of them.
 * Who has looked at something else for so long annotates nothing, and the image becomes free.
 */
const HIDDEN_MS = 60_000;
/** After the server has refused: it stops, it is full, or the project is no longer there. */
const AGAIN_MS = 10_000;

/**
 * @param {{base: string, client: () => string, onEvent: (event: ProjectEvent) => unknown, onLive: (live: boolean) => void,
 *   onRefused: () => unknown}} context
 *   `base`: address of the REST routes; `client`: the name of this tab, "" if nobody is told which image it has open
 */
export function createStream({ base, client, onEvent, onLive, onRefused }) {
  /** @type {{projectId: number, version: number} | null} */
  let at = null;
  /** @type {EventSource | null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
    onLive(false);
  }

  function open() {
    close();
    if (!at) return;
    const place = at;
    const who = client() && `&client=${client()}`;
    const opened = new EventSource(`${base}/projects/${place.projectId}/events?after=${place.version}${who}`);
    source = opened;
    opened.onopen = () => onLive(true);
    opened.onmessage = ({ data }) => {
      if (source !== opened) return;
      const event = /** @type {ProjectEvent} */ (JSON.parse(data));
      place.version = event.version;
      onEvent(event);
    };
    opened.onerror = () => {
      if (source !== opened) return;
      onLive(false);
      if (opened.readyState !== EventSource.CLOSED) return; // it connects again by itself
      timer = setTimeout(open, AGAIN_MS);
      onRefused();
    };
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) timer = setTimeout(close, HIDDEN_MS);
    else if (!source) open();
    else clearTimeout(timer);
  });

  return {
    /** Follows another project from a version on, or none. @param {number | null} projectId @param {number} version */
    follow(projectId, version) {
      at = projectId === null ? null : { projectId, version };
      open();
    },
  };
}
