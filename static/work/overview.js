/** The counts and the members of the project shown. */

/** @import { Member, Role, Store, Summary } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createOverview>} Overview */

/** @param {{store: Store, api: Api}} context */
export function createOverview({ store, api }) {
  const path = () => /** @type {const} */ (`/projects/${store.get().projectId ?? 0}`);
  const memberPath = (/** @type {string} */ name) => /** @type {const} */ (`${path()}/members/${encodeURIComponent(name)}`);

  return {
    /** @returns {Promise<{summary: Summary, members: Member[]}>} as they are now; there are no members where there is no login */
    async load() {
      const members = store.get().status?.user ? api.get(`${path()}/members`) : [];
      const [summary, shared] = await Promise.all([api.get(`${path()}/summary`), members]);
      return { summary, members: shared };
    },
    /** Shares the project, or changes a member's role. @param {string} name @param {Role} role */
    share: (name, role) => api.put(memberPath(name), { role }),
    /** Shares it with a member no longer. @param {string} name */
    unshare: (name) => api.delete(memberPath(name)),
  };
}
