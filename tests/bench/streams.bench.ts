/**
 * How fast batches come out of a stream, beside PyTorch's index gather and its DataLoader, and what an experience costs when there are many.
 *
 * With `PYTHON` naming a Python that has torch, the two take turns, each on one thread, and the least of several rounds counts for both;
 * without it ours are measured alone.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Examples, gather, makeDataset, table } from "../../lib/data/dataset.ts";
import { random } from "../../lib/engine/random.ts";
import { augment } from "../../lib/streams/operators/augment.ts";
import { online } from "../../lib/streams/operators/online.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import { permuted } from "../../lib/streams/sources/permuted.ts";
import { rotated } from "../../lib/streams/sources/rotated.ts";
import { record } from "../support/reference.ts";

const [count, size, batch] = [60_000, 784, 128];
const rng = random(0).at("bench");
const labels = Int32Array.from({ length: count }, () => rng.int(10));
const bytes = Uint8Array.from({ length: count * size }, () => rng.uint32() & 255);
const raw = table(bytes, labels, [28, 28, 1], 1 / 255);
const single = table(
  Float32Array.from(bytes, (v) => v / 255),
  labels,
  [28, 28, 1],
  1,
);
const data = makeDataset({
  name: "noise",
  kind: "image",
  classes: [..."0123456789"],
  train: raw,
  test: raw,
  source: "made here",
});
const order = rng.permutation(count);
const out = new Float32Array(batch * size);

function batches(of: Examples): (rounds: number) => void {
  return (rounds) => {
    for (let i = 0; i < rounds; i++) {
      const start = (i * batch) % (of.length - batch);
      gather(of, order.subarray(start, start + batch), out);
    }
  };
}

const ours: Record<string, (rounds: number) => void> = {
  "gather bytes": batches(raw),
  "gather floats": batches(single),
  permute: batches(permuted(data, 1).experience(0).train),
  rotate: batches(rotated(data, [40]).experience(0).train),
  "shift and mirror": batches(augment({ shiftPixels: 2, flip: 0.5 })(classes(data)).experience(0).train),
};
/** What PyTorch is asked for beside each; its DataLoader gathers floats. */
const beside: Record<string, readonly string[]> = {
  "gather bytes": ["gather bytes", "data loader"],
  "gather floats": ["gather floats", "data loader"],
  permute: ["permute"],
  rotate: ["rotate"],
};

const python = process.env.PYTHON;
const torch =
  python === undefined
    ? undefined
    : spawn(python, [new URL("streams.torch.py", import.meta.url).pathname], { stdio: ["pipe", "pipe", "inherit"] });
const answers = torch && createInterface({ input: torch.stdout })[Symbol.asyncIterator]();
async function theirs(name: string, rounds: number): Promise<number> {
  torch!.stdin.write(`${name} ${rounds}\n`);
  return Number((await answers!.next()).value);
}

function microseconds(run: (rounds: number) => void, rounds: number): number {
  const begun = performance.now();
  run(rounds);
  return (1000 * (performance.now() - begun)) / rounds;
}

const figures: Record<string, Record<string, number>> = {};
for (const [name, run] of Object.entries(ours)) {
  const rounds = name === "rotate" || name === "shift and mirror" ? 4 : 20; // short, to fall between what else the machine does
  run(50 * rounds); // warm up
  let own = Infinity;
  const others = new Map((beside[name] ?? []).map((other) => [other, Infinity]));
  for (let turn = 0; turn < 60; turn++) {
    own = Math.min(own, microseconds(run, rounds));
    if (torch) for (const [other, least] of others) others.set(other, Math.min(least, await theirs(other, rounds)));
  }
  figures[name] = { microseconds: Math.round(own) };
  if (torch)
    for (const [other, least] of others)
      figures[name][other === "data loader" ? "timesDataLoader" : "timesTorch"] = Number((least / own).toFixed(2));
}
torch?.stdin.end();
console.log(`microseconds per batch of ${batch} × ${size}, and how many times longer PyTorch takes`);
console.table(figures);

const growth: Record<string, Record<string, number>> = {};
for (const tasks of [10, 100, 1000, 10_000]) {
  const visit = (make: () => { experience(i: number): unknown; length: number }): number => {
    let least = Infinity;
    for (let turn = 0; turn < 5; turn++) {
      const stream = make();
      const at = Array.from({ length: 10 }, (_, i) => Math.floor((i * stream.length) / 10));
      least = Math.min(
        least,
        microseconds(() => {
          for (const i of at) stream.experience(i);
        }, at.length),
      );
    }
    return Math.round(least);
  };
  growth[tasks] = {
    permuted: visit(() => permuted(data, tasks)),
    "own columns": visit(() => scenario("task")(permuted(data, tasks))),
    online: visit(() => online({ batch: 10 })(permuted(data, Math.max(1, tasks / 10)))),
  };
}
console.log("microseconds to make an experience, by the number of tasks");
console.table(growth);

const begun = performance.now();
scenario("task")(permuted(data, 1000)).experience(0);
const first = performance.now() - begun;
console.log(`first experience of 1,000 tasks over ${count} images: ${first.toFixed(1)} ms`);
if (torch)
  record("streams", {
    batch,
    size,
    figures,
    experienceMicroseconds: growth,
    firstExperienceMilliseconds: Number(first.toFixed(1)),
  });
