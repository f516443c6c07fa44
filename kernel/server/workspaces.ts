/** The layout of the page: which tabs are open and where. Kept while the server runs. */

interface Workspace {
  data?: Record<string, unknown>;
  metadata?: unknown;
}

/** @param opens whether there is something at a path that can be shown, as a notebook where that is asked. */
export function workspaces(opens: (path: string, notebook: boolean) => Promise<boolean>) {
  const saved = new Map<string, Workspace>();

  /** Without the tabs whose document is gone or cannot be read: what failed once must not stop the page each time it is opened. */
  async function get(id: string): Promise<Workspace> {
    const { data = {}, ...rest } = saved.get(id) ?? { metadata: { id } };
    const entries = await Promise.all(
      Object.entries(data).map(async (entry) => {
        const tab = documentOf(entry[1]);
        return tab === undefined || (await opens(tab.path, tab.factory === "Notebook")) ? entry : undefined;
      }),
    );
    return { ...rest, data: Object.fromEntries(entries.filter((entry) => entry !== undefined)) };
  }

  return {
    list: () => ({ workspaces: { ids: [...saved.keys()], values: [...saved.values()] } }),
    get,
    save: (id: string, value: Workspace) => void saved.set(id, value),
    remove: (id: string) => void saved.delete(id),
  };
}

/** The document of a tab, as JupyterLab writes it: `"notebook:a.ipynb": { data: { path: "a.ipynb", factory: "Notebook" } }`. */
function documentOf(entry: unknown): { path: string; factory: string } | undefined {
  const { path, factory } = (entry as { data?: { path?: unknown; factory?: unknown } } | null)?.data ?? {};
  return typeof path === "string" && typeof factory === "string" ? { path, factory } : undefined;
}
