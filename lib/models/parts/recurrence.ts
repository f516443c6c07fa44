/** A state carried along the places of a sequence. */
import { mapTensors, type Rng, scan, type Tree, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import { requireCount } from "../layer.ts";
import type { Mode, Params } from "../model.ts";
import { still } from "./gradients.ts";
import { product, productParams } from "./product.ts";

/** One place: the states before, what is given there, and the layer's parameters; the states after, of which the first is kept. */
export type Recurrence = (states: readonly tf.Tensor[], given: tf.Tensor, params: Params, mode: Mode) => tf.Tensor[];

/** Options of layers that carry a state. */
export interface RecurrentOptions {
  /**
   * Into how many heads the state is divided, each of which meets itself alone: so many small recurrent networks side by side, which need as
   * many times fewer weights. Strategies that tap layers do not see the products of several. Default 1.
   */
  readonly heads?: number;
  /**
   * Over how many places the gradient goes back: at every place whose number is a multiple of it, what came before counts as a constant, and
   * the state goes on (truncated backpropagation through time). Default 0: over all.
   */
  readonly truncate?: number;
}

/** The options of a layer that carries a state of so many units, checked; those that are not used do not stand in records. */
export function recurrentOptions(where: string, units: number, { heads = 1, truncate = 0 }: RecurrentOptions) {
  requireCount(where, "units", units);
  requireCount(where, "heads", heads);
  requireCount(where, "truncate", truncate, 0);
  if (units % heads !== 0)
    throw new RangeError(`${where}: units that ${heads} heads divide are required, got ${units}`);
  return { heads, truncate, used: { ...(heads > 1 && { heads }), ...(truncate > 0 && { truncate }) } };
}

/** The width of a sequence of vectors; throws for what has another shape. */
export function requireVectors(where: string, input: readonly number[]): readonly [length: number, inputs: number] {
  if (input.length === 2) return input as readonly [number, number];
  throw new RangeError(
    `${where}: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
  );
}

/** The parameters of the state's product with itself, to so many vectors of `units`. */
export function stateParams(rng: Rng, units: number, vectors: number, heads: number): Params {
  if (heads === 1) return productParams(rng, units, vectors * units);
  const own = units / heads;
  return {
    kernels: drawWeights("torch", rng.at("kernel"), [heads, own, vectors * own], own, own),
    bias: drawBias("torch", rng.at("bias"), vectors * units, own),
  };
}

/** `[n, units]` to `[n, vectors · units]`, by one kernel or by one for each head. */
export function stateProduct(h: tf.Tensor, params: Params, mode: Mode): tf.Tensor {
  const { kernels, bias } = params.state as { readonly kernels?: tf.Tensor3D; readonly bias?: tf.Tensor };
  if (kernels === undefined) return product(h, params, "state", mode);
  const [heads, own, wide] = kernels.shape;
  const n = h.shape[0]!;
  const byHead = tf.matMul(tf.transpose(tf.reshape(h, [n, heads, own]), [1, 0, 2]), kernels);
  const byVector = tf.transpose(tf.reshape(byHead, [heads, n, wide / own, own]), [1, 2, 0, 3]);
  return tf.add(tf.reshape(byVector, [n, heads * wide]), bias!);
}

/** What `recur` may be told. */
export interface RecurOptions {
  /** As in the layers' options. Default 0. */
  readonly truncate?: number;
  /** The longest sequence whose passes are written out in the program; longer ones are a loop in it. Default 4. */
  readonly writtenOut?: number;
  /** Whether it goes from the last place to the first. Default false. */
  readonly reverse?: boolean;
}

/**
 * The first state after each place: `[n, length, …]` to `[n, length, units]`, from `first` on.
 *
 * Where a strategy looks at the layer's products, the passes are written out whatever the length: it sees each of them.
 */
export function recur(
  step: Recurrence,
  first: readonly tf.Tensor[],
  given: tf.Tensor,
  params: Params,
  mode: Mode,
  { writtenOut = 4, reverse = false, truncate = 0 }: RecurOptions = {},
): tf.Tensor {
  const [n, length, width] = given.shape as [number, number, number];
  const isCut = (t: number): boolean => truncate > 0 && t % truncate === 0;
  if (length > writtenOut && !mode.isTapped) {
    const along = [1, 0, 2];
    const xs = { x: tf.transpose(given, along) };
    const goes = { goes: tf.tensor1d(Array.from({ length }, (_, t) => (isCut(t) ? 0 : 1))) };
    const [, all] = scan(
      (states: readonly tf.Tensor[], { x, goes }: { x: tf.Tensor; goes?: tf.Tensor }, own: Params) => {
        const had = goes === undefined ? states : states.map((state) => partlyStill(state, goes));
        const next = step(had, x, own, mode);
        return [next, next[0]!] as const;
      },
      first,
      truncate > 0 ? { ...xs, ...goes } : xs,
      params,
      { reverse },
    );
    return tf.transpose(all, along);
  }
  let states = first;
  const all: tf.Tensor[] = new Array(length);
  for (let k = 0; k < length; k++) {
    const t = reverse ? length - 1 - k : k;
    if (isCut(t)) states = states.map(still);
    states = step(states, tf.reshape(tf.slice(given, [0, t, 0], [n, 1, width]), [n, width]), params, mode);
    all[t] = states[0]!;
  }
  return tf.stack(all, 1);
}

/** The same numbers, whose gradient goes on where `goes` is 1 and ends where it is 0. */
function partlyStill(x: tf.Tensor, goes: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(x, goes), tf.mul(still(x), tf.sub(1, goes)));
}

/**
 * The first state after each place, from states that are handed on, and the states at the end; before a place where `keep`, `[n, length]`, is 0
 * they are 0 again. Pieces of more than 16 places are a loop in the program.
 */
export function recurOn(
  step: Recurrence,
  from: readonly tf.Tensor[],
  given: tf.Tensor,
  params: Params,
  mode: Mode,
  keep: tf.Tensor,
): readonly [tf.Tensor, readonly tf.Tensor[]] {
  return goOn(
    (states, x, own) => {
      const next = step(states, x as tf.Tensor, own, mode);
      return [next[0]!, next];
    },
    from,
    given,
    params,
    keep,
  );
}

/**
 * What a step gives at each place, `[n, length, …]`, from states that are handed on, and the states at the end. `given` is a tree of tensors
 * `[n, length, …]`. Before a place where `keep`, `[n, length]`, is 0 the states are 0 again. Pieces of more than 16 places are a loop in the program.
 */
export function goOn<X extends Tree>(
  step: (states: readonly tf.Tensor[], given: X, params: Params) => readonly [tf.Tensor, readonly tf.Tensor[]],
  from: readonly tf.Tensor[],
  given: X,
  params: Params,
  keep: tf.Tensor,
): readonly [tf.Tensor, readonly tf.Tensor[]] {
  const [n, length] = keep.shape as [number, number];
  const kept = (states: readonly tf.Tensor[], goes: tf.Tensor): tf.Tensor[] =>
    states.map((state) => tf.mul(state, tf.reshape(goes, [n, ...state.shape.slice(1).map(() => 1)])));
  if (length > 16) {
    const front = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [1, 0, ...x.shape.slice(2).map((_, i) => i + 2)]);
    const [states, all] = scan(
      (states: readonly tf.Tensor[], [x, goes]: readonly [X, tf.Tensor], own: Params) => {
        const [y, next] = step(kept(states, goes), x, own);
        return [next, y] as const;
      },
      from,
      [mapTensors(front, given), front(keep)] as const,
      params,
    );
    return [front(all), states];
  }
  let states = from;
  const at = (x: tf.Tensor, t: number): tf.Tensor => tf.squeeze(tf.slice(x, [0, t], [n, 1]), [1]);
  const all = Array.from({ length }, (_, t) => {
    const [y, next] = step(
      kept(states, at(keep, t)),
      mapTensors((x) => at(x, t), given),
      params,
    );
    states = next;
    return y;
  });
  return [tf.stack(all, 1), states];
}

/**
 * How many places of its sequence are before each place of a piece, `[n, length]`, and how many are after the piece, `[n, 1]`, which is the state to
 * hand on. Where `keep` is 0 a sequence begins.
 */
export function placesBefore(
  states: readonly tf.Tensor[] | null,
  keep: tf.Tensor,
): readonly [at: tf.Tensor, after: tf.Tensor] {
  const [n, length] = keep.shape as [number, number];
  const before = states?.[0] ?? tf.zeros([n, 1]);
  const places = tf.range(0, length);
  // the latest beginning of a sequence up to each place, counted from the first place of the piece
  const begun = tf.where(
    tf.equal(keep, 0),
    tf.add(tf.zerosLike(keep), places),
    tf.mul(tf.onesLike(keep), tf.neg(before)),
  );
  const later = tf.cast(tf.greater(tf.expandDims(places, 0), tf.expandDims(places, 1)), "float32");
  const latest = tf.max(tf.sub(tf.expandDims(begun, 1), tf.mul(later, 1e9)), 2);
  const at = tf.sub(places, latest);
  return [at, tf.add(tf.slice(at, [0, length - 1], [n, 1]), 1)];
}

/** The rows of a table for places of a sequence, `[n, length, units]`; a slot in which no sequence is under way may be beyond the last. */
export function rowsAt(table: tf.Tensor, at: tf.Tensor): tf.Tensor {
  return tf.gather(table, tf.cast(tf.minimum(at, table.shape[0]! - 1), "int32"));
}
