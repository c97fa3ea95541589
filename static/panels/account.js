/** Who is logged in, and the way out. */

import { el, icon } from "./dom.js";
import { anchor } from "./popover.js";

/** @import { Store } from "../data/types.d.ts" */

/** @param {{store: Store, logOut: string}} context  `logOut` is an address that takes a form */
export function createAccountMenu({ store, logOut }) {
  const name = el("span", { class: "clip" });
  const button = el("button", { type: "button", class: "button account" }, name, icon("caret"));
  const out = el("button", { class: "item" }, "Log out");
  const panel = el("form", { class: "menu", method: "post", action: logOut }, out);
  const menu = el("span", { class: "anchor", hidden: true }, button, panel);
  anchor(button, panel);
  store.watch(["status"], ({ status }) => {
    menu.hidden = !status?.user;
    name.textContent = status?.user ?? "";
    button.title = `Logged in as ${name.textContent}`;
    button.setAttribute("aria-label", button.title);
  });
  store.watch(["unsent"], ({ unsent }) => {
    out.disabled = unsent > 0; // they could no longer be sent
    out.title = unsent > 0 ? "Changes are being saved" : "";
  });
  return menu;
}
