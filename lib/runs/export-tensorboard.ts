import { mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { parameters, scalars } from "./parts/scalars.ts";
import { record, scalarEvent, versionEvent } from "./parts/tfrecord.ts";
import type { Run } from "./run.ts";

export interface TrackerOptions {
  /** When the run is said to have begun, in milliseconds since 1970. A step follows a millisecond after the one before. Default: now. */
  readonly at?: number;
}

/**
 * Writes a run as event files that TensorBoard reads: `tensorboard --logdir folder`. One folder for each seed,
 * `<folder>/<name>-<hash>/seed-<seed>`, with losses at every step, accuracies of every task at every evaluation, and the experiment as
 * `spec.txt`. Nothing is sent anywhere.
 *
 * @returns the folders that were written.
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { blobs, classes, exportTensorBoard, mlp } from "thalweg";
 * const folder = mkdtempSync("/tmp/tracked-");
 * const run = await classes(blobs()).split(2).learn(mlp({ hidden: [8] })).run({ quiet: true, record: false });
 * exportTensorBoard(run, folder).length; // 1
 * ```
 */
export function exportTensorBoard(run: Run, folder: string, { at = Date.now() }: TrackerOptions = {}): string[] {
  return run.logs.map(({ seed, events }) => {
    const home = join(folder, `${run.name}-${run.hash.slice(0, 8)}`, `seed-${seed}`);
    mkdirSync(home, { recursive: true });
    const begin = at / 1000;
    const records = scalars(events, run.tasks).map(({ tag, step, value }) =>
      record(scalarEvent(begin + step / 1000, step, tag, value)),
    );
    const bytes = Buffer.concat([record(versionEvent(begin)), ...records]);
    writeFileSync(join(home, `events.out.tfevents.${Math.floor(begin)}.${hostname()}`), bytes);
    writeFileSync(
      join(home, "spec.txt"),
      parameters(run.spec)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join(""),
    );
    return home;
  });
}
