import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TrackerOptions } from "./export-tensorboard.ts";
import { block, text, varint } from "./parts/protobuf.ts";
import { parameters, scalars } from "./parts/scalars.ts";
import { wandbLog } from "./parts/wandb-log.ts";
import type { Run } from "./run.ts";

/** A key and a value as JSON: an item of a configuration (1, 16), a history (2 for the path, 16) or a summary. */
const item = (keyField: number, key: string, value: unknown): number[] => [
  ...block(keyField, text(key)),
  ...block(16, text(JSON.stringify(value))),
];

/**
 * Writes a run as W&B keeps runs that were made offline: `wandb sync folder/wandb/offline-run-…` brings them to a server when you say so.
 * One folder for each seed, with the configuration, every number by step, and the last of each as its summary.
 *
 * @returns the folders of the runs.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { blobs, classes, exportWandb, mlp } from "thalweg";
 * const folder = mkdtempSync("/tmp/tracked-");
 * const run = await classes(blobs()).split(2).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * exportWandb(run, folder).length; // 1
 * ```
 */
export function exportWandb(run: Run, folder: string, { at = Date.now() }: TrackerOptions = {}): string[] {
  const day = new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "_");
  return run.logs.map(({ seed, events }) => {
    const id = createHash("sha256").update(`${run.name} ${run.hash} ${seed}`).digest("hex").slice(0, 8);
    const records: Uint8Array[] = [];
    // A record is numbered, and holds one message by its field.
    const add = (field: number, message: number[]): void =>
      void records.push(Uint8Array.from([...varint(1, records.length + 1), ...block(field, message)]));
    const config: [string, unknown][] = [["seed", seed], ...parameters(run.spec)];
    const settings = config.flatMap(([key, value]) => block(1, item(1, key, value)));
    const [seconds, nanos] = [Math.floor(at / 1000), (at % 1000) * 1e6];
    add(21, block(1, [...block(1, text("0.17.0")), ...block(2, text("0.17.0"))]));
    add(17, [
      ...block(1, text(id)),
      ...block(3, text(run.name)),
      ...block(4, settings),
      ...block(8, text(`seed ${seed}`)),
      ...block(17, [...varint(1, seconds), ...varint(2, nanos)]),
    ]);
    const steps = new Map<number, Map<string, number>>();
    const summary = new Map<string, number>();
    for (const { tag, step, value } of scalars(events, run.tasks)) {
      steps.set(step, (steps.get(step) ?? new Map()).set(tag, value));
      summary.set(tag, value);
    }
    for (const [step, values] of [...steps].sort(([a], [b]) => a - b)) {
      const all: [string, number][] = [...values, ["_step", step], ["_timestamp", (at + step) / 1000]];
      add(2, [...all.flatMap(([key, value]) => block(1, item(2, key, value))), ...block(2, varint(1, step))]);
    }
    add(
      3,
      [...summary].flatMap(([key, value]) => block(1, item(1, key, value))),
    );
    add(18, varint(1, 0));
    const home = join(folder, "wandb", `offline-run-${day}-${id}`);
    mkdirSync(join(home, "files"), { recursive: true });
    writeFileSync(join(home, `run-${id}.wandb`), wandbLog(records));
    return home;
  });
}
