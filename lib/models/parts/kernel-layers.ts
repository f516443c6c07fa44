/** The layers of a network that have a kernel, one after the other, with what comes into each: what pruning and quantising work on. */
import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, paths, scoped, type Tree, tf, unflatten } from "../../engine/index.ts";
import { product, transposed } from "../../engine/linear-algebra.ts";
import { type Filter, selected } from "../filter.ts";
import { type Params, type Tap, tape } from "../model.ts";
import type { Network, Weights } from "../network.ts";
import { parametersOf } from "../parameters.ts";

/** Numbers of a matrix, row after row, in double precision. */
export type Matrix = Float64Array<ArrayBuffer>;

/** A network's functions and numbers. */
export interface Subject {
  readonly structure: Network;
  readonly weights: Weights;
  readonly statistics: Params;
}

/** Where a kernel lies and what it is as a matrix: a column for each unit, a row for each number that it weighs. */
export interface KernelPlace {
  /** The layer's path: "model/2-dense", "head". */
  readonly path: string;
  readonly inputs: number;
  readonly units: number;
  /** How many of the inputs are channels of one place; the others are those of the places beside it in a window. Absent: all. */
  readonly channels?: number;
}

/** A layer with its kernel `[inputs, units]`. */
export interface KernelLayer extends KernelPlace {
  readonly kernel: Matrix;
  /** What comes in for the examples, `[n, inputs]`, from the layers before as they are by now; of a convolution the windows. */
  readonly rows: () => Matrix;
}

/** The kernels of a network that a filter selects, in the order of its weights; default those of the model, not the head's. */
export function kernelPlaces(
  where: string,
  { structure, weights }: Pick<Subject, "structure" | "weights">,
  filter: Filter = "model",
): readonly KernelPlace[] {
  const all = parametersOf(weights, structure.kindOf).filter(
    ({ path, kind, shape }) => path.endsWith("/kernel") && kind === "weight" && shape.length > 1,
  );
  return selected(where, filter, all).map(({ path, shape }) => {
    const units = shape.at(-1)!;
    const inputs = shape.reduce((a, b) => a * b, 1) / units;
    return { path: path.slice(0, -"/kernel".length), inputs, units, channels: shape.at(-2)! };
  });
}

/** The numbers of a kernel. */
export function kernelAt(weights: Weights, { path }: KernelPlace): Matrix {
  return Float64Array.from(new Map(paths(weights as unknown as Tree)).get(`${path}/kernel`)!.dataSync());
}

/** New tensors for all weights, with these numbers in place of those at some paths. The caller owns them. */
export function withTensors(weights: Weights, changed: ReadonlyMap<string, ArrayLike<number>>): Weights {
  return scoped(() =>
    unflatten(
      weights,
      paths(weights as unknown as Tree).map(([path, own]) => {
        const numbers = changed.get(path);
        return numbers === undefined ? own.clone() : tf.tensor(Float32Array.from(numbers), own.shape, "float32");
      }),
    ),
  ) as unknown as Weights;
}

/** Some examples of a table as the network sees them, evenly spaced. The caller owns the tensor. */
export function sampleOf(table: Examples, count: number): tf.Tensor {
  const n = Math.min(count, table.length);
  const at = Uint32Array.from({ length: n }, (_, i) => Math.floor((i * table.length) / n));
  return tf.tensor(gather(table, at), [n, ...table.shape]);
}

/** Logits in evaluation mode, with the layers tapped. */
export function tappedLogits({ structure, statistics }: Subject, weights: Weights, x: tf.Tensor, tap?: Tap): tf.Tensor {
  const features = structure.features(weights, x, tape(false, null, statistics, tap).mode);
  return structure.logits(weights, features, tap);
}

/** What comes into the layers at some paths, `[n, inputs]` by path; those that nobody taps are absent. */
export function rowsInto(
  subject: Subject,
  weights: Weights,
  x: tf.Tensor,
  at: ReadonlySet<string>,
): ReadonlyMap<string, Matrix> {
  const found = new Map<string, Matrix>();
  tf.tidy(() => {
    const z = tappedLogits(subject, weights, x, (path, _input, output, rows) => {
      const name = path.join("/");
      if (!at.has(name)) return output;
      const before = found.get(name);
      const own = rows().dataSync();
      const all = new Float64Array((before?.length ?? 0) + own.length);
      if (before !== undefined) all.set(before);
      all.set(own, before?.length ?? 0);
      found.set(name, all);
      return output;
    });
    z.dataSync();
  });
  return found;
}

/** What changed a layer: its own record, and how far its outputs are from before. */
export interface LayerChange extends KernelPlace {
  /** The squared length of the change of the layer's outputs, in squared lengths of these; null where no data were given. */
  readonly error: number | null;
}

/**
 * Changes the kernels at some places one after the other, each with what comes from the layers that were changed before. `change` gives
 * the new kernel. The caller owns the weights.
 */
export function changedInTurn<X extends { readonly kernel: Matrix }>(
  where: string,
  subject: Subject,
  places: readonly KernelPlace[],
  x: tf.Tensor | null,
  change: (layer: KernelLayer, index: number) => X,
): { readonly weights: Weights; readonly changes: readonly (X & LayerChange)[] } {
  const kernels = new Map<string, Matrix>();
  let weights = subject.weights;
  const changes = places.map((place, index) => {
    const kernel = kernelAt(weights, place);
    let seen: Matrix | undefined;
    const rows = (): Matrix => {
      if (x === null)
        throw new TypeError(`${where}: examples to calibrate with are required, got none; give a table of them`);
      seen ??= rowsInto(subject, weights, x, new Set([place.path])).get(place.path);
      if (seen === undefined || seen.length % place.inputs !== 0)
        throw new TypeError(
          `${where}: layers whose inputs can be seen are required, got ${place.path}; leave it out: { filter: { not: "${place.path.replace(/^model\//, "")}" } }`,
        );
      return seen;
    };
    const made = change({ ...place, kernel, rows }, index);
    const error = x === null ? null : outputError(rows(), kernel, made.kernel, place);
    kernels.set(`${place.path}/kernel`, made.kernel);
    const before = weights;
    weights = withTensors(subject.weights, kernels);
    if (before !== subject.weights) disposeTree(before as unknown as Tree);
    return { ...made, ...place, error };
  });
  return { weights: weights === subject.weights ? withTensors(weights, kernels) : weights, changes };
}

/** The squared length of the change of a layer's outputs, in squared lengths of these: `‖X (W − W′)‖² / ‖X W‖²`. */
export function outputError(
  rows: Matrix,
  before: Matrix,
  after: Matrix,
  { inputs, units }: Pick<KernelPlace, "inputs" | "units">,
): number {
  const n = rows.length / inputs;
  const squared = (kernel: Matrix): number =>
    product(rows, kernel, n, inputs, units).reduce((sum, value) => sum + value * value, 0);
  const whole = squared(before);
  return whole === 0 ? 0 : squared(before.map((w, i) => w - after[i]!)) / whole;
}

/** The sum of outer products of what comes in, `[inputs, inputs]`. */
export function gramOf(rows: Matrix, inputs: number): Matrix {
  const n = rows.length / inputs;
  return product(transposed(rows, n, inputs), rows, inputs, n, inputs);
}

/** The squared length of each column of what comes in. */
export function squaresOf(rows: Matrix, inputs: number): Matrix {
  const out = new Float64Array(inputs);
  rows.forEach((value, at) => {
    out[at % inputs]! += value * value;
  });
  return out;
}

/** The largest size of each channel of what comes in, over all places of a window. */
export function rangesOf(rows: Matrix, inputs: number, channels = inputs): Matrix {
  const out = new Float64Array(channels);
  rows.forEach((value, at) => {
    const channel = (at % inputs) % channels;
    out[channel] = Math.max(out[channel]!, Math.abs(value));
  });
  return out;
}

/** How two networks answer the same examples. */
export interface Answers {
  /** The squared length of the change of the logits, in squared lengths of these around their mean. */
  readonly error: number;
  /** The share of examples whose class is the most probable one, before and after; null where they have no class. */
  readonly accuracy: { readonly before: number; readonly after: number } | null;
}

/** Compares what two sets of weights answer. */
export function answersOf(before: Subject, after: Subject, table: Examples, most = 1024): Answers {
  const x = sampleOf(table, most);
  const n = x.shape[0]!;
  const of = (subject: Subject): Float32Array => {
    const logits = tf.tidy(() => tappedLogits(subject, subject.weights, x));
    const numbers = logits.dataSync() as Float32Array;
    logits.dispose();
    return numbers;
  };
  const [a, b] = [of(before), of(after)];
  x.dispose();
  const columns = a.length / n;
  const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
  let [off, whole] = [0, 0];
  a.forEach((value, i) => {
    off += (value - b[i]!) ** 2;
    whole += (value - mean) ** 2;
  });
  const labels = Array.from({ length: n }, (_, i) => table.labels[Math.floor((i * table.length) / n)]!);
  const classes = labels.every((label) => label >= 0 && label < columns) && table.targets === undefined;
  const right = (logits: Float32Array): number =>
    labels.filter((label, row) => {
      const own = logits.subarray(row * columns, (row + 1) * columns);
      return own.every((value) => value <= own[label]!);
    }).length / n;
  return { error: whole === 0 ? 0 : off / whole, accuracy: classes ? { before: right(a), after: right(b) } : null };
}
