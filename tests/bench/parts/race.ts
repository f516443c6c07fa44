/** What the race of layers along sequences is made of: tasks, networks of equal size, and their training, timed. */
import { readFileSync } from "node:fs";
import {
  adam,
  associativeRecall,
  chain,
  clip,
  copying,
  type Dataset,
  digits,
  type Examples,
  fromText,
  gather,
  gatherTargets,
  induction,
  jit,
  type Layer,
  layers,
  longMemory,
  type Model,
  mapTensors,
  net,
  network,
  nn,
  parity,
  random,
  type Tree,
  tape,
  tf,
  valueAndGrad,
  type Weights,
} from "../../../lib/index.ts";

/** A task: its data, and the places whose answers count. */
export interface Task {
  readonly data: Dataset;
  /** How an example becomes a sequence of so wide vectors. */
  readonly begin: (units: number) => readonly Layer[];
  /** From which place on there are answers that count; the last alone where it is not given. */
  readonly from?: number;
}

const tokens = (data: Dataset, count: number, from?: number): Task => ({
  data,
  begin: (units) => [layers.embedding(count, units, { positions: false })],
  ...(from !== undefined && { from }),
});

/** Titles of papers, one after the other: text that does not change. */
const titles = (): string =>
  readFileSync(new URL("../../support/systems.tsv", import.meta.url), "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t").at(-1))
    .join("\n");

/** The tasks of the race, by name; each with new examples for each seed. */
export const tasks: Readonly<Record<string, (seed: number) => Task>> = {
  copying: (seed) => tokens(copying({ length: 8, symbols: 8, examples: 3000, seed }), 10, 8),
  recall: (seed) => tokens(associativeRecall({ pairs: 4, keys: 8, values: 8, examples: 3000, seed }), 16),
  induction: (seed) => tokens(induction({ length: 24, symbols: 8, examples: 3000, seed }), 9),
  parity: (seed) => tokens(parity({ length: 16, examples: 3000, seed }), 2, 0),
  memory: (seed) => tokens(longMemory({ length: 40, examples: 3000, seed }), 12),
  digits: () => ({ data: digits(), begin: (units) => [layers.reshape([64, 1]), layers.dense(units)] }),
};

/** Text in pieces of some length. */
export function text(length: number): Task {
  const data = fromText(titles(), { length, test: 0.15 });
  return tokens(data, data.classes.length, 0);
}

/** A layer along the sequence that takes part: what it is for a width. */
export type Mixer = (units: number) => readonly Layer[];

/** Two blocks of a layer and of dense layers, each normalised before and added, then a normalisation; at the last place where a class is asked for. */
export function racer(task: Task, mixer: Mixer, units: number): Model {
  const chained = (...stack: readonly Layer[]) => net.of(stack) as unknown as Model;
  const block = [
    layers.residual(chained(layers.layerNorm(), ...mixer(units)), {}),
    layers.residual(chained(layers.layerNorm(), layers.dense(2 * units), layers.gelu(), layers.dense(units)), {}),
  ];
  const end = task.from === undefined ? [layers.last()] : [];
  return chained(...task.begin(units), ...block, ...block, layers.layerNorm(), ...end);
}

/** The width, a multiple of 8, with which a network comes nearest to a number of parameters. */
export function widthFor(task: Task, mixer: Mixer, parameters: number): number {
  const apart = (units: number): number => {
    const rows = racer(task, mixer, units).summary(task.data.shape);
    return Math.abs(Math.log(rows.reduce((sum, row) => sum + row.parameters, 0) / parameters));
  };
  const widths = Array.from({ length: 12 }, (_, i) => 8 * (i + 1)).map((units) => [apart(units), units] as const);
  return widths.reduce((best, one) => (one[0] < best[0] ? one : best))[1];
}

/** What became of one network. */
export interface Result {
  readonly units: number;
  readonly parameters: number;
  /** What the test set comes to after so many seconds of the processor spent in training. */
  readonly curve: readonly { readonly seconds: number; readonly accuracy: number; readonly loss: number }[];
  /** The mean loss at each place of the test set in the end. */
  readonly byPlace: readonly number[];
  /** Milliseconds of the processor for a step of training. */
  readonly step: number;
}

/** Settings of `raced`. */
export interface Racing {
  readonly parameters?: number;
  readonly steps?: number;
  readonly tests?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly seed?: number;
}

/** Trains a network and says how it goes. */
export function raced(task: Task, mixer: Mixer, given: Racing = {}): Result {
  const { parameters = 12_000, steps = 500, tests = 5, batch = 32, lr = 4e-3, seed = 0 } = given;
  const { data, from } = task;
  const units = widthFor(task, mixer, parameters);
  const own = network(racer(task, mixer, units), data.shape);
  const columns = data.classes.length;
  const optimizer = chain(clip(1), adam({ lr }));
  const length = data.shape[0]!;

  /** The cross-entropy and the hit of each answer that counts. */
  const answers = (
    weights: Weights,
    x: tf.Tensor,
    y: tf.Tensor,
    training: boolean,
  ): readonly [tf.Tensor, tf.Tensor] => {
    const all = own.logits(weights, own.features(weights, x, tape(training, null, {}).mode));
    const logits =
      from === undefined ? all : tf.reshape(tf.slice(all, [0, from], [x.shape[0]!, length - from]), [-1, columns]);
    const hits = tf.equal(tf.argMax(logits, 1), tf.cast(y, "int32"));
    return [nn.crossEntropies(logits, y), tf.cast(hits, "float32")];
  };
  const step = jit(
    (weights: Weights, state: Tree, x: tf.Tensor, y: tf.Tensor): readonly [Weights, Tree] => {
      const { grads } = valueAndGrad((w: Weights) => tf.mean(answers(w, x, y, true)[0]), weights);
      const [updates, next] = optimizer.update(grads as Tree, state, weights as Tree, tf.scalar(lr));
      return [mapTensors((w, update) => tf.add(w, update), weights, updates as Weights), next];
    },
    { name: "race", donate: [0, 1] },
  );
  const scores = jit((weights: Weights, x: tf.Tensor, y: tf.Tensor) => answers(weights, x, y, false));

  const rng = random(seed).at("race");
  let weights: Weights = tf.tidy(() => own.init(random(seed), columns) as never);
  let state: Tree = tf.tidy(() => optimizer.init(weights as Tree) as never);
  const pick = (of: Examples, at: Uint32Array): readonly [tf.Tensor, tf.Tensor] => {
    const x = tf.tensor(gather(of, at), [at.length, ...data.shape]);
    if (from === undefined) return [x, tf.tensor1d(Float32Array.from(at, (i) => of.labels[i]!))];
    const targets = gatherTargets(of, at);
    const rows = [...at.keys()].flatMap((i) => [...targets.subarray(i * length + from, (i + 1) * length)]);
    return [x, tf.tensor1d(rows)];
  };
  const tested = pick(
    data.test,
    Uint32Array.from({ length: Math.min(400, data.test.length) }, (_, i) => i),
  );
  const curve: { seconds: number; accuracy: number; loss: number }[] = [];
  let [spent, byPlace]: [number, number[]] = [0, []];
  for (let t = 1; t <= steps; t++) {
    const drawn = Uint32Array.from({ length: batch }, () => rng.int(data.train.length));
    const [x, y] = pick(data.train, drawn);
    const begun = process.cpuUsage();
    [weights, state] = step(weights, state, x, y);
    const { user, system } = process.cpuUsage(begun);
    if (t > 1) spent += (user + system) / 1e6; // the first call compiles
    tf.dispose([x, y]);
    if (t % Math.ceil(steps / tests) !== 0 && t !== steps) continue;
    const [losses, hits] = scores(weights, ...tested);
    const [all, right] = [losses.dataSync(), hits.dataSync()];
    tf.dispose([losses, hits]);
    const mean = (of: ArrayLike<number>): number => Array.from(of).reduce((sum, v) => sum + v, 0) / of.length;
    curve.push({ seconds: spent, accuracy: mean(right), loss: mean(all) });
    const places = from === undefined ? 1 : length - from;
    byPlace = Array.from({ length: places }, (_, p) => mean(Array.from(all).filter((_, i) => i % places === p)));
  }
  const sizes = own.model.summary(data.shape).reduce((sum, row) => sum + row.parameters, 0);
  tf.dispose([weights, state, tested] as never);
  return { units, parameters: sizes, curve, byPlace, step: (1000 * spent) / (steps - 1) };
}

/** The accuracy that a network has after so many seconds: between two tests on the line from one to the other, and at last that of the end. */
export function accuracyAt({ curve }: Result, seconds: number): number {
  const next = curve.findIndex((test) => test.seconds >= seconds);
  if (next < 0) return curve.at(-1)!.accuracy;
  const [before, after] = [next === 0 ? { seconds: 0, accuracy: 0 } : curve[next - 1]!, curve[next]!];
  const share = (seconds - before.seconds) / Math.max(1e-9, after.seconds - before.seconds);
  return before.accuracy + share * (after.accuracy - before.accuracy);
}
