/** Studies of tasks that ask for what stood earlier in a sequence, by row. */
import {
  adam,
  jit,
  type Model,
  net,
  type Params,
  type Rng,
  random,
  type Tree,
  tape,
  tf,
  valueAndGrad,
} from "../../../lib/index.ts";
import type { Seen } from "../../../lib/optim/optimizer.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const { mode } = tape(false, null, {});
const now = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** A batch of a task: inputs, the class that is wanted at each place, and 1 where it counts, `[n, length]` each. */
interface Batch {
  readonly x: tf.Tensor;
  readonly wanted: tf.Tensor;
  readonly counts: tf.Tensor;
}

/** The share of places that count whose class a model names after some steps of adam, and milliseconds of a step. */
function learned(
  model: Model,
  batchOf: (rng: Rng) => Batch,
  {
    seed,
    steps,
    columns,
    lr = 3e-3,
  }: { readonly seed: number; readonly steps: number; readonly columns: number; readonly lr?: number },
): { readonly accuracy: number; readonly ms: number } {
  const rule = adam({ lr });
  const rng = random(seed);
  const shape = batchOf(rng.at("shape")).x.shape.slice(1);
  let params: Params = model.init(rng.at("init"), shape);
  let state: Tree = rule.init(params as Tree);
  const logits = (params: Params, x: tf.Tensor): tf.Tensor => model.apply(params, x, mode);
  const step = jit((params: Params, state: Tree, { x, wanted, counts }: Batch) => {
    const { value, grads } = valueAndGrad((params: Params) => {
      const shares = tf.logSoftmax(logits(params, x));
      const hit = tf.sum(tf.mul(shares, tf.oneHot(tf.cast(wanted, "int32"), columns)), 2);
      return tf.neg(tf.div(tf.sum(tf.mul(hit, counts)), tf.sum(counts)));
    }, params);
    const [updates, next] = rule.update(grads as Tree, state, params as Tree, tf.scalar(lr), {} as Seen);
    const add = (a: unknown, b: unknown): unknown =>
      a instanceof tf.Tensor
        ? tf.add(a, b as tf.Tensor)
        : Object.fromEntries(Object.keys(a as object).map((key) => [key, add((a as Params)[key], (b as Params)[key])]));
    return [add(params, updates) as Params, next, value] as const;
  });
  let from = now();
  for (let k = 0; k < steps; k++) {
    const batch = batchOf(rng.at("batch", k));
    const [after, next, value] = step(params, state, batch);
    tf.dispose([params, state, batch, value] as never);
    [params, state] = [after, next];
    if (k === 4) from = now();
  }
  const ms = (now() - from) / Math.max(1, steps - 5);
  const { x, wanted, counts } = batchOf(rng.at("test"));
  const named = tf.equal(tf.argMax(jit(logits)(params, x), 2), tf.cast(wanted, "int32"));
  const accuracy = tf.div(tf.sum(tf.mul(tf.cast(named, "float32"), counts)), tf.sum(counts)).dataSync()[0]!;
  return { accuracy, ms };
}

/** P023: episodes of 4 to 60 places in sequences of 192; at the end of each it is asked which of five symbols stood at its beginning. */
async function episodes(): Promise<Study> {
  const [n, length, symbols, seeds] = [16, 192, 5, 3];
  const width = symbols + 2;
  const batchOf = (rng: Rng): Batch => {
    const draws = rng.uniforms([n, length, 2]).dataSync();
    const [x, wanted, counts] = [
      new Float32Array(n * length * width),
      new Float32Array(n * length),
      new Float32Array(n * length),
    ];
    for (let row = 0; row < n; row++)
      for (let begin = 0; begin < length; ) {
        const own = (row * length + begin) * 2;
        const end = Math.min(length, begin + 4 + Math.floor(57 * draws[own]! ** 2));
        const symbol = Math.floor(symbols * draws[own + 1]!);
        const [first, last] = [row * length + begin, row * length + end - 1];
        x[first * width + symbol] = 1;
        x[first * width + width - 1] = 1;
        x[last * width + symbols] = 1;
        [wanted[last], counts[last]] = [symbol, 1];
        begin = end;
      }
    return {
      x: tf.tensor3d(x, [n, length, width]),
      wanted: tf.tensor2d(wanted, [n, length]),
      counts: tf.tensor2d(counts, [n, length]),
    };
  };
  const end = (n: unknown): unknown =>
    (n as Any).dense!(16)
      .residual((n) => (n as Any).layerNorm!().dense(16).gelu())
      .dense(symbols);
  interface Chain {
    dense(units: number): Chain;
    residual(inner: (n: unknown) => unknown): Chain;
    layerNorm(): Chain;
    gelu(): Chain;
  }
  type Any = Record<string, (...args: unknown[]) => Chain>;
  const models: Record<string, () => unknown> = {
    "s5 that marks reset": () => end(net().s5(16, { resets: true })),
    "s5 that sees the marks": () =>
      end(
        net()
          .dense(width - 1)
          .s5(16),
      ),
    gru: () => end(net().gru(12)),
  };
  const found: Record<string, number[]> = {};
  const ms: Record<string, number> = {};
  for (const [name, make] of Object.entries(models))
    for (let seed = 0; seed < seeds; seed++) {
      const one = learned(make() as Model, batchOf, { seed, steps: 150, columns: symbols, lr: 1e-2 });
      (found[name] ??= []).push(one.accuracy);
      ms[name] = Math.min(ms[name] ?? Number.POSITIVE_INFINITY, one.ms);
    }
  const [own, plain, gru] = Object.values(found) as [number[], number[], number[]];
  return {
    headline:
      "A state space whose state episodes reset remembers within them better than one that does not, and than a recurrent network",
    outcome: allOf(outcomeOf(apart(own, plain)), outcomeOf(apart(own, gru))),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
      ...Object.fromEntries(
        Object.entries(ms).map(([name, value]) => [`milliseconds a step, ${name}`, Number(value.toPrecision(3))]),
      ),
    },
    seeds,
  };
}

/** P163: 4 of 8 symbols at random places among 40 blanks, then asked for in their order. */
async function selective(): Promise<Study> {
  const [n, blanks, symbols, kept, seeds] = [32, 40, 8, 4, 3];
  const length = blanks + kept;
  const batchOf = (rng: Rng): Batch => {
    const draws = rng.uniforms([n, blanks + kept]).dataSync();
    const [x, wanted, counts] = [
      new Float32Array(n * length),
      new Float32Array(n * length),
      new Float32Array(n * length),
    ];
    for (let row = 0; row < n; row++) {
      const own = draws.subarray(row * length, (row + 1) * length);
      const places = [...own.subarray(0, blanks).keys()]
        .sort((a, b) => own[a]! - own[b]!)
        .slice(0, kept)
        .sort((a, b) => a - b);
      places.forEach((place, i) => {
        const symbol = Math.floor(symbols * own[blanks + i]!);
        x[row * length + place] = 2 + symbol;
        x[row * length + blanks + i] = 1;
        wanted[row * length + blanks + i] = symbol;
        counts[row * length + blanks + i] = 1;
      });
    }
    const shaped = (values: Float32Array): tf.Tensor => tf.tensor2d(values, [n, length]);
    return { x: shaped(x), wanted: shaped(wanted), counts: shaped(counts) };
  };
  const base = () => net().embedding(2 + symbols, 24, { positions: false });
  const models: Record<string, () => unknown> = {
    gateLoop: () =>
      base()
        .residual((n) => n.layerNorm().gateLoop())
        .residual((n) => n.layerNorm().gateLoop())
        .layerNorm()
        .dense(symbols),
    s5: () =>
      base()
        .residual((n) => n.layerNorm().s5(32))
        .residual((n) => n.layerNorm().s5(32))
        .layerNorm()
        .dense(symbols),
    s4d: () =>
      base()
        .residual((n) => n.layerNorm().s4d(8))
        .residual((n) => n.layerNorm().s4d(8))
        .layerNorm()
        .dense(symbols),
  };
  const found: Record<string, number[]> = {};
  for (const [name, make] of Object.entries(models))
    for (let seed = 0; seed < seeds; seed++)
      (found[name] ??= []).push(
        learned(make() as Model, batchOf, { seed, steps: 500, columns: symbols, lr: 5e-3 }).accuracy,
      );
  const [own, ...others] = Object.values(found) as [number[], ...number[][]];
  return {
    headline: "A linear recurrence that the data control does better on tokens than those with fixed transitions",
    outcome: allOf(...others.map((other) => outcomeOf(apart(own, other)))),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [`share of symbols copied, ${name}`, band(values)]),
    ),
    seeds,
  };
}

export const recalled: Readonly<Record<string, () => Promise<Study>>> = { P023: episodes, P163: selective };
