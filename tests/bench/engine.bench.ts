/**
 * Processor time per training step (forward, backward, SGD) beside other libraries, measured in turns on one thread each.
 *
 * Processor time of one thread is what a busy machine can still measure; THALWEG_BENCH_WALL=1 measures time on the clock with two
 * threads instead, for a machine that does nothing else.
 * `npm run bench -- engine`. Others take part where an environment variable says where they are: THALWEG_BENCH_PYTHON (a python
 * with torch), THALWEG_BENCH_MODULES (a folder whose node_modules holds @tensorflow/tfjs-backend-wasm, there with a link to this
 * project's tfjs-core, and @jax-js/jax). Results are written to reference.json, for each machine its own, together with what is not
 * measured and why.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

import { createRequire } from "node:module";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { target } from "../../lib/engine/graph/target.ts";
import { jit, steps, tf } from "../../lib/engine/index.ts";
import { batch, cnn, mlp, type Program, resnet18, type State, sgd, start, trainer, vit } from "../engine/support.ts";
import { record, reference } from "../support/reference.ts";

interface Case {
  readonly program: Program;
  readonly batch: number;
  readonly runs: number;
  /** Backends too slow to wait for, with the reason. */
  readonly without?: Record<string, string>;
}
const noConvolution = "its backend has no kernel for the gradient of a convolution";
const minutes = "a step takes minutes";
const cases: Record<string, Case> = {
  "mlp 784-100-100-10, batch 10": { program: mlp([784, 100, 100, 10]), batch: 10, runs: 512 },
  "mlp 784-400-400-10, batch 128": { program: mlp([784, 400, 400, 10]), batch: 128, runs: 64 },
  "cnn, batch 10": { program: cnn(), batch: 10, runs: 16, without: { wasm: noConvolution } },
  "cnn, batch 64": { program: cnn(), batch: 64, runs: 6, without: { wasm: noConvolution, reference: minutes } },
  "resnet18 of 20 filters, batch 10": {
    program: resnet18(),
    batch: 10,
    runs: 4,
    without: { wasm: noConvolution, reference: minutes },
  },
  "resnet18 of 20 filters, batch 64": {
    program: resnet18(),
    batch: 64,
    runs: 2,
    without: { wasm: noConvolution, reference: minutes },
  },
  "vit d64, batch 10": { program: vit(), batch: 10, runs: 8 },
};
const rounds = 11;
const isWall = process.env.THALWEG_BENCH_WALL === "1";
target.threads = isWall ? 2 : 1;

/** Milliseconds so far, on the clock or of this process's processor time. */
function now(): number {
  if (isWall) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Another process that answers "case runs" with milliseconds per step. */
class Rival {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  constructor(command: string, args: string[]) {
    this.#child = spawn(command, args);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }
  async line(): Promise<string> {
    return ((await this.#lines.next()) as { value: string }).value;
  }
  async time(name: string, runs: number): Promise<number> {
    this.#child.stdin.write(`${name} ${runs}\n`);
    return Number(await this.line());
  }
  end(): void {
    this.#child.stdin.end();
  }
}

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1]!;
const rate = tf.scalar(0.01);

function ours(
  { program, batch: size }: Case,
  name: string,
): { single(runs: number): number; looped(runs: number): number; first: number } {
  const one = batch(program, size, 1);
  const step = jit(trainer(program, sgd), { donate: [0], name });
  const loop = steps(trainer(program, sgd), { name });
  const K = 32;
  const xs = { x: tf.tidy(() => tf.keep(tf.stack(new Array(K).fill(one.x)))), y: tf.stack(new Array(K).fill(one.y)) };
  let state: State = start(program, sgd);
  const single = (runs: number): number => {
    const begin = now();
    for (let i = 0; i < runs; i++) {
      const [next, loss] = step(state, one, null, rate);
      state = next;
      loss.dataSync();
      loss.dispose();
    }
    return (now() - begin) / runs;
  };
  const looped = (runs: number): number => {
    const times = Math.max(1, Math.round(runs / K));
    const begin = now();
    for (let i = 0; i < times; i++) {
      const [next, losses] = loop(state, xs, null, rate);
      state = next;
      losses.dataSync();
      losses.dispose();
    }
    return (now() - begin) / times / K;
  };
  const first = single(1);
  looped(1);
  single(3);
  return { single, looped, first };
}

/** One or two steps on a backend of TensorFlow.js, operation by operation. */
async function eager(backend: string, { program, batch: size }: Case): Promise<number> {
  await tf.setBackend(backend);
  const step = trainer(program, sgd);
  const one = batch(program, size, 1);
  const state = start(program, sgd);
  const run = (): void => tf.tidy(() => void step(state, one, null, tf.scalar(0.01))[1].dataSync());
  run();
  const begin = now();
  run();
  const took = now() - begin;
  await tf.setBackend("thalweg");
  return took;
}

const python = process.env.THALWEG_BENCH_PYTHON;
const modules = process.env.THALWEG_BENCH_MODULES;
const torch = python ? new Rival(python, [fileURLToPath(new URL("engine.torch.py", import.meta.url))]) : null;
const versions: Record<string, string> = { "onnxruntime-node": "1.30.0", "tfjs-core": tf.version_core };
if (torch) versions.torch = await torch.line();
let jax: Rival | null = null;
if (modules) {
  const find = createRequire(`${modules}/package.json`);
  find("@tensorflow/tfjs-backend-wasm");
  versions["tfjs-wasm"] = find("@tensorflow/tfjs-backend-wasm/package.json").version;
  jax = new Rival(process.execPath, [fileURLToPath(new URL("engine.jax.mjs", import.meta.url)), modules]);
  versions["jax-js"] = await jax.line();
}

const results: Record<string, Record<string, number | string>> = {};
for (const [name, one] of Object.entries(cases)) {
  const mine = ours(one, name);
  const times: Record<string, number[]> = { steps: [], jit: [], torch: [], jax: [] };
  for (let round = 0; round < rounds; round++) {
    times.jit!.push(mine.single(one.runs));
    if (torch) times.torch!.push(await torch.time(name, one.runs));
    times.steps!.push(mine.looped(one.runs));
    if (jax && name.startsWith("mlp")) times.jax!.push(await jax.time(name, Math.ceil(one.runs / 16)));
  }
  const row: Record<string, number | string> = {
    "first call, ms": Number(mine.first.toFixed(0)),
    "jit, ms": Number(median(times.jit!).toFixed(3)),
    "steps, ms": Number(median(times.steps!).toFixed(3)),
  };
  const best = times.jit!.map((ms, i) => Math.min(ms, times.steps![i]!));
  const against = (rival: number[], label: string): void => {
    if (rival.length > 0) row[label] = Number(median(rival.map((ms, i) => ms / best[i % best.length]!)).toFixed(2));
  };
  against(times.torch!, "times faster than torch");
  against(times.jax!, "times faster than jax-js");
  for (const [backend, label] of [
    ["wasm", "tfjs-wasm"],
    ["cpu", "tfjs-cpu"],
  ] as const) {
    const reason = one.without?.[backend === "cpu" ? "reference" : backend];
    if (backend === "wasm" && !modules) continue;
    if (reason) row[`times faster than ${label}`] = reason;
    else against([await eager(backend, one)], `times faster than ${label}`);
  }
  results[name] = row;
  console.log(name, row);
}
torch?.end();
jax?.end();
const machine = `${cpus().length} × ${cpus()[0]?.model}`;
const key = isWall ? "engine on the clock" : "engine";
const report = {
  measured: isWall ? "time on the clock, two threads" : "processor time, one thread",
  versions,
  rounds,
  results,
};
const machines = (reference()[key] ?? {}) as Record<string, typeof report>;
if (python) record(key, { ...machines, [machine]: report });
else {
  // Without rivals there is nothing to record; the committed figures say how far this machine is off.
  for (const [recorded, was] of Object.entries(machines))
    for (const [name, row] of Object.entries(results))
      console.log(`${name}: ${row["steps, ms"]} ms, ${was.results[name]?.["steps, ms"]} ms recorded on ${recorded}`);
}
process.exit(0);
