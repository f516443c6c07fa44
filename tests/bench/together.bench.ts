/**
 * Seeds side by side and one after the other, in turns: `npm run bench -- together`. Minutes.
 *
 * Whole runs of a study (training, evaluation, buffers, logs), once untimed and then in pairs, processor time per seed on one thread:
 * what a busy machine can still measure. `THALWEG_DEVICE` says where; on anything but the processor it is time on the clock. A word after the
 * file's name takes the studies that have it in theirs; the figures of the others stay.
 */
import { cpus } from "node:os";
import { target } from "../../lib/engine/graph/target.ts";
import { blobs, classes, digits, engine, mlp, net, replay, runMany, type Study } from "../../lib/index.ts";
import { record, reference } from "../support/reference.ts";

const small = classes(digits()).split(5);
const wide = classes(blobs({ classes: 10, dimensions: 784, perClass: 60 })).split(5);
const studies: Readonly<Record<string, Study>> = {
  "mlp 64-32-10, batch 10": small.learn(mlp({ hidden: [32] })),
  "mlp 64-32-10, batch 10, replay": small.learn(mlp({ hidden: [32] })).by(replay({ capacity: 100 })),
  "mlp 784-100-100-10, batch 10": wide.learn(mlp({ hidden: [100, 100] })),
  "mlp 784-400-400-10, batch 10": wide.learn(mlp({ hidden: [400, 400] })),
  "cnn of 8 and 16 filters, 8×8 images, batch 10": small.learn(
    net().conv(8, 3).relu().pool(2).conv(16, 3).relu().pool(2).flatten(),
  ),
};
const counts = [8, 32];
const rounds = 3;
target.threads = 1;
const onClock = engine.device !== "cpu";

function now(): number {
  if (onClock) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds for each of so many seeds. */
async function perSeed(study: Study, seeds: number, together: boolean): Promise<number> {
  const begin = now();
  await runMany(study.spec, { seeds, together, record: false, keep: () => false });
  return (now() - begin) / seeds;
}

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1]!;
const processors = cpus();
const machine = onClock ? engine.device : `${processors.length} × ${processors[0]!.model.trim()}`;
const measured = onClock ? "time on the clock" : "processor time, one thread";
const wanted = process.argv[2] ?? "";

/** Writes what was measured of one study. */
function keep(name: string, row: Record<string, number>): void {
  const all = (reference()["seeds together"] ?? {}) as Record<string, { readonly results?: object }>;
  record("seeds together", {
    ...all,
    [machine]: { measured, rounds, results: { ...all[machine]?.results, [name]: row } },
  });
}

for (const [name, study] of Object.entries(studies).filter(([name]) => name.includes(wanted))) {
  const row: Record<string, number> = {};
  await perSeed(study, 1, false);
  for (const seeds of counts) {
    await perSeed(study, seeds, true);
    const times: { readonly turn: number; readonly both: number }[] = [];
    for (let round = 0; round < rounds; round++)
      times.push({ turn: await perSeed(study, seeds, false), both: await perSeed(study, seeds, true) });
    row[`one of ${seeds} in turn, ms`] = Number(median(times.map(({ turn }) => turn)).toFixed(1));
    row[`one of ${seeds} together, ms`] = Number(median(times.map(({ both }) => both)).toFixed(1));
    row[`${seeds} together, times faster`] = Number(median(times.map(({ turn, both }) => turn / both)).toFixed(2));
  }
  keep(name, row);
  console.log(name, row);
}
