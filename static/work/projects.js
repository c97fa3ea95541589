/** The projects: adding, renaming, removing and restoring them. */

import { createTurns } from "../data/turns.js";

/** @import { Project, Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */
/** @import { Objects } from "./objects.js" */
/** @import { Session } from "./session.js" */

/** @typedef {ReturnType<typeof createProjects>} Projects */
/** @typedef {Pick<Project, "id" | "name">} Known */

/**
 * @param {{store: Store, api: Api, session: Pick<Session, "switchProject">, objects: Pick<Objects, "settled">, toast: Toast}} context
 */
export function createProjects({ store, api, session, objects, toast }) {
  const inTurn = createTurns(); // a list of projects is never older than the projects shown

  async function load() {
    const [projects, removedProjects] = await Promise.all([api.get("/projects"), api.get("/projects?removed=true")]);
    store.set({ projects, removedProjects });
    return projects;
  }

  /**
   * @param {string} failed  what to say before the reason
   * @param {() => Promise<unknown>} change
   * @returns {Promise<boolean>} whether it succeeded
   */
  async function attempt(failed, change) {
    try {
      await inTurn(change);
      return true;
    } catch (error) {
      toast(`${failed}: ${/** @type {Error} */ (error).message}`, { kind: "error" });
      return false;
    }
  }

  /** @param {Known} project */
  function restore({ id }) {
    return attempt("The project could not be restored", async () => {
      await api.post(`/projects/${id}/restore`);
      await load();
      await session.switchProject(id);
    });
  }

  return {
    /** Fetches the projects again: another tab may have changed them, or removed the one shown. */
    refresh: () =>
      inTurn(async () => {
        const projects = await load().catch(() => null);
        const here = projects?.some((one) => one.id === store.get().projectId);
        if (projects && !here) await session.switchProject(projects[0].id);
      }),
    restore,
    /** @param {string} name @returns {Promise<boolean>} whether there is such a project now; if so, it is shown */
    add: (name) =>
      attempt("The project was not added", async () => {
        const project = await api.post("/projects", { name });
        store.set({ projects: [...store.get().projects, project] });
        await session.switchProject(project.id);
      }),
    /** @param {Known} project @param {string} name @returns {Promise<boolean>} whether it has this name now */
    rename: ({ id }, name) =>
      attempt("The project was not renamed", async () => {
        const renamed = await api.patch(`/projects/${id}`, { name });
        store.set({ projects: store.get().projects.map((one) => (one.id === id ? renamed : one)) });
      }),
    /** Removes a project; if it is shown, its neighbour is shown. The server makes a new one when none is left. @param {Known} project */
    remove: (project) =>
      attempt("The project could not be removed", async () => {
        const at = store.get().projects.findIndex((one) => one.id === project.id);
        await objects.settled(); // a removed project takes no changes
        await api.delete(`/projects/${project.id}`);
        const left = await load();
        if (store.get().projectId === project.id) await session.switchProject(left[Math.min(at, left.length - 1)].id);
        toast(`The project ${project.name} was removed.`, { action: ["Undo", () => restore(project)] });
      }),
  };
}
