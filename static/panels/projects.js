/** The menu of the projects: the one shown, the others, a new one, and those that were removed. */

import { el, icon, iconButton, nameInput } from "./dom.js";
import { createKeyedList } from "./keyed.js";
import { anchor } from "./popover.js";

/** @import { State, Store } from "../data/types.d.ts" */
/** @import { Known, Projects } from "../work/projects.js" */
/** @import { Session } from "../work/session.js" */

/**
 * @param {{store: Store, projects: Projects, session: Pick<Session, "switchProject">, openOverview: (opener: HTMLElement) => void, focusCanvas: () => void}} context
 */
export function createProjectMenu({ store, projects, session, openOverview, focusCanvas }) {
  const name = el("span", { class: "clip" });
  const button = el("button", { type: "button", class: "button project" }, icon("project"), name, icon("caret"));
  const list = el("div", { class: "menu project-list" });
  const field = nameInput({ placeholder: "New project", "aria-label": "New project" });
  const form = el(
    "form",
    { class: "field-row", onsubmit: add },
    field,
    iconButton("plus", "Add the project", () => form.requestSubmit(), { class: "small" }),
  );
  const removedCount = el("span", { class: "count" });
  const removedList = el("div", { class: "menu project-list" });
  const removed = el("details", { class: "removed" }, el("summary", {}, "Removed projects ", removedCount), removedList);
  const overviewWords = el("span", {});
  const overview = el(
    "button",
    { type: "button", class: "item", dataset: { closes: "" }, onclick: () => openOverview(button) },
    el("span", { class: "group" }, icon("chart"), overviewWords),
  );
  const panel = el("div", { class: "menu project-menu" }, overview, list, form, removed);
  const rows = createKeyedList(list, row);
  const removedRows = createKeyedList(removedList, removedRow);
  /** The project whose name is being changed. @type {number | null} */
  let renaming = null;

  const show = anchor(button, panel);
  button.addEventListener("click", () => {
    edit(null);
    void projects.refresh();
  });

  const isOthers = (/** @type {string} */ owner) => Boolean(store.get().status?.user) && owner !== store.get().status?.user;

  /** @param {Event} event */
  async function add(event) {
    event.preventDefault();
    const wanted = field.value.trim();
    if (!wanted) return;
    show(false);
    focusCanvas();
    if (await projects.add(wanted)) field.value = "";
  }

  /** @param {number | null} id */
  function edit(id) {
    renaming = id;
    draw(store.get());
    /** @type {HTMLInputElement | null} */ (list.querySelector("input"))?.select();
  }

  /** @param {{key: string, name: string, owner: string, isOwn: boolean, shown: boolean, renamed: boolean}} values */
  function row({ key, name, owner, isOwn, shown, renamed }) {
    const project = { id: Number(key), name, owner };
    if (renamed) return nameForm(project);
    return el(
      "div",
      { class: shown ? "project-row chosen" : "project-row" },
      el(
        "button",
        {
          type: "button",
          class: "item",
          title: name,
          "aria-current": shown && "true",
          dataset: { closes: "" },
          onclick: () => void session.switchProject(project.id).then(focusCanvas),
        },
        el("span", { class: "clip" }, name),
        isOthers(owner) && el("span", { class: "number" }, owner),
      ),
      isOwn && iconButton("pencil", `Rename ${name}`, () => edit(project.id), { class: "plain small onhover" }),
      isOwn && iconButton("trash", `Remove ${name}`, () => void projects.remove(project), { class: "plain small onhover" }),
    );
  }

  /** @param {Known} project */
  function nameForm(project) {
    const input = nameInput({ value: project.name, "aria-label": `Name of ${project.name}` });
    const rename = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const wanted = input.value.trim();
      if (wanted && wanted !== project.name && !(await projects.rename(project, wanted))) return;
      edit(null);
      rows.find(String(project.id))?.querySelector("button")?.focus();
    };
    const save = iconButton("check", "Save (Enter)", () => form.requestSubmit(), { class: "small" });
    const form = el("form", { class: "field-row", onsubmit: rename }, input, save);
    return form;
  }

  /** @param {{key: string, name: string, owner: string}} values */
  function removedRow({ key, name, owner }) {
    const project = { id: Number(key), name, owner };
    const restore = el(
      "button",
      {
        type: "button",
        class: "button small",
        "aria-label": `Restore ${name}`,
        dataset: { closes: "" },
        onclick: () => void projects.restore(project).then(focusCanvas),
      },
      "Restore",
    );
    return el("div", { class: "project-row" }, el("span", { class: "clip", title: name }, name), restore);
  }

  /** @param {State} state */
  function draw({ projects: all, removedProjects, projectId }) {
    name.textContent = all.find((project) => project.id === projectId)?.name ?? "";
    button.title = `Project: ${name.textContent}`;
    button.setAttribute("aria-label", button.title);
    rows.show(
      all.map(({ id, name, owner, right }) => ({
        key: String(id),
        name,
        owner,
        isOwn: right === "own",
        shown: id === projectId,
        renamed: id === renaming,
      })),
    );
    removedRows.show(removedProjects.map(({ id, name, owner }) => ({ key: String(id), name, owner })));
    removed.hidden = removedProjects.length === 0;
    removedCount.textContent = String(removedProjects.length);
  }

  store.watch(["projects", "removedProjects", "projectId"], draw);
  store.watch(["status"], ({ status }) => {
    overviewWords.textContent = status?.user ? "Counts and people" : "Counts"; // without a login there is one person
  });
  return el("span", { class: "anchor" }, button, panel);
}
