/** Which model answers. */

/** @import { Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createModels>} Models */

const POLL_MS = 500;
const COMPILE_POLL_MS = 3000;
/** By then the server knows whether the hub answers. */
const OFFER_MS = 6000;

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @param {{store: Store, api: Api, toast: Toast, prepareAgain: () => Promise<void>}} context
 */
export function createModels({ store, api, toast, prepareAgain }) {
  /** @param {string} name */
  async function choose(name) {
    const before = store.get().status?.model.name;
    const progress = toast(`Loading ${name} …`, { kind: "progress" });
    try {
      let status = await api.put("/model", { name });
      while (status.model.loading) {
        const { loading } = status.model;
        progress.update(`Loading ${loading.name} … ${Math.round(loading.fraction * 100)} %`, loading.fraction);
        await pause(POLL_MS);
        status = await api.get("/status", { retry: "always" });
      }
      store.set({ status });
      const { model } = status;
      if (model.name !== name && model.name === before) throw new Error(model.error ?? `${name} could not be loaded.`);
      toast(model.name === name ? `Now using ${name}.` : `Now using ${model.name}, which was chosen meanwhile.`);
      void prepareAgain();
      void followCompiling();
    } catch (error) {
      toast(`The model was not changed: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    } finally {
      progress.close();
    }
  }

  /** Keeps the status fresh while the model is compiled in the background. */
  async function followCompiling() {
    while (store.get().status?.model.compiling) await refresh(COMPILE_POLL_MS);
  }

  /** @param {number} wait */
  async function refresh(wait) {
    await pause(wait);
    const status = await api.get("/status", { retry: "never" }).catch(() => null);
    if (status) store.set({ status });
  }

  store.watch(["booted"], ({ booted, status }) => {
    if (!booted) return;
    void followCompiling();
    if (status?.model.name === "nano" && !status.model.offer) void refresh(OFFER_MS);
  });
  return { choose };
}
