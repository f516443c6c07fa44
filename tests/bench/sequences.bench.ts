/**
 * Processor time of a step, forward and backward, of layers along a sequence of 1,024 places of width 64, 8 at a time, one thread, beside PyTorch's, in turns: `npm run bench -- sequences`, two
 * minutes. `npx tsx tests/bench/sequences.bench.ts s5 mamba` measures some alone.
 *
 * THALWEG_BENCH_PYTHON names a python with torch; without it only this library is timed.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { target } from "../../lib/engine/graph/target.ts";
import { jit, type Layer, layers, linearScan, type Params, random, tape, tf, valueAndGrad } from "../../lib/index.ts";
import { record, reference } from "../support/reference.ts";

target.threads = 1;
const [n, length, width] = [8, 1024, 64];
const { mode } = tape(false, null, {});
const of = (layer: Layer) => (): ((x: tf.Tensor) => void) => {
  const params = layer.init!(random(1), [length, width]);
  const step = jit((given: { readonly params: Params; readonly x: tf.Tensor }) =>
    valueAndGrad(({ params, x }: typeof given) => tf.mean(tf.square(layer.apply(x, params, mode))), given),
  );
  return (x) => {
    const { value, grads } = step({ params, x });
    value.dataSync();
    tf.dispose([value, grads] as never);
  };
};
const scanned: Layer = {
  name: "scan",
  options: {},
  accepts: ["sequence"],
  gives: "same",
  shape: (input) => input,
  init: () => ({}),
  apply: (x) => linearScan(tf.sigmoid(x), x),
};
const cases: Record<string, () => (x: tf.Tensor) => void> = {
  scan: of(scanned),
  s4d: of(layers.s4d(64, { mix: "none" })),
  s5: of(layers.s5(64, { mix: "none" })),
  mamba: of(layers.mamba()),
  ...("gla" in layers && { gla: of((layers as unknown as { gla: (...args: unknown[]) => Layer }).gla(4)) }),
};
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("-"));

const python = process.env.THALWEG_BENCH_PYTHON;
const peer = python && spawn(python, [new URL("./sequences.torch.py", import.meta.url).pathname]);
const answers = peer ? createInterface({ input: peer.stdout })[Symbol.asyncIterator]() : undefined;
const version = answers ? String((await answers.next()).value) : null;
const theirs = async (name: string): Promise<number> => {
  if (!peer || !answers) return Number.NaN;
  peer.stdin.write(`${name} 1\n`);
  return Number((await answers.next()).value);
};
const now = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

type Figures = Record<string, { readonly ours: number; readonly torch: number | null; readonly ratio: number | null }>;
const figures: Figures = { ...(reference()["sequences, speed"] as { figures?: Figures } | undefined)?.figures };
for (const [name, make] of Object.entries(cases)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const step = make();
  const x = random(2).normals([n, length, width], 0, 1);
  step(x);
  await theirs(name);
  let [own, other] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 5; round++) {
    const from = now();
    step(x);
    own = Math.min(own, now() - from);
    other = Math.min(other, (await theirs(name)) || Number.POSITIVE_INFINITY);
  }
  x.dispose();
  const rounded = (ms: number): number => Math.round(ms * 10) / 10;
  const has = Number.isFinite(other);
  figures[name] = {
    ours: rounded(own),
    torch: has ? rounded(other) : null,
    ratio: has ? Math.round((100 * own) / other) / 100 : null,
  };
  console.log(name.padEnd(8), `${rounded(own)} ms, PyTorch ${has ? rounded(other) : "not there"}`);
}
if (peer) peer.stdin.end();
if (version)
  record("sequences, speed", {
    what: "milliseconds of processor time of a step forward and backward, 8 sequences of 1,024 places of width 64, one thread, least of 5 in turns",
    torch: version,
    figures,
  });
