/** The menu of the projects: the one shown, the others, and a new one. */

import { el, icon, iconButton } from "./dom.js";
import { anchor } from "./popover.js";

/** @import { Store } from "../data/types.d.ts" */
/** @import { Session } from "../work/session.js" */

/**
 * @param {{store: Store, session: Session, focusCanvas: () => void}} context
 */
export function createProjectMenu({ store, session, focusCanvas }) {
  const name = el("span", { class: "clip" });
  const button = el("button", { type: "button", class: "button project" }, icon("project"), name, icon("caret"));
  const list = el("div", { class: "menu project-list" });
  const field = el("input", { type: "text", placeholder: "New project", "aria-label": "New project", maxlength: "100" });
  const form = el(
    "form",
    { class: "field-row", onsubmit: add },
    field,
    iconButton("plus", "Add the project", () => form.requestSubmit(), { class: "small" }),
  );
  const panel = el("div", { class: "menu project-menu" }, list, form);
  const show = anchor(button, panel);
  button.addEventListener("click", () => void session.refreshProjects());

  /** @param {Event} event */
  async function add(event) {
    event.preventDefault();
    const wanted = field.value.trim();
    if (!wanted) return;
    show(false);
    focusCanvas();
    if (await session.addProject(wanted)) field.value = "";
  }

  store.watch(["projects", "projectId"], ({ projects, projectId }) => {
    const current = projects.find((project) => project.id === projectId);
    name.textContent = current?.name ?? "";
    button.title = `Project: ${name.textContent}`;
    button.setAttribute("aria-label", button.title);
    list.replaceChildren(
      ...projects.map((project) =>
        el(
          "button",
          {
            type: "button",
            class: project === current ? "item chosen" : "item",
            dataset: { closes: "" },
            onclick: () => void session.switchProject(project.id).then(focusCanvas),
          },
          el("span", { class: "clip" }, project.name),
        ),
      ),
    );
  });
  return el("span", { class: "anchor" }, button, panel);
}
