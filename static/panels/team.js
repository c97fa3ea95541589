/** What people who work together see of the open image: who else has it open, and what the reviewer says. */

import { el, icon } from "./dom.js";
import { othersAt, mayReview } from "../work/team.js";

/** @import { State, Store } from "../data/types.d.ts" */
/** @import { Team } from "../work/team.js" */

const LONGEST = 2000; // characters of a comment
/** States in which an image waits for a verdict, or has one. */
const REVIEWED = ["done", "approved", "rejected"];

/**
 * @param {{store: Store, team: Team, focusCanvas: () => void}} context
 * @returns {{element: HTMLElement, approve: () => void, reject: () => void}} what the two buttons do, while they are shown
 */
export function createTeamPanel({ store, team, focusCanvas }) {
  const taken = el("p", { class: "taken-by", role: "status" });
  const state = el("p", { role: "status" });
  const comment = el("blockquote", { class: "comment" });
  const approve = el(
    "button",
    { type: "button", class: "button", title: "Approve (V)", onclick: () => void team.review("approved").then(focusCanvas) },
    icon("check"),
    "Approve",
  );
  const reject = el("button", { type: "button", class: "button", title: "Reject (Shift+V)", onclick: () => ask(true) }, icon("close"), "Reject …");
  const buttons = el("div", { class: "group" }, approve, reject);
  const field = el("textarea", { rows: "3", maxlength: String(LONGEST), "aria-label": "What should be changed?", placeholder: "What should be changed?" });
  const form = el(
    "form",
    { class: "verdict", hidden: true, onsubmit: send },
    field,
    el(
      "div",
      { class: "group" },
      el("button", { class: "button" }, "Reject"),
      el("button", { type: "button", class: "button plain", onclick: () => ask(false) }, "Cancel"),
    ),
  );
  const panel = el("section", { class: "panel team", "aria-label": "Review", hidden: true }, taken, state, comment, buttons, form);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") ask(false);
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    else return;
    event.preventDefault();
  });

  /** @param {boolean} open */
  function ask(open) {
    form.hidden = !open;
    buttons.hidden = open;
    if (open) field.focus();
    else focusCanvas();
  }

  /** @param {Event} event */
  async function send(event) {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return field.focus();
    const of = shown;
    if (!(await team.review("rejected", text))) return;
    begun.delete(of);
    if (of !== shown) return;
    field.value = "";
    ask(false);
  }

  /** What is written of a rejection and not sent yet, by image. @type {Map<string | null, string>} */
  const begun = new Map();
  /** @type {string | null} */
  let shown = null;
  /** @param {string | null} id  of the image that is open now */
  function moveTo(id) {
    if (id === shown) return;
    begun.set(shown, field.value);
    field.value = begun.get(id) ?? "";
    form.hidden = true;
    shown = id;
  }
  store.watch(["image", "places", "status", "projects", "projectId"], (now) => {
    const { image } = now;
    const names = othersAt(now, image?.id ?? "");
    const words = image ? wordsOf(image) : "";
    taken.textContent = names.length ? `Being annotated by ${names.join(", ")}. Changes of both are kept.` : "";
    state.textContent = words;
    comment.textContent = image?.review_comment ?? "";
    comment.hidden = !image?.review_comment;
    taken.hidden = !names.length;
    state.hidden = !words;
    moveTo(image?.id ?? null);
    buttons.hidden = !mayReview(now) || !image || !REVIEWED.includes(image.status) || !form.hidden;
    approve.disabled = image?.status === "approved";
    panel.hidden = !now.status?.user || (!names.length && !words && buttons.hidden && form.hidden);
  });
  const press = (/** @type {HTMLElement} */ button) => buttons.hidden || button.click();
  return { element: panel, approve: () => void press(approve), reject: () => void press(reject) };
}

/** @param {NonNullable<State["image"]>} image */
function wordsOf({ status, reviewer, review_comment }) {
  if (status === "done") return review_comment ? `Done again. ${reviewer} had rejected it:` : "Done. It waits for a review.";
  if (status === "approved") return `Approved by ${reviewer}. A change takes the approval back.`;
  if (status === "rejected") return `Rejected by ${reviewer}:`;
  return review_comment ? `${reviewer} had rejected it:` : "";
}
