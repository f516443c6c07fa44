/** Layers with a state of matrices: all places at once, or one after the other. */
import { type Rng, type Tree, tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import type { Layer } from "../layer.ts";
import type { Mode, Params } from "../model.ts";
import { factorsOf } from "./mixing.ts";
import { product } from "./product.ts";
import { goOn } from "./recurrence.ts";

/** What a layer with a state is made of. `X` is a tree of tensors `[n, length, heads, …]`; at one place `[n, heads, …]`. */
export interface Stateful<X extends Tree> {
  /** What the state is given at each place. */
  given(x: tf.Tensor, params: Params, mode: Mode): X;
  /** What is read at all places, `[n, length, heads, values]`. */
  along(given: X, params: Params): tf.Tensor;
  /** The shapes of the states of one example. */
  states(given: X): readonly (readonly number[])[];
  /** What is read at one place, `[n, heads, values]`, and the states after. */
  step(states: readonly tf.Tensor[], given: X, params: Params): readonly [tf.Tensor, readonly tf.Tensor[]];
  /** What the layer gives, from what is read and from what came in. */
  out(read: tf.Tensor, x: tf.Tensor, params: Params, mode: Mode): tf.Tensor;
}

/** Of a layer of which each head mixes the places of its values, `given.value`: what is read is multiplied number by number, then comes the last product, `out`. */
export interface Mixed<X extends Tree> extends Omit<Stateful<X>, "out"> {
  /** What is read is multiplied by this, `[n, length, heads, values]`; of what is read beyond as many values nothing else becomes. */
  factors(read: tf.Tensor, x: tf.Tensor, params: Params, mode: Mode): tf.Tensor;
  /** Where values are bent, `f ∘ v`: v, and f. Default: they are linear in what came in. */
  bent?(x: tf.Tensor, params: Params, mode: Mode): readonly [linear: tf.Tensor, factor: tf.Tensor];
}

/** The two ways of a layer through a sequence that can be said as attention, and that. */
export function mixing<X extends { readonly value: tf.Tensor }>(
  layer: Mixed<X & Tree>,
): Required<Pick<Layer, "apply" | "recurs" | "mixes">> {
  const values = (read: tf.Tensor, factors: tf.Tensor): tf.Tensor =>
    tf.slice(read, [0, 0, 0, 0], [...read.shape.slice(0, 3), factors.shape[3]!]);
  return {
    ...stateful<X & Tree>({
      ...layer,
      out(read, x, params, mode) {
        const factors = layer.factors(read, x, params, mode);
        return product(together(tf.mul(values(read, factors), factors)), params, "out", mode);
      },
    }),
    mixes(x, params, mode) {
      const given = layer.given(x, params, mode);
      const [n, length, heads] = given.value.shape as [number, number, number];
      const unit = tf.tile(tf.reshape(tf.eye(length), [1, length, 1, length]), [n, 1, heads, 1]);
      const core = tf.transpose(layer.along({ ...given, value: unit }, params), [0, 2, 1, 3]);
      const factors = layer.factors(layer.along(given, params), x, params, mode);
      const each = tf.tile(tf.expandDims(core, 2), [1, 1, factors.shape[3]!, 1, 1]);
      const read = tf.mul(
        tf.reshape(each, [n, heads * factors.shape[3]!, length, length]),
        factorsOf(together(factors), "to"),
      );
      const bent = layer.bent?.(x, params, mode);
      return {
        core,
        weights: bent === undefined ? read : tf.mul(read, factorsOf(together(bent[1]), "from")),
        values: together(bent === undefined ? values(given.value, factors) : bent[0]),
        rest: null,
        out: (mixed) => product(mixed, params, "out", mode),
      };
    },
  };
}

/** The two ways of a layer through a sequence; they give the same. */
export function stateful<X extends Tree>(layer: Stateful<X>): Required<Pick<Layer, "apply" | "recurs">> {
  return {
    apply: (x, params, mode) => layer.out(layer.along(layer.given(x, params, mode), params), x, params, mode),
    recurs(x, params, mode, states, keep) {
      const given = layer.given(x, params, mode);
      const first = states ?? layer.states(given).map((shape) => tf.zeros([x.shape[0]!, ...shape]));
      const [read, after] = goOn(layer.step, first, given, params, keep);
      return [layer.out(read, x, params, mode), after];
    },
  };
}

/** Throws unless an input is a sequence of vectors that heads can share. */
export function requireHeads(name: string, input: readonly number[], heads: number): void {
  if (input.length !== 2 || input[1]! % heads !== 0)
    throw new RangeError(
      `${name}: a sequence whose width is a multiple of ${heads} heads is required, got shape [${input}]; put embedding(tokens, units) before it`,
    );
}

/** The kernel of a product without a bias. */
export function kernelParams(rng: Rng, inputs: number, units: number): Params {
  return { kernel: drawWeights("torch", rng.at("kernel"), [inputs, units], inputs, units) };
}

/** Products of `x` by name, each `[n, length, heads, …]`. */
export function projected(x: tf.Tensor, params: Params, part: string, mode: Mode, heads: number): tf.Tensor {
  return byHeads(product(x, params, part, mode), heads);
}

/** `[n, length, units]` to `[n, length, heads, units / heads]`. */
export function byHeads(x: tf.Tensor, heads: number): tf.Tensor {
  const [n, length, units] = x.shape as [number, number, number];
  return tf.reshape(x, [n, length, heads, units / heads]);
}

/** `[n, length, heads, d]` to `[n, length, heads · d]`. */
export function together(x: tf.Tensor): tf.Tensor {
  const [n, length, heads, d] = x.shape as [number, number, number, number];
  return tf.reshape(x, [n, length, heads * d]);
}

/** What the root of the mean square over the last axis is divided out by, `[…, 1]`. Zhang and Sennrich 2019, arXiv:1910.07467. */
export function rootMeanFactor(x: tf.Tensor, epsilon = 1e-5): tf.Tensor {
  return tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon));
}

/** Divides by the root of the mean square over the last axis. */
export function rootMeanNormal(x: tf.Tensor, epsilon = 1e-5): tf.Tensor {
  return tf.mul(x, rootMeanFactor(x, epsilon));
}

/** Divides by the length over the last axis. */
export function unitLength(x: tf.Tensor, epsilon = 1e-6): tf.Tensor {
  return tf.mul(x, tf.rsqrt(tf.add(tf.sum(tf.square(x), -1, true), epsilon)));
}
