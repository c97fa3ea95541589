/** The bar at the top: the project, what can be done with the image, and which model answers. */

import { el, icon, iconButton } from "./dom.js";
import { anchor, popover } from "./popover.js";
import { createProjectMenu } from "./projects.js";
import { isFinished } from "../work/team.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Commands } from "../work/commands.js" */
/** @import { Models } from "../work/models.js" */
/** @import { Projects } from "../work/projects.js" */
/** @import { Session } from "../work/session.js" */
/** @import { Team } from "../work/team.js" */

/**
 * @param {{store: Store, session: Session, team: Pick<Team, "toggleDone">, projects: Projects, openOverview: (opener: HTMLElement) => void, exportPanel: {element: HTMLElement, opened: () => void}, models: Models,
 *   commands: Commands, pickFiles: () => void, pickFolder: () => void, pickObjects: () => void, viewPanel: HTMLElement, folderPanel: HTMLElement,
 *   account: HTMLElement, focusCanvas: () => void}} context
 */
export function createHeader(context) {
  const { store, session, team, projects, openOverview, exportPanel, models, commands, pickFiles, pickFolder, pickObjects } = context;
  const { viewPanel, folderPanel, account, focusCanvas } = context;
  const upload = iconButton("upload", "Upload images (or drop, or paste them)", pickFiles, { words: "Upload", class: "owners-only" });
  const uploadFolder = iconButton("folderUp", "Add folder: upload the images in it (or drop it)", pickFolder, {
    class: "plain upload-folder owners-only",
  });
  const auto = iconButton(
    "magic",
    "Find every object; inside a box if one is drawn (Q)",
    () => {
      commands.autoMask();
      focusCanvas();
    },
    { words: "Auto-mask" },
  );
  const bring = iconButton(
    "import",
    "Import objects for images that are here: COCO, YOLO, labelme, CVAT, PNG masks, maps or cutouts, CSV; boxes become masks to review",
    pickObjects,
    { words: "Import", class: "owners-only" },
  );
  const folder = popover("folder", "Add a folder of the server", folderPanel);
  folder.classList.add("owners-only");
  const download = popover("export", "Export: download all objects", exportPanel.element, {
    words: "Export",
    opened: exportPanel.opened,
  });
  const finished = el(
    "button",
    {
      type: "button",
      class: "button status-button",
      onclick: () => void team.toggleDone(),
    },
    icon("check"),
    el("span", { class: "words" }, "Done"),
  );
  const title = el("div", { class: "title", "aria-live": "polite" });
  const model = modelPicker({ store, models });

  store.watch(["status"], ({ status }) => {
    folder.hidden = !status?.image_folders.length;
  });
  store.watch(["image", "review", "booted", "photoReady"], ({ image, review, booted, photoReady }) => {
    title.textContent = image ? image.name : "";
    title.title = image ? `${image.name}, ${image.width} × ${image.height}` : "";
    auto.disabled = !photoReady || review?.state === "running";
    upload.disabled = uploadFolder.disabled = bring.disabled = !booted;
    download.hidden = !booted;
    finished.disabled = !image;
    finished.classList.toggle("chosen", isFinished(image));
    finished.title = isFinished(image) ? `This image is ${image?.status}; click to reopen it` : "Mark this image as done (Ctrl+Enter: and go on to the next one to do)";
    finished.setAttribute("aria-pressed", String(isFinished(image)));
  });

  return el(
    "header",
    { class: "bar" },
    el("span", { class: "brand" }, icon("mark"), el("span", { class: "words" }, "Annotator")),
    createProjectMenu({ store, projects, session, openOverview, focusCanvas }),
    el("div", { class: "group" }, upload, uploadFolder, folder, auto, bring, download),
    title,
    el(
      "div",
      { class: "group" },
      finished,
      popover("view", "View", viewPanel),
      model,
      account,
      iconButton("help", "Keys (?)", () => commands.help(), { class: "plain" }),
    ),
  );
}

/** @param {{store: Store, models: Models}} context */
function modelPicker({ store, models }) {
  const name = el("span", { class: "words" });
  const button = el("button", { type: "button", class: "button model" }, icon("chip"), name, icon("caret"));
  const panel = el("div", { class: "menu" });
  anchor(button, panel);
  store.watch(["status"], ({ status }) => {
    if (!status) return;
    const { model } = status;
    name.textContent = model.compiling ? `${model.name} · compiling` : model.name;
    button.title = `${model.name} on ${model.device}: ${model.reason}`;
    button.setAttribute("aria-label", `Model: ${name.textContent}`);
    panel.replaceChildren(
      el(
        "p",
        { class: "reason" },
        el("b", {}, model.name),
        ` on ${model.device}, ${model.dtype}, ${model.backend}. ${sentence(model.reason)}`,
      ),
      ...status.models.map((item) =>
        el(
          "button",
          {
            type: "button",
            class: item.name === model.name ? "item chosen" : "item",
            dataset: { closes: "" },
            disabled: item.name === model.name || !status.is_admin,
            onclick: () => models.choose(item.name),
          },
          el("span", {}, item.title),
          el(
            "span",
            { class: "number" },
            item.size_mb ? `${item.ready ? "" : "download "}${Math.round(item.size_mb)} MB` : "",
          ),
        ),
      ),
    );
    if (!status.is_admin) panel.append(el("p", { class: "reason" }, "Only an admin may choose the model."));
  });
  return el("span", { class: "anchor" }, button, panel);
}

/** @param {string} text */
const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.` : "");
