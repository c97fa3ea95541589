/** What the person may do with the project that is shown. */

/** @import { Project, State } from "./types.d.ts" */

/** @param {Pick<State, "projects" | "projectId">} state @returns {Project["right"]} everything, as long as nothing else is known */
export const rightOf = ({ projects, projectId }) => projects.find(({ id }) => id === projectId)?.right ?? "own";

/** @param {Pick<State, "projects" | "projectId">} state @returns {boolean} whether images, labels and members may be changed */
export const isOwner = (state) => rightOf(state) === "own";
