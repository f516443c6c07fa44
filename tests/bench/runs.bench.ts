/**
 * What recording and looking cost, as shares of a run, and how fast ten thousand runs are listed: `npm run bench -- runs`.
 *
 * Processor time of this process, the least of several rounds in turns, which a busy machine can still measure. Written to reference.json.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { classes, cnn, digits, ewc, mlp, permuted, replay, runMany, type Study, sgd, store } from "../../lib/index.ts";
import { record } from "../support/reference.ts";

const folder = mkdtempSync(join(tmpdir(), "thalweg-bench-"));
const rounds = 3;
const rate = sgd({ lr: 0.05 });
const studies: Record<string, Study> = {
  "digits, mlp 100-100, batch 10": classes(digits())
    .split(5)
    .learn(mlp({ hidden: [100, 100] }))
    .with(rate)
    .train({ batch: 10, epochs: 20 }),
  "digits, replay and ewc, batch 10": classes(digits())
    .split(5)
    .learn(mlp({ hidden: [100, 100] }))
    .by(replay({ capacity: 200 }), ewc({ lambda: 10 }))
    .with(rate)
    .train({ batch: 10, epochs: 20 }),
  "permuted digits, mlp 256-256, batch 64": permuted(digits(), 4)
    .learn(mlp({ hidden: [256, 256] }))
    .with(rate)
    .train({ batch: 64, epochs: 15 }),
  "digits, cnn 16-32, batch 32": classes(digits())
    .split(5)
    .learn(cnn({ filters: [16, 32] }))
    .with(rate)
    .train({ batch: 32, epochs: 12 }),
};

function processor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

let made = 0;
async function seconds(study: Study, share: number, record: boolean): Promise<number> {
  const before = processor();
  await runMany(study.evaluate({ share }).spec, { record: record && join(folder, String(made++)) });
  return processor() - before;
}

const results: Record<string, object> = {};
for (const [name, study] of Object.entries(studies)) {
  const least = { plain: Infinity, looking: Infinity, recording: Infinity };
  await seconds(study.train({ epochs: 1 }), 0.05, false); // compiles what is compiled once per process
  for (let round = 0; round < rounds; round++) {
    least.plain = Math.min(least.plain, await seconds(study, 0, false));
    least.looking = Math.min(least.looking, await seconds(study, 0.05, false));
    least.recording = Math.min(least.recording, await seconds(study, 0, true));
  }
  const share = (part: number): number => Number((part / least.plain - 1).toFixed(3));
  results[name] = {
    processorSeconds: Number(least.plain.toFixed(2)),
    looking: share(least.looking),
    recording: share(least.recording),
  };
  console.log(name, results[name]);
}

const many = join(folder, "many");
mkdirSync(many);
const spec = studies["digits, cnn 16-32, batch 32"]!.toJSON();
const lines = Array.from({ length: 10_000 }, (_, i) => {
  const key = i.toString(16).padStart(16, "0");
  const name = `naive-seed${i}-${key}`;
  mkdirSync(join(many, name));
  const outcome = {
    finished: true,
    date: "2026-01-01T00:00:00Z",
    steps: 10,
    seconds: 1,
    averageAccuracy: (i % 100) / 100,
    averageIncrementalAccuracy: 0.5,
    forgetting: 0.1,
    prequentialAccuracy: 0.5,
  };
  return JSON.stringify({
    key,
    name: "naive",
    seed: i,
    hash: "h",
    tasks: 5,
    device: "d",
    code: "c",
    origin: null,
    ...outcome,
    folder: name,
    spec,
  });
});
writeFileSync(join(many, "index.jsonl"), `${lines.join("\n")}\n`);
await store(many).sql("select 1");
const timed = async (work: () => unknown): Promise<number> => {
  const start = performance.now();
  await work();
  return Number(((performance.now() - start) / 1000).toFixed(3));
};
const tenThousand = {
  listSeconds: await timed(() => store(many).list()),
  sqlSeconds: await timed(() => store(many).sql("select name, avg(averageAccuracy) from runs group by name")),
};
console.log("ten thousand runs", tenThousand);
rmSync(folder, { recursive: true, force: true });
const about = "Shares of the processor time of a run without evaluation within experiences and without a record.";
record("runs", { about, node: process.version, rounds, runs: results, tenThousand });
