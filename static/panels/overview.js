/** The project at a glance: how far its images are, how many objects each label has, and who works on it. */

import { isOwner } from "../data/rights.js";
import { bars } from "./bars.js";
import { el, iconButton, nameInput } from "./dom.js";

/** @import { Member, Role, Store, Summary } from "../data/types.d.ts" */
/** @import { Overview } from "../work/overview.js" */

const STATES = /** @type {const} */ ({
  new: ["New", "var(--muted)"],
  in_progress: ["In progress", "#e69f00"],
  done: ["Done", "#16a34a"],
  approved: ["Approved", "#15803d"],
  rejected: ["Rejected", "var(--danger)"],
});
/** States that only others than the annotator give: without a login there are none. */
const VERDICTS = ["approved", "rejected"];

/**
 * @param {HTMLElement} root
 * @param {{store: Store, overview: Overview}} context
 * @returns {(opener: HTMLElement) => void} opens it; `opener` has the focus after it is closed
 */
export function createOverviewPanel(root, { store, overview }) {
  const title = el("h2", { id: "annotator-overview" });
  const close = iconButton("close", "Close", () => dialog.close(), { class: "plain" });
  const head = el("header", {}, title, close);
  const body = el("div", { class: "overview-body" });
  const failed = el("p", { class: "failed", role: "alert" });
  const dialog = el("dialog", { class: "sheet overview", "aria-labelledby": title.id }, head, failed, body);
  dialog.addEventListener("click", (/** @type {MouseEvent} */ event) => event.target === dialog && dialog.close());
  root.append(dialog);

  /** Shows something else. A focus in what was there goes to the control of the same name, else to one that is there. @param {Node[]} nodes */
  function show(...nodes) {
    const held = body.contains(document.activeElement) ? document.activeElement : null;
    const name = held?.getAttribute("aria-label") ?? "";
    body.replaceChildren(...nodes);
    if (!held) return;
    /** @type {HTMLElement} */ (body.querySelector(`[aria-label="${CSS.escape(name)}"]`) ?? body.querySelector("form input") ?? close).focus();
  }

  /** Changes the members, and shows what there is then; if it fails, why. @param {() => Promise<unknown>} change */
  async function attempt(change) {
    try {
      await change();
      await load();
    } catch (error) {
      failed.textContent = /** @type {Error} */ (error).message;
    }
  }

  async function load() {
    const { projectId } = store.get();
    failed.textContent = "";
    try {
      const { summary, members } = await overview.load();
      if (store.get().projectId !== projectId) return;
      const { status } = store.get();
      show(images(summary), objects(summary), ...(status?.user ? [people(summary, members)] : []));
    } catch (error) {
      show();
      failed.textContent = /** @type {Error} */ (error).message;
    }
  }

  /** @param {Summary} summary */
  function images(summary) {
    const shown = Object.entries(STATES).filter(([state]) => store.get().status?.user || !VERDICTS.includes(state));
    const rows = shown.map(([state, [name, color]]) => ({ name, color, value: summary.images[/** @type {keyof typeof STATES} */ (state)] }));
    return bars("Images", ["State", "Images"], rows, "");
  }

  /** @param {Summary} summary */
  function objects(summary) {
    const { labels } = store.get();
    const rows = summary.labels.map(({ label_id: id, objects: value }) => {
      const label = labels.find((each) => each.id === id);
      return { name: label?.name ?? `label ${id}`, color: label?.color, value };
    });
    rows.sort((a, b) => b.value - a.value);
    return bars("Objects", ["Label", "Objects"], rows, "There are no labels.");
  }

  /** @param {Summary} summary @param {Member[]} members */
  function people(summary, members) {
    const { projects, projectId } = store.get();
    const owner = projects.find(({ id }) => id === projectId)?.owner ?? "";
    const names = new Set([owner, ...members.map(({ name }) => name), ...summary.people.map(({ user }) => user)]);
    const rows = [...names].map((name) => {
      const made = summary.people.find(({ user }) => user === name);
      const member = members.find((each) => each.name === name);
      const role = name === owner ? "owner" : member ? roleOf(member) : "no member";
      return { name: name ?? "before there were users", value: made?.objects ?? 0, cells: [String(made?.images ?? 0), role] };
    });
    const section = bars("People", ["Name", "Objects made", "Images", "Role"], rows, "");
    if (isOwner(store.get())) section.append(addForm());
    return section;
  }

  /** @param {Member} member @returns {Node | string} the role, which the owner may change */
  function roleOf({ name, role }) {
    if (!isOwner(store.get())) return role;
    const choice = roleChoice(`Role of ${name}`);
    choice.value = role;
    choice.addEventListener("change", () => void attempt(() => overview.share(name, /** @type {Role} */ (choice.value))));
    const words = `Remove ${name} from the project`;
    const remove = iconButton("close", words, () => void attempt(() => overview.unshare(name)), { class: "plain small" });
    return el("span", { class: "group" }, choice, remove);
  }

  function addForm() {
    const name = nameInput({ placeholder: "Name of a user", "aria-label": "Name of a user" });
    const role = roleChoice("Role of the new member");
    const add = (/** @type {Event} */ event) => {
      event.preventDefault();
      const wanted = name.value.trim();
      if (wanted) void attempt(() => overview.share(wanted, /** @type {Role} */ (role.value)));
    };
    const button = el("button", { class: "button" }, "Share");
    return el("form", { class: "field-row", onsubmit: add }, name, role, button);
  }

  return (opener) => {
    const { projects, projectId } = store.get();
    title.textContent = projects.find(({ id }) => id === projectId)?.name ?? "";
    body.replaceChildren(el("p", { class: "hint" }, "Counting …"));
    dialog.addEventListener("close", () => opener.focus(), { once: true });
    dialog.showModal();
    void load();
  };
}

/** @param {string} words */
const roleChoice = (words) =>
  el("select", { "aria-label": words }, ...["annotator", "reviewer"].map((role) => el("option", { value: role }, role)));
