import { needOneOf, needWhole } from "../../../data/options.ts";
import { linearScan, type Rng, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import { keepFor, lastPlace } from "../../parts/state-space.ts";
import { byHeads, kernelParams, projected, requireHeads, together } from "../../parts/stateful.ts";

/** Which matrices a place chooses. */
export type System = "linearAttention" | "softmax" | "normalised" | "selective" | "qlstm";

/** Options of `dynamicalSystem`. */
export interface DynamicalSystemOptions {
  /** Which matrices a place chooses. Default "selective". */
  readonly system?: System;
  /** Numbers of state for each value of a head: the width of queries and keys. Of "qlstm" it is 1. Default 8. */
  readonly state?: number;
  /** Of "softmax" the powers of its exponential that count; `1 + state + state² + …` numbers of state for each value. Default 2. */
  readonly order?: number;
}

/**
 * The matrices of a linear system at each place, which broadcast to `[n, length, heads, state, values]`: what stays of the state, what lets values in, what reads it.
 */
export interface Matrices {
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
  readonly c: tf.Tensor;
}

/** `h ← a h + b v`, `y = Σ c h` over the state, from a first state on: what is read of values `[n, length, heads, values]`, and the last state. */
export function throughSystem(
  { a, b, c }: Matrices,
  values: tf.Tensor,
  first: tf.Tensor | null = null,
): readonly [tf.Tensor, tf.Tensor] {
  const states = linearScan(a, tf.mul(b, tf.expandDims(values, 3)), first);
  return [tf.sum(tf.mul(c, states), 3), lastPlace(states)];
}

/**
 * Attention, linear attention, a selective state space and a recurrent network as one linear recurrence, of which a place chooses A, B and C: sequences of vectors keep their shape.
 *
 * `h ← A h + B v`, `y = C h`, then a product. With queries q, keys k and the normaliser η of a place:
 *
 * - `"linearAttention"`: `A = η₋/η`, `B = φ(k)/η`, `C = φ(q)`, φ being elu + 1 and `η = φ(q)·Σ φ(k)`, η₋ that of the place before; number by number what `linearAttention` gives.
 * - `"softmax"`: the same with φ the powers of the exponential up to `order`, which comes to causal `attention` as the order rises.
 * - `"normalised"`: the same with φ(x) = x and `η = exp(w·u)`, which the place alone chooses.
 * - `"selective"`: `A = exp(−Δ a)`, `B = Δ W u`, `C = W u`, `Δ = softplus(w·u)` of each head, B and C the same for all heads: S6 where heads are channels.
 * - `"qlstm"`: `A = σ(W u)`, `B = σ(W u)`, `C = σ(W u)`, for each channel.
 *
 * Implements: P032 Dynamical Systems Framework
 * Sieber, Amo Alonso, Didier, Zeilinger and Orvieto 2024, "Understanding the differences in foundation models: attention, state space models, and recurrent neural networks",
 * arXiv:2405.15731, and the authors' program (IntelligentControlSystems/dsf-mqar), whose linear and normalised attention these are. Differs from the paper: softmax attention, whose
 * state has no end there, is cut off at a power, which needs no more than a sum of so many; D is left out. Differs from the program: "qlstm" is the recurrence alone, without the
 * convolution and the gate around it, and forgets by σ(W u), where by default there it is σ(−W u) to a power that is trained.
 *
 * @throws RangeError when heads do not divide the width.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32).residual((n) => n.layerNorm().dynamicalSystem(4, { system: "normalised" })).features([100]); // [100, 32]
 * ```
 */
export const dynamicalSystem = sameLayer(
  "dynamicalSystem",
  (heads: number, { system = "selective", state = 8, order = 2 }: DynamicalSystemOptions = {}) => {
    requireCount("dynamicalSystem", "heads", heads);
    needOneOf("dynamicalSystem", "system", system, ["linearAttention", "softmax", "normalised", "selective", "qlstm"]);
    needWhole("dynamicalSystem", "state", state);
    needWhole("dynamicalSystem", "order", order);
    const run = (
      x: tf.Tensor,
      params: Params,
      mode: Mode,
      states: readonly tf.Tensor[] | null,
      keep: tf.Tensor | null,
    ): readonly [tf.Tensor, readonly tf.Tensor[]] => {
      const values = projected(x, params, "value", mode, heads);
      const [matrices, after] = chosen(x, params, mode, states?.slice(1) ?? null, keep);
      const a = keep === null ? matrices.a : tf.mul(matrices.a, keepFor(keep, 5));
      const [read, last] = throughSystem({ ...matrices, a }, values, states?.[0] ?? null);
      return [product(together(read), params, "out", mode), [last, ...after]];
    };
    /** The matrices, and what the next piece needs to choose its own. */
    const chosen = (
      x: tf.Tensor,
      params: Params,
      mode: Mode,
      before: readonly tf.Tensor[] | null,
      keep: tf.Tensor | null,
    ): readonly [Matrices, readonly tf.Tensor[]] => {
      const by = (part: string, into = heads): tf.Tensor => byHeads(product(x, params, part, mode), into);
      if (system === "qlstm") {
        const [a, b, c] = ["keep", "enter", "leave"].map((part) => tf.expandDims(tf.sigmoid(by(part)), 3));
        return [{ a: a!, b: b!, c: c! }, []];
      }
      if (system === "selective") {
        const step = tf.expandDims(tf.softplus(by("step")), 4);
        const decay = tf.expandDims(tf.exp(params.logA as tf.Tensor), 2);
        const [b, c] = ["key", "query"].map((part) => tf.expandDims(by(part, 1), 4));
        return [{ a: tf.exp(tf.neg(tf.mul(step, decay))), b: tf.mul(step, b!), c: c! }, []];
      }
      const [q, k] = ["query", "key"].map((part) => tf.expandDims(features(by(part)), 4));
      if (system === "normalised") {
        const [log, last] = shifted(by("norm"), before?.[0] ?? null);
        const a = tf.exp(tf.sub(last, log));
        return [
          { a: tf.expandDims(a, 4), b: tf.mul(k!, tf.expandDims(tf.exp(tf.neg(log)), 4)), c: q! },
          [lastPlace(log)],
        ];
      }
      const sums = linearScan(keep === null ? tf.ones([1, 1, 1, 1, 1]) : keepFor(keep, 5), k!, before?.[1] ?? null);
      const [norm, last] = shifted(
        tf.add(tf.squeeze(tf.sum(tf.mul(q!, sums), 3, true), [4]), 1e-6),
        before?.[0] ?? null,
      );
      const [here, there] = [norm, last].map((one) => tf.expandDims(one, 4));
      return [{ a: tf.div(there!, here!), b: tf.div(k!, here!), c: q! }, [lastPlace(norm), lastPlace(sums)]];
    };
    const features = (x: tf.Tensor): tf.Tensor => {
      if (system === "normalised") return x;
      return system === "softmax" ? powers(x, order) : tf.add(tf.elu(x), 1);
    };
    return {
      options: { heads, system, ...(system !== "qlstm" && { state }), ...(system === "softmax" && { order }) },
      shape(input) {
        requireHeads("dynamicalSystem", input, heads);
        return input;
      },
      init: (rng, [, units]) => drawn(rng, system, units!, heads, state),
      apply: (x, params, mode) => run(x, params, mode, null, null)[0],
      recurs: (x, params, mode, states, keep) => run(x, params, mode, states, keep),
    };
  },
  ["sequence"],
);

function drawn(rng: Rng, system: System, units: number, heads: number, state: number): Params {
  const both = { value: kernelParams(rng.at("value"), units, units), out: kernelParams(rng.at("out"), units, units) };
  const part = (name: string, width: number): Params => ({ [name]: kernelParams(rng.at(name), units, width) });
  if (system === "qlstm") {
    const gates = ["keep", "enter", "leave"].map((name) => [name, productParams(rng.at(name), units, units)]);
    return { ...both, ...(Object.fromEntries(gates) as Params) };
  }
  if (system === "selective") {
    // as Mamba begins: steps between 0.001 and 0.1, of which softplus makes them, and rates 1, 2, …
    const steps = tf.exp(rng.at("steps").uniforms([heads], Math.log(1e-3), Math.log(0.1)));
    return {
      ...both,
      ...part("query", state),
      ...part("key", state),
      step: { ...productParams(rng.at("step"), units, heads), bias: tf.log(tf.expm1(steps)) },
      logA: tf.tile(tf.log(tf.range(1, state + 1)).expandDims(0), [heads, 1]),
    };
  }
  return {
    ...both,
    ...part("query", heads * state),
    ...part("key", heads * state),
    ...(system === "normalised" && part("norm", heads)),
  };
}

/** A number of each place and that of the place before, `[n, length, …]`; at the first place of all the same, of a state that is 0. */
function shifted(x: tf.Tensor, before: tf.Tensor | null): readonly [tf.Tensor, tf.Tensor] {
  const [n, length] = x.shape as [number, number];
  const first = before === null ? tf.slice(x, [0, 0], [n, 1]) : tf.expandDims(before, 1);
  return [x, tf.concat([first, tf.slice(x, [0, 0], [n, length - 1])], 1)];
}

/** Numbers of which the products of two are `Σ (q·k/√d)ʲ/j!` up to a power. */
function powers(x: tf.Tensor, order: number): tf.Tensor {
  const [n, length, heads, d] = x.shape as [number, number, number, number];
  const scaled = tf.mul(x, d ** -0.25);
  const all: tf.Tensor[] = [tf.ones([n, length, heads, 1])];
  for (let power = 1; power <= order; power++) {
    const last = all.at(-1)!;
    const next = tf.mul(tf.expandDims(last, 4), tf.expandDims(scaled, 3));
    all.push(tf.mul(tf.reshape(next, [n, length, heads, last.shape[3]! * d]), 1 / Math.sqrt(power)));
  }
  return tf.concat(all, 3);
}
