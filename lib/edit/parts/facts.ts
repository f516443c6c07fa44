/** What a layer of a network sees and gives for facts: keys and values at the last place of each example. */
import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, jit, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import { product, transposed } from "../../engine/linear-algebra.ts";
import { type Params, type Tap, tape } from "../../models/model.ts";
import { crossEntropies, type Network, type Weights } from "../../models/network.ts";
import { parametersOf } from "../../models/parameters.ts";
import { adam } from "../../optim/optimizers/adam.ts";

/** Numbers of a matrix, row after row, in double precision. */
export type Matrix = Float64Array<ArrayBuffer>;

/** A network's functions with the weights that are edited. */
export interface Subject {
  readonly structure: Network;
  readonly weights: Weights;
  readonly statistics: Params;
}

/** The layer that is edited. */
export interface Site {
  /** Where its tensors lie: "model/2-transformer/down". */
  readonly path: string;
  readonly inputs: number;
  readonly units: number;
}

/** The layer at a path, or the last layer of the model with a kernel: of a transformer the second product of its last block. */
export function siteOf(
  where: string,
  { structure, weights }: Pick<Subject, "structure" | "weights">,
  layer = "",
): Site {
  const kernels = parametersOf(weights, structure.kindOf).filter(
    ({ path, shape }) =>
      path.endsWith("/kernel") &&
      path.startsWith("model/") &&
      shape.length === 2 &&
      structure.kindOf(path) === "weight",
  );
  const wanted =
    layer === ""
      ? kernels.at(-1)
      : kernels.find(({ path }) => [`model/${layer}/kernel`, `${layer}/kernel`].includes(path));
  if (wanted === undefined)
    throw new RangeError(
      `${where}: a layer with a kernel is required, got "${layer}"; there are ${kernels.map(({ path }) => path.slice(6, -7)).join(", ") || "none"}`,
    );
  return { path: wanted.path.slice(0, -7), inputs: wanted.shape[0]!, units: wanted.shape[1]! };
}

/** The kernel of a layer. */
export function kernelOf(weights: Weights, { path }: Site): tf.Tensor {
  const node = path.split("/").reduce<unknown>((tree, name) => (tree as Record<string, unknown>)[name], weights);
  return (node as { readonly kernel: tf.Tensor }).kernel;
}

/** The weights with another kernel at a layer; the other tensors are the same. */
export function withKernel(weights: Weights, { path }: Site, kernel: tf.Tensor): Weights {
  const put = (node: object, names: readonly string[]): object => {
    const [first, ...rest] = names;
    if (first === undefined) return { ...node, kernel };
    return { ...node, [first]: put((node as Record<string, object>)[first]!, rest) };
  };
  return put(weights, path.split("/")) as Weights;
}

/** *Traced.* The last of the places of each of n examples: `[n · length, d]` to `[n, d]`. */
export function lastOf(rows: tf.Tensor, n: number): tf.Tensor2D {
  const length = rows.shape[0]! / n;
  const width = rows.shape[1]!;
  return tf.reshape(tf.slice(tf.reshape(rows, [n, length, width]), [0, length - 1, 0], [n, 1, width]), [n, width]);
}

/** *Traced.* The rows with something else at the last place of each example. */
export function withLast(rows: tf.Tensor, values: tf.Tensor): tf.Tensor {
  const [n, width] = values.shape as [number, number];
  const length = rows.shape[0]! / n;
  if (length === 1) return values;
  const before = tf.slice(tf.reshape(rows, [n, length, width]), [0, 0, 0], [n, length - 1, width]);
  return tf.reshape(tf.concat([before, tf.reshape(values, [n, 1, width])], 1), rows.shape);
}

/** Logits of the last place, with the layers tapped. */
export function logitsOf({ structure, statistics }: Subject, weights: Weights, x: tf.Tensor, tap?: Tap): tf.Tensor {
  const z = structure.logits(weights, structure.features(weights, x, tape(false, null, statistics, tap).mode), tap);
  return z.rank === 3 ? lastOf(tf.reshape(z, [z.shape[0]! * z.shape[1]!, z.shape[2]!]), z.shape[0]!) : z;
}

/** Facts as tensors: what is asked, and the columns that are to be answered. The caller owns them. */
export function asked(facts: Examples): { readonly x: tf.Tensor; readonly y: tf.Tensor } {
  const all = Uint32Array.from({ length: facts.length }, (_, i) => i);
  return {
    x: tf.tensor(gather(facts, all), [facts.length, ...facts.shape]),
    y: tf.tensor1d(facts.labels.slice(0, facts.length), "int32"),
  };
}

/** What comes into a layer at the last place of each fact, and what it gives. */
export function keysOf(
  subject: Subject,
  weights: Weights,
  facts: Examples,
  site: Site,
): { readonly keys: Matrix; readonly outputs: Matrix; readonly answers: Int32Array } {
  const { x, y } = asked(facts);
  const found = { keys: new Float64Array(0), outputs: new Float64Array(0), answers: new Int32Array(0) };
  tf.tidy(() => {
    const z = logitsOf(subject, weights, x, (path, input, output, rows) => {
      if (path.join("/") === site.path) {
        found.keys = Float64Array.from(lastOf(rows(), facts.length).dataSync());
        found.outputs = Float64Array.from(lastOf(output, facts.length).dataSync());
      }
      void input;
      return output;
    });
    found.answers = Int32Array.from(tf.argMax(z, -1).dataSync());
  });
  disposeTree([x, y]);
  return found;
}

/** The sum of outer products of rows, `[d, d]`. */
export function gram(rows: Matrix, d: number): Matrix {
  const n = rows.length / d;
  return product(transposed(rows, n, d), rows, d, n, d);
}

/** How the values that a layer is to give are found. */
export interface ValueOptions {
  readonly steps: number;
  readonly lr: number;
  /** How much the length of a change counts, divided by that of what was there, squared. */
  readonly decay: number;
  /** The longest a change may be, in lengths of what was there. */
  readonly clamp: number;
  /** When a fact's change is large enough: when its answer is the most probable one, or has this probability. */
  readonly until: "most probable" | number;
  /** Further steps after that; default none. */
  readonly further?: number;
}

/** Changes that are looked for, the optimizer's state, and for how many more steps each fact is open. */
type Now = { readonly change: tf.Tensor; readonly state: Tree; readonly open: tf.Tensor };
type Step = (now: Now, weights: Weights, statistics: Params, x: tf.Tensor, y: tf.Tensor) => Now;

/** The steps that were compiled for a network, by what they are for: a stream of edits takes the same ones again and again. */
const steps = new WeakMap<Network, Map<string, Step>>();

/** One step of the search for values. */
function stepOf(structure: Network, site: Site, how: ValueOptions): Step {
  const own = steps.get(structure) ?? new Map<string, Step>();
  steps.set(structure, own);
  const key = JSON.stringify([site, how]);
  const known = own.get(key);
  if (known !== undefined) return known;
  const optimizer = adam({ lr: how.lr });
  const made: Step = jit(
    ({ change, state, open }: Now, at: Weights, statistics: Params, rows: tf.Tensor, labels: tf.Tensor): Now => {
      const n = rows.shape[0]!;
      const { grads, aux } = valueAndGrad(
        ({ change: c }: { change: tf.Tensor }) => {
          let there: tf.Tensor | undefined;
          const logits = logitsOf({ structure, statistics, weights: at }, at, rows, (path, _input, output) => {
            if (path.join("/") !== site.path) return output;
            there = lastOf(output, n);
            return withLast(output, tf.add(there, c));
          });
          const own = tf.maximum(tf.sum(tf.square(there!), 1), 1e-12);
          const size = tf.mul(tf.div(tf.sum(tf.square(c), 1), own), how.decay);
          return [
            tf.sum(tf.add(crossEntropies(logits, labels), size)) as tf.Scalar,
            { z: logits, there: there! },
          ] as const;
        },
        { change },
      );
      const { z, there } = aux;
      const p = tf.softmax(z);
      const own = tf.sum(tf.mul(p, tf.oneHot(tf.cast(labels, "int32"), z.shape[1]!)), 1);
      const reached =
        how.until === "most probable" ? tf.greaterEqual(own, tf.max(p, 1)) : tf.greaterEqual(own, how.until);
      const left = tf.maximum(tf.sub(open, tf.cast(reached, "float32")), 0);
      const still = tf.cast(tf.greater(left, 0), "float32");
      const [moves, next] = optimizer.update(grads as Tree, state, { change }, tf.scalar(how.lr));
      const moved = tf.add(change, tf.mul((moves as { change: tf.Tensor }).change, tf.expandDims(still, 1)));
      const most = tf.mul(tf.norm(there, 2, 1, true), how.clamp);
      const length = tf.maximum(tf.norm(moved, 2, 1, true), 1e-12);
      return { change: tf.mul(moved, tf.minimum(tf.div(most, length), 1)), state: next, open: left };
    },
    { name: "values", donate: [0] },
  );
  own.set(key, made);
  return made;
}

/**
 * What the layer is to give at the last place of each fact, beyond what it gives now, so that the fact is answered: found by Adam, each fact
 * by itself.
 */
export function changesOf(subject: Subject, weights: Weights, facts: Examples, site: Site, how: ValueOptions): Matrix {
  const { x, y } = asked(facts);
  const n = facts.length;
  const optimizer = adam({ lr: how.lr });
  const step = stepOf(subject.structure, site, how);
  const change = tf.zeros([n, site.units]);
  let now: Now = {
    change,
    state: scoped(() => optimizer.init({ change })),
    open: tf.fill([n], 1 + (how.further ?? 0)),
  };
  for (let i = 0; i < how.steps; i++) {
    now = step(now, weights, subject.statistics, x, y);
    if (i % 10 === 9 && now.open.dataSync().every((open) => open === 0)) break;
  }
  const found = Float64Array.from(now.change.dataSync());
  disposeTree([now, x, y] as unknown as Tree);
  return found;
}
