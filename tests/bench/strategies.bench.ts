/**
 * Whole experiments in samples per second, beside the same experiments in PyTorch written by hand and in Avalanche: split Fashion-MNIST in
 * five pairs, a perceptron 784-100-100-10, batches of 10, one epoch. Rounds alternate between the programs; the best of each counts.
 *
 * PYTHON names an interpreter with torch (and avalanche-lib); without it only this library is timed.
 */
import { spawnSync } from "node:child_process";
import { fashionMnist } from "../../lib/data/fashion-mnist.ts";
import { mlp } from "../../lib/models/index.ts";
import { constant, sgd } from "../../lib/optim/index.ts";
import { agem, derpp, ewc, naive, replay } from "../../lib/strategies/index.ts";
import { online } from "../../lib/streams/operators/online.ts";
import { slice } from "../../lib/streams/operators/slice.ts";
import { split } from "../../lib/streams/operators/split.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { evaluation, fit, training } from "../../lib/train/index.ts";
import { record } from "../support/reference.ts";

const python = process.env.PYTHON;
const folder = process.env.FASHION_MNIST ?? "/usr/share/datasets/fashion-mnist";
const script = new URL("./strategies.py", import.meta.url).pathname;
const rounds = Number(process.env.ROUNDS ?? 3);
const data = await fashionMnist();
const stream = split(5)(classes(data)) as unknown as Stream;
const methods = {
  naive: [naive()],
  replay: [replay({ capacity: 500 })],
  derpp: [derpp({ capacity: 500, alpha: 1, beta: 0.5 })],
  ewc: [ewc({ lambda: 10, samples: 200, fisher: "true" })],
  agem: [agem({ capacity: 200, draw: 128 })],
} as const;

async function ours(name: keyof typeof methods, over: Stream = stream): Promise<number> {
  const fitting = fit({
    stream: over,
    model: mlp({ hidden: [100, 100] }),
    strategies: methods[name],
    optimizer: sgd({ lr: 0.03 }),
    schedule: constant(),
    training: training({ batch: 10 }),
    evaluation: evaluation({ every: "end", atStart: false }),
  });
  let samples = 0;
  let seconds = 0;
  for await (const event of fitting) {
    if (event.type === "boundary") samples += event.examples;
    if (event.type === "learned") seconds += event.seconds;
  }
  fitting.dispose();
  return samples / seconds;
}

function theirs(...args: string[]): number {
  if (python === undefined) return Number.NaN;
  const { status, stdout, stderr } = spawnSync(python, [script, folder, ...args], { encoding: "utf8" });
  if (status !== 0) {
    console.error(stderr.split("\n").slice(-4).join("\n"));
    return Number.NaN;
  }
  return Number(stdout.trim().split("\n").at(-1));
}

const best = (values: number[]): number =>
  Math.max(...values.filter((v) => !Number.isNaN(v)), Number.NEGATIVE_INFINITY);
const show = (value: number): string => (Number.isFinite(value) ? value.toFixed(0) : "–").padStart(10);

console.log(
  "samples per second".padEnd(20),
  ["thalweg", "by hand", "ratio", "Avalanche", "ratio"].map((t) => t.padStart(10)).join(""),
);
const results: Record<string, { thalweg: number; byHand: number; avalanche: number }> = {};
async function row(
  name: string,
  mine: () => Promise<number>,
  hand: () => number,
  avalanche: () => number,
): Promise<void> {
  const all: [number, number, number][] = [];
  for (let round = 0; round < rounds; round++) all.push([await mine(), hand(), round === 0 ? avalanche() : Number.NaN]);
  const [a, b, c] = [0, 1, 2].map((i) => best(all.map((r) => r[i]!))) as [number, number, number];
  results[name] = { thalweg: a, byHand: b, avalanche: c };
  console.log(
    name.padEnd(20),
    [show(a), show(b), (a / b).toFixed(2).padStart(10), show(c), (a / c).toFixed(1).padStart(10)].join(""),
  );
}
for (const name of Object.keys(methods) as (keyof typeof methods)[])
  await row(
    name,
    () => ours(name),
    () => theirs(name),
    () => (name === "naive" || name === "replay" ? theirs(name, "avalanche") : Number.NaN),
  );
const arriving = slice(0, 300)(online({ batch: 10 })(stream as never) as never) as unknown as Stream;
await row(
  "online replay, 10",
  () => ours("replay", arriving),
  () => Number.NaN,
  () => theirs("replay", "online"),
);

if (python !== undefined) {
  const whole = (value: number): number | null => (Number.isFinite(value) ? Math.round(value) : null);
  const times = (a: number, b: number): number | null => (Number.isFinite(b) ? Number((a / b).toFixed(2)) : null);
  const figures = Object.entries(results).map(([name, { thalweg, byHand, avalanche }]) => [
    name,
    {
      thalweg: whole(thalweg),
      byHand: whole(byHand),
      avalanche: whole(avalanche),
      timesByHand: times(thalweg, byHand),
      timesAvalanche: times(thalweg, avalanche),
    },
  ]);
  record("strategies, speed", { unit: "samples per second", threads: 2, rounds, figures: Object.fromEntries(figures) });
}
