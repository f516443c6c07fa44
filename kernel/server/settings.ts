/** Settings of the page: JupyterLab's schemas, our few other defaults, and what the user changed, one file per plugin. */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "./disk.ts";
import { HttpError } from "./http.ts";

interface Plugin {
  id: string;
  version: string;
  schema: { properties?: Record<string, { default?: unknown }> };
}

/** Where we would have the page be other than JupyterLab has it. */
const preferred: Record<string, Record<string, unknown>> = {
  "@jupyterlab/apputils-extension:themes": { "adaptive-theme": true },
  // Markup that a notebook brings may not click commands: the class of CVE-2026-40171, CVE-2026-42557 and CVE-2026-102832.
  "@jupyterlab/apputils-extension:sanitizer": { allowCommandLinker: false },
  // Work that is not saved is at most this many seconds old.
  "@jupyterlab/docmanager-extension:plugin": { autosaveInterval: 30 },
  // The first completion of a session reads the types of the whole library.
  "@jupyterlab/completer-extension:manager": { providerTimeout: 15_000 },
};

export function settings(schemaFile: string | undefined, folder: string) {
  let plugins: Map<string, Plugin> | undefined;
  const load = (): Map<string, Plugin> => {
    if (plugins) return plugins;
    const list = schemaFile && existsSync(schemaFile) ? (JSON.parse(readFileSync(schemaFile, "utf8")) as Plugin[]) : [];
    for (const { id, schema } of list)
      for (const [name, value] of Object.entries(preferred[id] ?? {}))
        if (schema.properties?.[name]) schema.properties[name].default = value;
    plugins = new Map(list.map((plugin) => [plugin.id, plugin]));
    return plugins;
  };
  const fileOf = (id: string) => join(folder, `${id.replace(/[^\w@.-]+/g, "_")}.json`);
  function find(id: string): Plugin {
    const plugin = load().get(id);
    if (!plugin) throw new HttpError(404, `There are no settings ${id}.`);
    return plugin;
  }
  function model(plugin: Plugin) {
    const file = fileOf(plugin.id);
    const own = existsSync(file);
    return {
      ...plugin,
      raw: own ? readFileSync(file, "utf8") : "{}",
      settings: {},
      created: own ? statSync(file).birthtime.toISOString() : null,
      last_modified: own ? statSync(file).mtime.toISOString() : null,
    };
  }
  return {
    ids: () => [...load().keys()].map((id) => ({ id })),
    list: () => [...load().values()].map(model),
    get: (id: string) => model(find(id)),
    async save(id: string, raw: unknown): Promise<void> {
      if (typeof raw !== "string") throw new HttpError(400, "raw must be the text of the settings.");
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await writeAtomically(fileOf(find(id).id), raw);
    },
  };
}
