/** Which model answers. */

/** @import { Store, Toast } from "../data/types.d.ts" */
/** @import { Api } from "../data/routes.d.ts" */

/** @typedef {ReturnType<typeof createModels>} Models */

const POLL_MS = 500;
const COMPILE_POLL_MS = 3000;

/**
 * @param {{store: Store, api: Api, toast: Toast}} context
 */
export function createModels({ store, api, toast }) {
  /** @param {string} name */
  async function choose(name) {
    let finished = false;
    const progress = toast(`Loading ${name} …`, { kind: "progress" });
    const watch = async () => {
      while (!finished) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        const status = await api.get("/status", { retry: "never" }).catch(() => null);
        const loading = status?.model.loading;
        if (loading && !finished)
          progress.update(`Loading ${loading.name} … ${Math.round(loading.fraction * 100)} %`, loading.fraction);
      }
    };
    void watch();
    try {
      const status = await api.put("/model", { name });
      store.set({ status });
      toast(`Now using ${status.model.name}.`);
    } catch (error) {
      toast(`The model was not changed: ${/** @type {Error} */ (error).message}`, { kind: "error" });
    } finally {
      finished = true;
      progress.close();
    }
  }

  /** Keeps the status fresh while the model is compiled in the background. */
  async function followCompiling() {
    while (store.get().status?.model.compiling) {
      await new Promise((resolve) => setTimeout(resolve, COMPILE_POLL_MS));
      const status = await api.get("/status", { retry: "never" }).catch(() => null);
      if (status) store.set({ status });
    }
  }
  store.watch(["booted"], ({ booted }) => void (booted && followCompiling()));
  return { choose };
}
