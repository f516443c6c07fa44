/** Training without a stream, for studies whose tasks are made as they go: Adam on batches that a function draws. */
import {
  jit,
  type Model,
  mapTensors,
  type Params,
  type Rng,
  random,
  tape,
  tf,
  valueAndGrad,
} from "../../../lib/index.ts";

/** A batch: what comes in and what is asked for. */
export interface Drawn {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

/** How a model is fitted. */
export interface Fitting {
  readonly steps: number;
  readonly lr?: number;
  readonly seed: number;
  /** Where it begins. Default: drawn by the seed. */
  readonly from?: Params;
  /** Whether the parameters at these top-level names are trained. Default: all are. */
  readonly trains?: (name: string) => boolean;
}

/** The loss of outputs `[n, …]` for what is asked. */
export type Loss = (out: tf.Tensor, y: tf.Tensor) => tf.Tensor;

export const squared: Loss = (out, y) => tf.mean(tf.square(tf.sub(out, y)));
/** Of logits `[n, …, classes]` and whole numbers `[n, …]`. */
export const entropy: Loss = (out, y) => {
  const classes = out.shape.at(-1)!;
  const hot = tf.oneHot(tf.cast(tf.reshape(y, [-1]), "int32"), classes, 1, 0, "float32");
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(tf.reshape(out, [-1, classes])), hot), 1)));
};

/** Fits a model without running statistics; gives its parameters, its losses and the milliseconds of processor time of the steps after the first. */
export function fit(
  model: Model,
  input: readonly number[],
  draw: (rng: Rng, step: number) => Drawn,
  loss: Loss,
  { steps, lr = 3e-3, seed, from, trains = () => true }: Fitting,
): { readonly params: Params; readonly losses: number[]; readonly milliseconds: number } {
  const rng = random(seed);
  let params = from ?? model.init(rng.at("model"), input);
  const zeros = (): Params => mapTensors((t) => tf.zerosLike(t), params);
  let [first, second] = [zeros(), zeros()];
  const step = jit((params: Params, first: Params, second: Params, t: tf.Tensor, x: tf.Tensor, y: tf.Tensor) => {
    const { value, grads } = valueAndGrad((p: Params) => {
      const run = tape(true, null, model.statistics(input));
      return tf.add(loss(model.apply(p, x, run.mode), y), run.cost() ?? 0);
    }, params);
    const length = tf.sqrt(
      Object.values(flat(grads))
        .map((g) => tf.sum(tf.square(g)))
        .reduce((a, b) => tf.add(a, b)),
    );
    const clipped = mapTensors((g) => tf.mul(g, tf.minimum(1, tf.div(1, tf.add(length, 1e-9)))), grads);
    const m = mapTensors((m, g) => tf.add(tf.mul(m, 0.9), tf.mul(g!, 0.1)), first, clipped);
    const v = mapTensors((v, g) => tf.add(tf.mul(v, 0.999), tf.mul(tf.square(g!), 0.001)), second, clipped);
    const rate = tf.div(tf.mul(lr, tf.sqrt(tf.sub(1, tf.pow(0.999, t)))), tf.sub(1, tf.pow(0.9, t)));
    const next = mapTensors((p, m, v) => tf.sub(p, tf.mul(rate, tf.div(m!, tf.add(tf.sqrt(v!), 1e-8)))), params, m, v);
    return { params: next, first: m, second: v, value };
  });
  const losses: number[] = [];
  let spent = process.cpuUsage();
  for (let t = 1; t <= steps; t++) {
    const { x, y } = draw(rng.at("batch", t), t);
    const after = step(params, first, second, tf.scalar(t), x, y);
    params = kept(params, after.params as Params, trains);
    first = after.first as Params;
    second = after.second as Params;
    losses.push(after.value.dataSync()[0]!);
    if (t === 1) spent = process.cpuUsage();
  }
  const { user, system } = process.cpuUsage(spent);
  return { params, losses, milliseconds: (user + system) / 1000 };
}

const flat = (tree: object, path = ""): Record<string, tf.Tensor> =>
  Object.assign(
    {},
    ...Object.entries(tree).map(([name, node]) =>
      node instanceof tf.Tensor ? { [`${path}${name}`]: node } : flat(node as object, `${path}${name}/`),
    ),
  );

const kept = (before: Params, after: Params, trains: (name: string) => boolean): Params =>
  Object.fromEntries(Object.keys(before).map((name) => [name, trains(name) ? after[name]! : before[name]!]));

/** What a fitted model gives. */
export function given(model: Model, params: Params, x: tf.Tensor): tf.Tensor {
  return jit((params: Params, x: tf.Tensor) =>
    model.apply(params, x, tape(false, null, model.statistics(x.shape.slice(1))).mode),
  )(params, x);
}

/** The share of logits `[n, …, classes]` whose largest is the one that is asked for. */
export function right(out: tf.Tensor, y: tf.Tensor): number {
  return tf.mean(tf.cast(tf.equal(tf.argMax(out, -1), tf.cast(y, "int32")), "float32")).dataSync()[0]!;
}
