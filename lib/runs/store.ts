/** All runs in a folder: listed, opened, asked with SQL, removed. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DataFrame, frame } from "../metrics/frame.ts";
import { recordFolder } from "./folder.ts";
import { folderBytes } from "./parts/key.ts";
import { type Listed, listed, stateOfRun } from "./parts/listing.ts";
import { readEvents, readSpec, writerOf } from "./record.ts";
import { makeRun, type Run } from "./run.ts";
import { query } from "./sql.ts";

/** The runs recorded in a folder. */
export interface Store {
  readonly folder: string;
  /** One row per run, the oldest first: what it is, how far it came, its accuracy and forgetting. */
  list(): DataFrame;
  /**
   * A recorded run by its key, or an experiment with all its seeds by the fingerprint of its study (`study.hash`); a beginning that only
   * one has is enough. Throws when there is none, or more than one.
   */
  open(key: string): Run;
  /**
   * Asks all records with SQL. Tables: `runs` (one row per run; `spec` is JSON), `evaluations` (`task`, `accuracy`, … and
   * `moment`: start, step or experience), `steps`, `probes` (what the network and the ledger of costs showed), and `events` (every event
   * as JSON); they join on `key`.
   * Needs the package `@duckdb/node-api`.
   */
  sql(query: string): Promise<DataFrame>;
  /** Removes runs by key; those that are being trained stay, and an error says so. */
  remove(...keys: readonly string[]): void;
  /** Bytes that all records take. */
  bytes(): number;
  toJSON(): string;
}

/**
 * The runs recorded in a folder.
 *
 * @example
 * ```ts
 * import { store } from "thalweg";
 * store("runs").folder; // "runs"
 * ```
 */
export function store(folder: string): Store {
  const all = (): Listed[] => listed(folder);
  const find = (key: string): Listed[] => {
    const rows = all();
    const byKey = rows.filter((row) => row.key.startsWith(key));
    const found = byKey.length > 0 ? byKey : rows.filter((row) => row.hash.startsWith(key));
    if (found.length === 0)
      throw new Error(
        `open: the key of a run or the hash of a study in ${folder} is required, got "${key}"; list() shows them`,
      );
    return found;
  };
  const made: Store = {
    folder,
    list() {
      const rows = all().map((row) => {
        const { spec: _, hash, code, device, folder: __, finished: ___, ...rest } = row;
        return { ...rest, state: stateOfRun(folder, row), hash, code, device };
      });
      return rows.length > 0 ? frame(rows) : frame({ key: [], name: [], seed: [], state: [] });
    },
    open(key) {
      const found = find(key);
      const versions = new Set(found.map((row) => [row.hash, row.code, row.device, row.origin, row.until].join(" ")));
      if (versions.size > 1)
        throw new Error(
          `open: one experiment is required, got ${found.length} runs of ${versions.size} that begin with "${key}"; give more of the key`,
        );
      const first = readSpec(join(folder, found[0]!.folder))!;
      const logs = found
        .map((row) => ({ seed: row.seed, events: readEvents(join(folder, row.folder)) }))
        .sort((a, b) => a.seed - b.seed);
      return makeRun({ name: first.name, spec: first.spec, hash: first.hash, tasks: first.tasks, logs });
    },
    sql: (text) => query(folder, all(), text),
    remove(...keys) {
      for (const { folder: name, key } of keys.flatMap(find)) {
        const at = join(folder, name);
        const writer = writerOf(at);
        if (writer !== undefined)
          throw new Error(
            `remove: a run that nobody trains is required, got ${key}, which ${writer} trains; stop it first`,
          );
        rmSync(at, { recursive: true, force: true });
      }
    },
    bytes: () => folderBytes(folder),
    toJSON: () => folder,
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () =>
        (made.list() as unknown as { [key: symbol]: () => unknown })[Symbol.for("Jupyter.display")]!(),
      [Symbol.for("nodejs.util.inspect.custom")]: () => made.list().toText(),
    }),
  );
}

/** The runs recorded in the usual folder: `runs`, or what the variable THALWEG_RUNS says. */
export const runs: Store = new Proxy({} as Store, {
  get: (_, name) => Reflect.get(store(recordFolder(true)!), name),
  has: (_, name) => name in store(recordFolder(true)!),
});

/** The environment that a run was recorded in, as it stands in its folder. */
export function environmentOf(folder: string): unknown {
  return JSON.parse(readFileSync(join(folder, "environment.json"), "utf8"));
}
