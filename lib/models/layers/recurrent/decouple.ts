import { needOneOf } from "../../../data/options.ts";
import { type Rng, tf, withoutGradient } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { elapsed } from "../../parts/elapsed.ts";
import { splineDerivatives } from "../../parts/natural-spline.ts";
import { product, productParams } from "../../parts/product.ts";
import { recur, requireVectors } from "../../parts/recurrence.ts";

/** Options of `decouple`. */
export interface DecoupleOptions {
  /** Numbers of the path that moves each system. Default: twice as many as a place has. */
  readonly channels?: number;
  /** How the interactions are brought onto the simplex: by "softmax", none of which is 0, or by "sparsemax", most of which are. Default "softmax". */
  readonly projection?: "softmax" | "sparsemax";
  /** Whether interactions move by a differential equation of their own ("continuous") or are made of the states at every step ("direct"). Default "continuous". */
  readonly interactions?: "continuous" | "direct";
  /** Steps of the solver from place to place. Default 3. */
  readonly steps?: number;
  /** Whether the last number of each place is the time since the place before. Default false: it is 1. */
  readonly times?: boolean;
}

/**
 * A complex system as several simple ones that are coupled: `[length, inputs]` becomes the states of all systems at the end, `[systems · units]`.
 *
 * Each system has a path of its own, a natural cubic spline through what a layer makes of the places, and a state that the path moves: `dz_i = f(Σ_j a_ij z_j) dX_i` with one f for all, a layer with a
 * rectified linear unit and one with a hyperbolic tangent. How systems interact is a system too: `a = P(l)` lies on the simplex for each, by the Bregman projection P, and `l = (Z Q + q)(Z K + k)ᵀ / systems`
 * moves as its derivative says. Euler's method goes along, `steps` from place to place.
 *
 * Implements: P074 Decoupling complex systems
 *
 * Zhou and Yu 2023, "Learning to decouple complex systems", arXiv:2302.01581, sections 3 and 4, and the authors' program. Differs from the program: steps lie at equal fractions between two places and
 * not on a grid of their own, and none is taken behind the last place; the weights of systems begin as PyTorch's layers do.
 *
 * @throws RangeError when what comes in is no sequence of at least two vectors.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().decouple(5, 8, { times: true }).features([20, 13]); // [40], of twelve numbers and the time
 * ```
 */
export const decouple = layer(
  "decouple",
  { accepts: ["sequence"], gives: "vector" },
  (
    systems: number,
    units: number,
    { channels, projection = "softmax", interactions = "continuous", steps = 3, times = false }: DecoupleOptions = {},
  ) => {
    for (const [name, value] of Object.entries({ systems, units, steps })) requireCount("decouple", name, value);
    if (channels !== undefined) requireCount("decouple", "channels", channels);
    needOneOf("decouple", "projection", projection, ["softmax", "sparsemax"]);
    needOneOf("decouple", "interactions", interactions, ["continuous", "direct"]);
    const between = systems * systems;
    const pathOf = (width: number): number => channels ?? 2 * (width - (times ? 1 : 0));
    /** `Z Q + q` or `Z K + k` with one number of q or k for each system: `[n, systems, systems²]`. */
    const sided = (z: tf.Tensor, params: Params, side: "query" | "key", mode: Mode): tf.Tensor =>
      tf.add(product(z, params, side, mode), tf.reshape((params[side] as Params).each as tf.Tensor, [1, systems, 1]));
    const logits = (z: tf.Tensor, params: Params, mode: Mode): tf.Tensor =>
      tf.div(tf.matMul(sided(z, params, "query", mode), sided(z, params, "key", mode), false, true), systems);
    const next = ([states, l]: readonly tf.Tensor[], given: tf.Tensor, params: Params, mode: Mode): tf.Tensor[] => {
      const n = given.shape[0]!;
      const z = tf.reshape(states!, [n, systems, units]);
      const moves = tf.reshape(given, [n, systems, -1, 1]);
      const own = interactions === "direct" ? logits(z, params, mode) : l!;
      const shares = projection === "softmax" ? tf.softmax(own) : sparsemax(own);
      const coupled = tf.matMul(shares, z);
      const field = tf.tanh(product(tf.relu(product(coupled, params, "hidden", mode)), params, "field", mode));
      const dz = tf.reshape(tf.matMul(tf.reshape(field, [n, systems, units, -1]), moves), [n, systems, units]);
      const after = tf.add(z, dz);
      const flat = tf.reshape(after, [n, systems * units]);
      if (interactions === "direct") return [flat];
      // what l = (Z Q + q)(Z K + k)ᵀ moves by where Z does, at the state after the step
      const [query, key] = [
        (params.query as Params).kernel as tf.Tensor2D,
        (params.key as Params).kernel as tf.Tensor2D,
      ];
      const by = (kernel: tf.Tensor2D): tf.Tensor =>
        tf.reshape(tf.matMul(tf.reshape(dz, [n * systems, units]) as tf.Tensor2D, kernel), [n, systems, between]);
      const dl = tf.add(
        tf.matMul(by(query), sided(after, params, "key", mode), false, true),
        tf.matMul(sided(after, params, "query", mode), by(key), false, true),
      );
      return [flat, tf.add(l!, tf.div(dl, systems))];
    };
    return {
      options: {
        systems,
        units,
        ...(channels !== undefined && { channels }),
        projection,
        interactions,
        steps,
        ...(times && { times }),
      },
      shape(input) {
        const [length, width] = requireVectors("decouple", input);
        if (length < 2 || width < (times ? 2 : 1))
          throw new RangeError(
            `decouple: a sequence of at least two places${times ? " of numbers and the time" : ""} is required, got shape [${input}]`,
          );
        return [systems * units];
      },
      kindOf: (path) => (path.at(-1) === "each" ? "bias" : undefined),
      init(rng, [, width]): Params {
        const inputs = width! - (times ? 1 : 0);
        const path = pathOf(width!);
        const side = (at: Rng): Params => ({
          kernel: at.normals([units, between], 0, 0.01),
          each: tf.zeros([systems]),
        });
        return {
          enter: productParams(rng.at("enter"), inputs, path),
          paths: productParams(rng.at("paths"), path, systems * path),
          first: productParams(rng.at("first"), inputs, 2 * inputs),
          states: productParams(rng.at("states"), 2 * inputs, systems * units),
          hidden: productParams(rng.at("hidden"), units, units),
          field: productParams(rng.at("field"), units, units * path),
          query: side(rng.at("query")),
          key: side(rng.at("key")),
        };
      },
      apply(x, params, mode) {
        const { values, time } = elapsed(x, times);
        const [n, length, inputs] = values.shape as [number, number, number];
        const gaps = tf.reshape(tf.slice(time, [0, 1, 0], [n, length - 1, 1]), [n, length - 1]);
        const path = product(tf.relu(product(values, params, "enter", mode)), params, "paths", mode);
        const fractions = Array.from({ length: steps }, (_, i) => i / steps);
        const moves = tf.mul(
          splineDerivatives(path, gaps, fractions),
          tf.reshape(tf.div(gaps, steps), [n, length - 1, 1, 1]),
        );
        const given = tf.reshape(moves, [n, (length - 1) * steps, path.shape[2]!]);
        const begin = tf.reshape(tf.slice(values, [0, 0, 0], [n, 1, inputs]), [n, inputs]);
        const z = product(tf.relu(product(begin, params, "first", mode)), params, "states", mode);
        const own = Object.fromEntries(["hidden", "field", "query", "key"].map((name) => [name, params[name]!]));
        const first = interactions === "direct" ? [z] : [z, logits(tf.reshape(z, [n, systems, units]), params, mode)];
        const all = recur(next, first, given, own, mode);
        return tf.reshape(tf.slice(all, [0, (length - 1) * steps - 1, 0], [n, 1, systems * units]), [
          n,
          systems * units,
        ]);
      },
    };
  },
);

/** The point of the simplex that is nearest to each row (Martins and Astudillo 2016): `max(0, v − τ)`. */
function sparsemax(v: tf.Tensor): tf.Tensor {
  const inside = withoutGradient(() => {
    const [mine, others] = [tf.expandDims(v, -1), tf.expandDims(v, -2)];
    const above = tf.cast(tf.greaterEqual(others, mine), "float32");
    const sums = tf.sum(tf.mul(above, others), -1);
    return tf.cast(tf.greater(tf.add(1, tf.mul(tf.sum(above, -1), v)), sums), "float32");
  });
  const count = withoutGradient(() => tf.sum(inside, -1, true));
  return tf.relu(tf.sub(v, tf.div(tf.sub(tf.sum(tf.mul(inside, v), -1, true), 1), count)));
}
