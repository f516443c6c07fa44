/**
 * What the first call of a compiled training step takes, in a fresh process each time, as a user meets it: tracing, writing the
 * program, opening it in ONNX Runtime and running it once. Loading the library comes before and is measured apart.
 *
 * `npm run bench -- compile`. Milliseconds, medians of ten processes, on the clock and of processor time, which a busy machine can
 * still measure; goals: MLP 100, CNN 150, ResNet-18 700.
 */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { record } from "../support/reference.ts";

const goals = { mlp: 100, cnn: 150, resnet18: 700 } as const;
const repeats = 10;
const self = fileURLToPath(import.meta.url);
const wanted = process.argv[2];

/** One first call and one of a head that has grown, in this process. */
async function measure(name: string): Promise<Record<string, number>> {
  const began = performance.now();
  const { jit, tf } = await import("../../lib/engine/index.ts");
  const load = performance.now() - began;
  const { batch, cnn, mlp, resnet18, sgd, start, trainer } = await import("../engine/support.ts");
  const program = { mlp: () => mlp([784, 100, 100, 10]), cnn: () => cnn(), resnet18: () => resnet18() }[name]!();
  const rate = tf.scalar(0.01);
  const one = batch(program, 10, 1);
  const step = jit(trainer(program, sgd), { name });
  const time = (state: ReturnType<typeof start>): number => {
    const from = performance.now();
    step(state, one, null, rate)[1].dataSync();
    return performance.now() - from;
  };
  const state = start(program, sgd);
  const before = process.cpuUsage();
  const first = time(state);
  const { user, system } = process.cpuUsage(before);
  const last = Object.keys(state.params).at(-2)!;
  const bias = Object.keys(state.params).at(-1)!;
  const wide = (key: string) => tf.concat([state.params[key]!, state.params[key]!], -1);
  const grown = { ...state, params: { ...state.params, [last]: wide(last), [bias]: wide(bias) } };
  return { load, first, processor: (user + system) / 1000, grown: time(grown) };
}

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1]!;

if (wanted) console.log(JSON.stringify(await measure(wanted)));
else {
  const results: Record<string, Record<string, number>> = {};
  for (const name of Object.keys(goals) as (keyof typeof goals)[]) {
    const runs = Array.from(
      { length: repeats },
      () =>
        JSON.parse(
          execFileSync(process.execPath, ["--import", "tsx", self, name], {
            encoding: "utf8",
            env: { ...process.env, THALWEG_QUIET: "1" },
          }),
        ) as Record<string, number>,
    );
    const of = (key: string): number => Number(median(runs.map((run) => run[key]!)).toFixed(0));
    results[name] = {
      "first call, ms": of("first"),
      "of processor time, ms": of("processor"),
      "goal, ms": goals[name],
      "again with a wider head, ms": of("grown"),
      "loading the engine before, ms": of("load"),
    };
    console.log(name, results[name]);
  }
  const load = Number(loadavg()[0]!.toFixed(1));
  record("first call", {
    "processes that wanted the machine": load,
    machine: `${cpus().length} × ${cpus()[0]?.model}`,
    repeats,
    results,
  });
}
