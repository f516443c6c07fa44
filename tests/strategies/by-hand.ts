/** Steps made by hand: a strategy's hooks are called outside a run, on a network and rows that a test knows, beside plain arithmetic. */
import { expect } from "vitest";
import { gather, table } from "../../lib/data/dataset.ts";
import { type Rng, random, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { type Network, network, type Weights } from "../../lib/models/network.ts";
import type {
  Batch,
  Context,
  Hooks,
  Passed,
  PassOptions,
  Prediction,
  Step,
  Strategy,
} from "../../lib/strategies/strategy.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { crossEntropy, targetLoss, targetLosses } from "../../lib/train/objective.ts";
import { passed } from "../../lib/train/pass.ts";

/** Rows of plain numbers. */
export type Rows = readonly (readonly number[])[];
/** Hooks whose state a test makes up. */
// biome-ignore lint/suspicious/noExplicitAny: the state is the strategy's own affair
export type Loose = Required<Hooks<any>>;

export const hooksOf = (strategy: Strategy): Loose => strategy.hooks as unknown as Loose;

/** A small network with a bias that is not 0, and its weights. */
export function small(hidden: number[], inputs: number, columns: number, seed = 1): { net: Network; weights: Weights } {
  const net = network(mlp({ hidden }), [inputs]);
  return { net, weights: noisy(net.init(random(seed), columns), random(seed + 100)) };
}

/** A tree whose tensors are all drawn anew, so that biases are not 0. */
export function noisy(weights: Weights, rng: Rng): Weights {
  let next = 0;
  const visit = (node: object): object =>
    Object.fromEntries(
      Object.entries(node).map(([name, child]) => [
        name,
        child instanceof tf.Tensor ? rng.at("noisy", next++).normals(child.shape, 0, 0.7) : visit(child as object),
      ]),
    );
  return visit(weights) as Weights;
}

/** Settings of a step; what is left out is as in a plain step of one batch. */
export interface Given {
  readonly net: Network;
  readonly weights: Weights;
  /** Rows of numbers, or a batch of other examples. */
  readonly x: Rows | tf.Tensor;
  readonly y?: readonly number[];
  /** How many rows come from the stream; default all. */
  readonly current?: number;
  readonly rows?: Step["rows"];
  readonly mask?: Rows | null;
  readonly weight?: readonly number[] | null;
  readonly task?: readonly number[] | null;
  readonly extra?: Step["extra"];
  readonly rate?: number;
  readonly rng?: Rng | null;
  /** A strategy with a pass of its own, and its state. */
  readonly through?: { readonly strategy: Strategy; readonly state: object };
}

/** What the traced hooks see, as a run would make it. */
export function stepOf(given: Given): Step {
  const { net, weights, x, through, rng = null } = given;
  const rows = x instanceof tf.Tensor ? x : tf.tensor2d(x as number[][]);
  const count = rows.shape[0]!;
  const task = given.task ? tf.tensor1d(given.task as number[], "int32") : null;
  const run = (at: Weights, input: tf.Tensor, options: PassOptions = {}, extra?: Step["extra"]): Passed =>
    passed(net, through?.strategy, () => through!.state as never, {
      weights: at,
      statistics: {},
      x: input,
      task: options.task === undefined ? task : options.task,
      training: options.frozen === undefined,
      rng: null,
      within: options,
      ...(extra && { extra: { [through?.strategy.spec.name ?? ""]: extra } }),
    });
  const { features, logits, aside = {} } = run(weights, rows, {}, given.extra);
  const step: Step = {
    network: net,
    weights,
    x: rows,
    y: tf.tensor1d((given.y ?? Array(count).fill(0)) as number[], "int32"),
    targets: null,
    mask: given.mask ? tf.tensor2d(given.mask as number[][]) : null,
    weight: given.weight ? tf.tensor1d(given.weight as number[]) : null,
    current: given.current ?? count,
    rows: given.rows ?? {},
    task,
    statistics: {},
    rate: tf.scalar(given.rate ?? 0.1),
    features,
    logits,
    aside,
    extra: given.extra ?? {},
    rng,
    forward: (input, options = {}) => run(options.weights ?? weights, input, options),
    crossEntropy,
    target: "class",
    targetLoss: (of = step) => targetLoss("class", of),
    targetLosses: (of = step) => targetLosses("class", of),
    gradient: (loss) => valueAndGrad(loss, weights).grads,
  };
  return step;
}

/** What a strategy makes of the loss: its own task's loss and the term that it adds, together. */
export function lossOf(strategy: Strategy, state: object, step: Step): number {
  const { taskLoss, loss } = strategy.hooks as Partial<Loose>;
  const parts = [taskLoss, loss].map((part) => part?.(state, step).dataSync()[0] ?? 0);
  return parts[0]! + parts[1]!;
}

/** What `predict` sees for some rows. */
export function predictionOf(net: Network, weights: Weights, x: Rows): Prediction {
  const step = stepOf({ net, weights, x });
  return { network: net, weights, x: step.x, features: step.features, logits: step.logits, forward: step.forward };
}

/** What host hooks may ask for, of a network outside a run. */
export function contextOf(net: Network, weights: Weights, more: Partial<Context> = {}): Context {
  const columns = (weights.head.kernel as tf.Tensor).shape[1]!;
  return {
    rng: random(3),
    network: net,
    weights,
    statistics: {},
    columns,
    batch: 4,
    epochs: 1,
    experience: 0,
    step: 0,
    mask: () => null,
    stream: {
      head: "single",
      facts: [],
      length: 3,
      tasks: 3,
      shape: net.input,
      taskOf: (i: number) => i,
    } as never as Stream,
    outputs: (examples) => {
      const raw = new Float32Array(examples.length * net.input[0]!);
      examples.read(
        Uint32Array.from({ length: examples.length }, (_, i) => i),
        raw,
      );
      const x = Array.from({ length: examples.length }, (_, i) => [
        ...raw.slice(i * net.input[0]!, (i + 1) * net.input[0]!),
      ]);
      const { features, logits } = predictionOf(net, weights, x);
      return { features: features.dataSync() as Float32Array, logits: logits.dataSync() as Float32Array };
    },
    ...more,
  };
}

/** Rows as a table of examples. */
export function examplesOf(x: Rows, y: readonly number[]) {
  return table(Float32Array.from(x.flat()), Int32Array.from(y), [x[0]!.length], 1);
}

/** Some rows of a table as a batch of one task. */
export function batchOf(from: ReturnType<typeof examplesOf>, at: readonly number[], task = 0): Batch {
  const rows = Uint32Array.from(at);
  return {
    x: gather(from, rows),
    y: Int32Array.from(rows, (i) => from.labels[i]!),
    task: new Int32Array(at.length).fill(task),
    targets: null,
    weight: null,
    current: at.length,
    rows: {},
    from,
    at: rows,
    extra: {},
  };
}

/** Standard normal rows. */
export function normal(n: number, width: number, seed: number): number[][] {
  const rng = random(seed);
  return Array.from({ length: n }, () => Array.from({ length: width }, () => rng.normal()));
}

/** Expects numbers to be those worked by hand. */
export function close(got: readonly number[], wanted: readonly number[], digits = 4): void {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, digits);
  });
}

// Plain arithmetic, in double precision, with nothing of the engine.

export const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
export const length = (a: readonly number[]): number => Math.sqrt(dot(a, a));
export const unit = (a: readonly number[]): number[] => a.map((v) => v / length(a));
export const mean = (a: readonly number[]): number => a.reduce((s, v) => s + v, 0) / a.length;
export const meanRow = (rows: Rows): number[] => rows[0]!.map((_, j) => mean(rows.map((row) => row[j]!)));
export const matrix = (t: tf.Tensor): number[][] => tf.reshape(t, [-1, t.shape.at(-1)!]).arraySync() as number[][];
export const times = (a: Rows, b: Rows): number[][] =>
  a.map((row) =>
    b[0]!.map((_, j) =>
      dot(
        row,
        b.map((r) => r[j]!),
      ),
    ),
  );
export const transposed = (a: Rows): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!));
export const softmax = (z: readonly number[]): number[] => {
  const e = z.map((v) => Math.exp(v - Math.max(...z)));
  return e.map((v) => v / e.reduce((s, u) => s + u, 0));
};
/** The cross-entropy of a row over some columns. */
export const entropy = (z: readonly number[], label: number, over = z.map((_, c) => c)): number =>
  Math.log(over.reduce((s, c) => s + Math.exp(z[c]!), 0)) - z[label]!;

/** The solution of a small linear system, by elimination with pivots. */
export function solved(a: Rows, b: readonly number[]): number[] {
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let k = 0; k < m.length; k++) {
    const pivot = m
      .map((row) => Math.abs(row[k]!))
      .reduce((best, v, i, all) => (i > k && v > all[best]! ? i : best), k);
    [m[k], m[pivot]] = [m[pivot]!, m[k]!];
    for (let i = 0; i < m.length; i++) {
      if (i === k) continue;
      const by = m[i]![k]! / m[k]![k]!;
      for (let j = k; j <= m.length; j++) m[i]![j]! -= by * m[k]![j]!;
    }
  }
  return m.map((row, i) => row[m.length]! / row[i]!);
}

/** A dense layer as plain numbers. */
export interface Dense {
  readonly kernel: number[][];
  readonly bias: number[];
}

/** The layers of a perceptron as plain numbers that may be changed; the head is the last. */
export function layersOf({ model, head }: Weights): Dense[] {
  const plain = ({ kernel, bias }: Params): Dense => ({
    kernel: matrix(kernel as tf.Tensor),
    bias: [...(bias as tf.Tensor).dataSync()],
  });
  return [...Object.values(model), head].map((layer) => plain(layer as Params));
}

/** What a perceptron gives: the inputs of each layer, the features, the logits. */
export function perceptron(of: Weights | readonly Dense[], x: Rows) {
  const layers = Array.isArray(of) ? (of as Dense[]) : layersOf(of as Weights);
  const inputs: number[][][] = [];
  let rows = x.map((row) => [...row]);
  layers.forEach(({ kernel, bias }, at) => {
    inputs.push(rows);
    rows = times(rows, kernel).map((row) => row.map((v, j) => v + bias[j]!));
    if (at < layers.length - 1) rows = rows.map((row) => row.map((v) => Math.max(0, v)));
  });
  return { inputs, features: inputs.at(-1)!, logits: rows };
}

/** The slope of a function of a perceptron's layers by central differences, in the order of the tree's numbers: kernel by kernel, each before its bias. */
export function slopes(weights: Weights, f: (layers: readonly Dense[]) => number, by = 1e-4): number[] {
  const layers = layersOf(weights);
  const along = (row: number[], j: number): number => {
    const at = row[j]!;
    row[j] = at + by;
    const up = f(layers);
    row[j] = at - by;
    const down = f(layers);
    row[j] = at;
    return (up - down) / (2 * by);
  };
  return layers.flatMap(({ kernel, bias }) => [...kernel, bias].flatMap((row) => row.map((_, j) => along(row, j))));
}

/** All numbers of a tree like the weights, kernel by kernel, each before its bias. */
export function inOrder(weights: Weights): number[] {
  return layersOf(weights).flatMap(({ kernel, bias }) => [...kernel.flat(), ...bias]);
}
