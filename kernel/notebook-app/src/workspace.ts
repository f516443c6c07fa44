/**
 * Which layout a tab has, and where it is kept. JupyterLab asks the other tabs for their names and waits up to half a second for
 * their answers, and waits another half second before it follows the address; here a lock of the browser says at once which names
 * are free, and nothing waits for the layout to be saved.
 */
import { IRouter, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { IWindowResolver } from "@jupyterlab/apputils";
import { PageConfig } from "@jupyterlab/coreutils";
import { IStateDB, StateDB } from "@jupyterlab/statedb";
import { Debouncer } from "@lumino/polling";

/** Where a tab remembers its name over a reload. */
const remembered = "thalweg:workspace";
/** A tab that is loaded again may find its name still held by the page that it replaces, for so long at most. */
const replacedMs = 500;

/** Takes a name for as long as the page lives; false when another page has it. */
function take(name: string, options: LockOptions): Promise<boolean> {
  return new Promise((resolve) => {
    navigator.locks
      .request(`thalweg:workspace:${name}`, options, (lock) => {
        resolve(lock !== null);
        return lock && new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** The name of this tab's layout, and whether it begins empty. */
async function claim(): Promise<{ name: string; fresh: boolean }> {
  const wanted = PageConfig.getOption("workspace") || PageConfig.defaultWorkspace;
  const reset = new URLSearchParams(location.search).has("reset");
  if (!navigator.locks) return { name: wanted, fresh: reset };
  const own = sessionStorage.getItem(remembered);
  const again = { signal: AbortSignal.timeout(replacedMs) };
  if (own?.startsWith(wanted) && (await take(own, again))) return { name: own, fresh: reset };
  if (await take(wanted, { ifAvailable: true })) return { name: wanted, fresh: reset };
  for (let i = 2; ; i++) {
    const name = `${wanted}-${i}`;
    if (await take(name, { ifAvailable: true })) return { name, fresh: true };
  }
}

const claimed = claim();

export const resolverPlugin: JupyterFrontEndPlugin<IWindowResolver> = {
  id: "thalweg:resolver",
  description: "The name of this tab's layout.",
  autoStart: true,
  provides: IWindowResolver,
  activate: async () => {
    const { name } = await claimed;
    sessionStorage.setItem(remembered, name);
    return { name };
  },
};

export const statePlugin: JupyterFrontEndPlugin<IStateDB> = {
  id: "thalweg:state",
  description: "The layout of this tab, kept by the server.",
  autoStart: true,
  provides: IStateDB,
  requires: [IRouter],
  activate: ({ commands, restored, serviceManager: { workspaces } }, router: IRouter) => {
    const transform = claimed.then(async ({ name, fresh }): Promise<StateDB.DataTransform> => {
      const saved = fresh ? undefined : await workspaces.fetch(name).catch(() => undefined);
      return saved ? { type: "overwrite", contents: saved.data } : { type: "cancel", contents: null };
    });
    const state = new StateDB({ transform });
    const save = new Debouncer(async () => {
      const { name } = await claimed;
      await workspaces.save(name, { data: await state.toJSON(), metadata: { id: name } });
    });
    state.changed.connect(() => void save.invoke());
    // The address is followed when the tabs of the layout are there: before, the page looks empty, and would show its launcher.
    commands.addCommand("thalweg:layout-first", { execute: () => restored.then(() => {}) });
    router.register({ command: "thalweg:layout-first", pattern: /.?/, rank: 30 });
    commands.addCommand("apputils:reset", {
      label: "Reset Application State",
      execute: async () => {
        await state.clear();
        await save.invoke();
        location.reload();
      },
    });
    return state;
  },
};
