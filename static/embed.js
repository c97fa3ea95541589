/** The canvas as a Gradio component: `annotator/gradio.py` loads it into other people's apps. */

import { createStandIn } from "./data/storage.js";
import { createTransport } from "./data/transport.js";
import { el, iconButton } from "./panels/dom.js";
import { listenToFiles } from "./panels/uploads.js";
import { createWorkbench } from "./workbench.js";

/** @import { Received, Sent } from "./data/transport.js" */

/**
 * @typedef {{session: string, image: string | null, revision: number}} Value  names what the server has
 * @typedef {object} Component  what Gradio gives to a component's script
 * @property {{value: Value | null}} props
 * @property {{start: (nothing: null) => Promise<string>, send: (request: Sent & {session: string}) => Promise<Received | undefined>}} server
 * @property {(prop: "value", changed: () => void) => void} watch
 */

/**
 * Turns an empty element into the component.
 * @param {HTMLElement} root
 * @param {Component} component
 */
export async function mount(root, { props, server, watch }) {
  const style = new URL("style.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${style}"]`)) document.head.append(el("link", { rel: "stylesheet", href: style }));
  /** The value that both sides know. */
  let known = props.value;
  let session = known?.session ?? (await begin());
  const workbench = createWorkbench(root, {
    fetch: createTransport((request) => server.send({ ...request, session })),
    base: "/api/v1",
    storage: createStandIn(),
    tabStorage: createStandIn(),
    keysOf: root,
  });
  const { store, intake, commands, focusCanvas, stage, side, status } = workbench;
  const { files } = listenToFiles(root, root, {
    files: (chosen) => void intake.take(chosen).then(focusCanvas),
    folder: (found) => void intake.takeFolder(found).then(focusCanvas),
  });
  const open = () => files("image/*");
  const hint = el("div", { class: "empty" }, iconButton("upload", "Open an image", open, { words: "Open an image", class: "primary" }));
  stage.append(hint);
  root.prepend(createBar({ open, commands }), stage, side, status);

  store.watch(["booted", "image"], ({ booted, image }) => {
    hint.hidden = !booted || image !== null;
  });
  store.watch(["image", "photoReady", "history", "unsent"], ({ image, photoReady, history, unsent }) => {
    if (unsent || !image || !photoReady) return;
    const value = { session, image: image.id, revision: history.revision };
    if (JSON.stringify(value) === JSON.stringify(known)) return;
    known = value;
    props.value = value; // Gradio triggers "change" itself
  });
  watch("value", () => {
    const given = props.value;
    if (JSON.stringify(given) === JSON.stringify(known)) return;
    void restart(given);
  });

  async function begin() {
    const started = await server.start(null);
    if (!started) throw new Error("the server has failed, its log has the details.");
    return started;
  }

  /** Python has set another value. @param {Value | null} given */
  async function restart(given) {
    session = given?.session ?? (await begin());
    known = given;
    await workbench.session.boot();
  }
  await workbench.session.boot();
}

/** @param {{open: () => void, commands: import("./work/commands.js").Commands}} context */
function createBar({ open, commands }) {
  return el(
    "header",
    { class: "bar" },
    iconButton("upload", "Open an image (or drop, or paste it)", open, { words: "Open" }),
    iconButton("magic", "Find every object; inside a box if one is drawn (Q)", () => commands.autoMask(), { words: "Auto-mask" }),
    el("span", { class: "space" }),
    iconButton("help", "Keys (?)", () => commands.help(), { class: "plain" }),
  );
}
