/** A function along an axis of places, compiled once for however many there are. */
import * as tf from "@tensorflow/tfjs-core";
import { backend, backendName, TraceError } from "./runtime/backend.ts";
import { recordBody, recordScan } from "./runtime/body.ts";
import { leaves, mapTensors, type Tree, unflatten } from "./tree.ts";

/** Settings of `scan`. */
export interface ScanOptions {
  /** Whether the places are met from the last to the first; what they give stays in their order. Default false. */
  readonly reverse?: boolean;
}

/** One pass: the state before, what is at the place, and what is the same for all; gives the next state and what is kept of the place. */
export type ScanFunction<S, X, Y, C> = (state: S, x: X, constants: C) => readonly [S, Y];

/**
 * Carries a state along the leading axis of `xs`: `[state, y] = fn(state, x, constants)` at each place. Gives the last state and every
 * `y`, stacked.
 *
 * Within `jit` and `steps` it is a loop in the program: compiled once, whatever the length, forward and backward. The gradient goes
 * back along the places and computes each pass again from the state before it, which is kept; it can be differentiated again.
 * There the function may use no tensors but those it is given and fixed numbers. Outside of them it is a loop too unless a gradient is asked
 * for; then, and on TensorFlow.js' own backends, the passes run one by one.
 *
 * `state`, `x`, `y` and `constants` are trees of tensors; leaves of `xs` share their leading axis, of at least 1.
 *
 * @example
 * ```ts
 * import { jit, scan, tf } from "thalweg";
 * const sums = jit((xs: tf.Tensor) => scan((sum: tf.Tensor, x: tf.Tensor) => [tf.add(sum, x), tf.add(sum, x)], tf.scalar(0), xs, {}));
 * const [last, all] = sums(tf.tensor1d([1, 2, 3]));
 * last.dataSync()[0]; // 6
 * [...all.dataSync()]; // [1, 3, 6]
 * ```
 */
export function scan<S, X, Y, C>(
  fn: ScanFunction<S, X, Y, C>,
  first: S,
  xs: X,
  constants: C,
  { reverse = false }: ScanOptions = {},
): [S, Y] {
  const length = lengthOf(xs);
  const plainly = (): [S, Y] => oneByOne(fn, first, xs, constants, length, reverse);
  if (tf.getBackend() !== backendName) return plainly();
  const isTaped = tf.engine().state.gradientDepth > 0;
  if (backend.tracing === null) {
    // A gradient may be asked by tensors that the function takes from around it: only passes that are written out have it.
    if (isTaped) return plainly();
    try {
      return looped(fn, first, xs, constants, length, reverse);
    } catch (error) {
      if (error instanceof TraceError) return plainly();
      throw error;
    }
  }
  if (!isTaped) return looped(fn, first, xs, constants, length, reverse);
  // What the gradient starts from: the state before every pass. A gradient of the gradient needs it to be a result like the others.
  const [last, [ys, before]] = looped(keeping(fn), first, xs, constants, length, reverse, true);
  void before;
  return [last, ys];
}

const keeping =
  <S, X, Y, C>(fn: ScanFunction<S, X, Y, C>): ScanFunction<S, X, readonly [Y, S], C> =>
  (state, x, constants) => {
    const [next, y] = fn(state, x, constants);
    return [next, [y, state]];
  };

function lengthOf(xs: unknown): number {
  const lengths = leaves(xs as Tree).map(({ shape }) => shape[0] ?? 0);
  const [length = 0] = lengths;
  const other = lengths.find((one) => one !== length);
  if (length === 0) throw new RangeError("scan: inputs with a leading axis of at least 1 are required, got none");
  if (other !== undefined)
    throw new RangeError(`scan: inputs with one leading axis are required, got lengths ${length} and ${other}`);
  return length;
}

/** The passes written out. */
function oneByOne<S, X, Y, C>(
  fn: ScanFunction<S, X, Y, C>,
  first: S,
  xs: X,
  constants: C,
  length: number,
  reverse: boolean,
): [S, Y] {
  let state = first;
  const ys: Y[] = new Array(length);
  for (let k = 0; k < length; k++) {
    const at = reverse ? length - 1 - k : k;
    const [next, y] = fn(state, atPlace(xs, at), constants);
    [state, ys[at]] = [next, y];
  }
  const [one, ...others] = ys as [Y, ...Y[]];
  return [state, mapTensors((...all: tf.Tensor[]) => tf.stack(all), one, ...others)];
}

const atPlace = <X>(xs: X, at: number): X =>
  mapTensors((leaf) => tf.reshape(tf.slice(leaf, [at], [1]), leaf.shape.slice(1)), xs);

type RunKernel = (call: {
  forwardFunc: (backend: unknown, save: (tensors: tf.Tensor[]) => void) => tf.Tensor[];
  backwardsFunc: (dys: tf.Tensor[], saved: tf.Tensor[]) => { readonly [name: string]: () => tf.Tensor };
  inputs: { readonly [name: string]: tf.Tensor };
}) => tf.Tensor[];

/** The passes as a loop within the program that is being recorded. `isKept`: what a pass gives ends with the state before it. */
function looped<S, X, Y, C>(
  fn: ScanFunction<S, X, Y, C>,
  first: S,
  xs: X,
  constants: C,
  length: number,
  reverse: boolean,
  isKept = false,
): [S, Y] {
  const tracing = backend.recording;
  const [states, inputs, fixed] = [first, xs, constants].map((tree) => leaves(tree as Tree)) as [
    tf.Tensor[],
    tf.Tensor[],
    tf.Tensor[],
  ];
  const changing = [...states, ...inputs.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }))];
  let shape: Y | undefined;
  const body = recordBody("scan", tracing, changing, fixed, length, (given) => {
    const [next, y] = fn(
      unflatten(first, given.slice(0, states.length)) as S,
      unflatten(xs, given.slice(states.length)) as X,
      constants,
    );
    shape = y;
    const after = leaves(next as Tree);
    requireSame(states, after);
    return [...after, ...leaves(y as Tree)];
  });
  const isNested = tf.engine().state.gradientDepth > 1;
  const all = [...states, ...inputs, ...fixed];
  const out = (tf.engine() as unknown as { runKernelFunc: RunKernel }).runKernelFunc({
    inputs: Object.fromEntries(all.map((tensor, i) => [i, tensor])),
    forwardFunc(_, save) {
      const arrs = (tensors: readonly tf.Tensor[]) => tensors.map((tensor) => backend.arr(tensor));
      const made = recordScan(tracing.graph, body, arrs(states), arrs(inputs), reverse).map((one) =>
        tf.engine().makeTensorFromTensorInfo(backend.make(one), backend),
      );
      save([...inputs, ...fixed]);
      return made;
    },
    backwardsFunc(dys, saved) {
      const given = [dys].flat();
      const ownInputs = unflatten(xs, saved.slice(0, inputs.length)) as X;
      const own = unflatten(constants, saved.slice(inputs.length, inputs.length + fixed.length)) as C;
      const before = saved.slice(inputs.length + fixed.length);
      // Only a gradient of a gradient asks about the kept states themselves.
      const count = isNested ? given.length : given.length - states.length;
      const grads = back(fn, { first, before, xs: ownInputs, constants: own }, given, count, reverse);
      return Object.fromEntries(grads.map((grad, i) => [i, () => grad]));
    },
  });
  // Saved after the loop is on the tape: what is saved within it would come before it there, and a second gradient would miss it.
  if (isKept)
    tapeOf()
      .at(-1)!
      .saved.push(...out.slice(-states.length).map((state) => tf.keep(tf.clone(state))));
  return [unflatten(first, out.slice(0, states.length)) as S, unflatten(shape as Y, out.slice(states.length)) as Y];
}

const tapeOf = () =>
  (tf.engine().state as unknown as { readonly activeTape: readonly { readonly saved: tf.Tensor[] }[] }).activeTape;

function requireSame(states: readonly tf.Tensor[], after: readonly tf.Tensor[]): void {
  states.forEach(({ shape, dtype }, i) => {
    const next = after[i];
    if (after.length !== states.length || String(next?.shape) !== String(shape) || next?.dtype !== dtype)
      throw new TypeError(
        `scan: a state that keeps its shapes is required, got ${dtype} [${shape}] and then ${next?.dtype} [${next?.shape}]; give the first state the shape of the others`,
      );
  });
}

interface Given<S, X, C> {
  readonly first: S;
  readonly before: readonly tf.Tensor[];
  readonly xs: X;
  readonly constants: C;
}

/** The gradients of states, inputs and constants, in this order, from those of the first `count` results. */
function back<S, X, Y, C>(
  fn: ScanFunction<S, X, Y, C>,
  { first, before, xs, constants }: Given<S, X, C>,
  dys: readonly tf.Tensor[],
  count: number,
  reverse: boolean,
): tf.Tensor[] {
  const [inputs, fixed] = [leaves(xs as Tree), leaves(constants as Tree)];
  type Sums = { readonly state: tf.Tensor[]; readonly fixed: tf.Tensor[] };
  type Place = { readonly before: readonly tf.Tensor[]; readonly x: X; readonly dy: readonly tf.Tensor[] };
  const pass: ScanFunction<Sums, Place, tf.Tensor[], C> = (sums, place, own) => {
    const at = [...place.before, ...leaves(place.x as Tree), ...leaves(own as Tree)] as tf.Tensor[];
    const grads = pulledBack(
      () => {
        const [next, y] = fn(unflatten(first, place.before) as S, place.x, own);
        return [...leaves(next as Tree), ...leaves(y as Tree)].slice(0, count) as tf.Tensor[];
      },
      at,
      [...sums.state, ...place.dy],
    );
    const [ofStates, ofInputs] = [before.length, before.length + inputs.length];
    return [
      {
        state: grads.slice(0, ofStates),
        fixed: sums.fixed.map((sum, i) => tf.add(sum, grads[ofInputs + i]!)),
      },
      grads.slice(ofStates, ofInputs),
    ];
  };
  const start: Sums = { state: dys.slice(0, before.length), fixed: fixed.map(({ shape }) => tf.zeros(shape)) };
  const places: Place = { before, x: xs, dy: dys.slice(before.length, count) };
  const [{ state, fixed: sums }, dxs] = scan(pass, start, places, constants, { reverse: !reverse });
  return [...state, ...dxs, ...sums];
}

/** The gradients of some results by `at`, given those of what the results are used for. */
function pulledBack(fn: () => tf.Tensor[], at: tf.Tensor[], dys: readonly tf.Tensor[]): tf.Tensor[] {
  const { grads } = tf.engine().gradients(
    () => {
      const terms = fn().flatMap((out, i) => (out.dtype === "float32" ? [tf.sum(tf.mul(out, dys[i]!))] : []));
      return tf.addN(terms as [tf.Tensor]) as tf.Scalar;
    },
    at,
    undefined,
    true,
  );
  return at.map(({ shape }, i) => grads[i] ?? tf.zeros(shape));
}
