import { needOneOf, needWhole } from "../../../data/options.ts";
import { linearScan, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { recur, recurOn, requireVectors } from "../../parts/recurrence.ts";
import { keepFor, lastPlace } from "../../parts/state-space.ts";

/** Options of `linearCde`. */
export interface LinearCdeOptions {
  /**
   * What moves the state's own transition: the input and time ("input", a selective recurrence), or time alone ("time", as in S4). Default "input".
   */
  readonly gates?: "input" | "time";
  /** Whether transitions are whole matrices, or act on each number of the state alone ("diagonal", as in Mamba). Default "dense". */
  readonly transitions?: "dense" | "diagonal";
  /** How much time passes from place to place. Default 0.01. */
  readonly step?: number;
  /** The standard deviation of what transitions begin as; of whole matrices divided by the root of the state. Default 1. */
  readonly scale?: number;
  /** The powers of the exponential of a transition that count. Default 4. */
  readonly order?: number;
}

/**
 * A linear differential equation that the sequence controls, of which a place is a point of a path: `[length, inputs]` becomes `[length, state]`.
 *
 * `dZ = Σᵢ Aⁱ Z dωⁱ + B dX` from a first state Z₀ on, where X goes in straight lines from 0 through the places and ω is time and X, or time alone. Between two places it is solved exactly, but for
 * powers of the exponential beyond `order`: `Z ← Z + Σₖ Mᵏ⁻¹ (M Z + B ΔX)/k!` with `M = Σᵢ Aⁱ Δωⁱ`. With transitions that the input moves, and as it is drawn, the state is a random
 * projection of the signature of the path: `Σ_w A^w Z₀ S^w`, so that a linear layer behind it can learn what depends on the order of things. Diagonal transitions commute: of the order of things they see
 * only what entered before all the rest; those of time alone see no product of inputs. `freeze` what is drawn to train the layer behind it alone.
 *
 * Implements: P208 Selective SSM theory (signatures)
 * Muca Cirone, Orvieto, Walker, Salvi and Lyons 2024, "Theoretical foundations of deep selective state-space models", arXiv:2402.19047, and the authors' program
 * (Benjamin-Walker/selective-ssms-and-linear-cdes), which draws A, B and the first state as here. What it can and cannot express is said after accounts of the paper.
 * Differs from the program: the path begins at 0, where there a linear map of the first place is the first state; time does not enter by B; steps are solved exactly
 * up to a power, not by Euler's or Tsitouras's rule.
 *
 * @throws RangeError when what comes in is no sequence of vectors.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().linearCde(32).freeze("1-linearCde").features([100, 2]); // [100, 32]
 * ```
 */
export const linearCde = layer(
  "linearCde",
  { accepts: ["sequence"], gives: "sequence" },
  (
    state: number,
    { gates = "input", transitions = "dense", step = 0.01, scale = 1, order = 4 }: LinearCdeOptions = {},
  ) => {
    requireCount("linearCde", "state", state);
    needOneOf("linearCde", "gates", gates, ["input", "time"]);
    needOneOf("linearCde", "transitions", transitions, ["dense", "diagonal"]);
    needWhole("linearCde", "order", order);
    if (!(step > 0 && scale > 0))
      throw new RangeError(`linearCde: a step and a scale above 0 are required, got ${step} and ${scale}`);
    /** How far the path goes to each place, what moves the transition, and what enters. */
    const moves = (x: tf.Tensor, { drift }: Params, before: tf.Tensor | null, keep: tf.Tensor | null) => {
      const [n, length, inputs] = x.shape as [number, number, number];
      const from = tf.concat(
        [tf.expandDims(before ?? tf.zeros([n, inputs]), 1), tf.slice(x, [0, 0], [n, length - 1])],
        1,
      );
      const by = tf.sub(x, keep === null ? from : tf.mul(from, keepFor(keep, 3)));
      const time = tf.fill([n, length, 1], step);
      const enters = tf.matMul(tf.reshape(by, [n * length, inputs]), drift as tf.Tensor2D);
      return [gates === "time" ? time : tf.concat([time, by], 2), tf.reshape(enters, [n, length, state])] as const;
    };
    /** One place of whole matrices; states are kept less Z₀, so that a state of zeros is the beginning. */
    const next = ([z]: readonly tf.Tensor[], given: tf.Tensor, { field, start }: Params): tf.Tensor[] => {
      const channels = given.shape[1]! - state;
      const [by, enters] = tf.split(given, [channels, state], 1) as [tf.Tensor, tf.Tensor];
      const moved = (of: tf.Tensor): tf.Tensor => {
        const each = tf.reshape(tf.matMul(of as tf.Tensor2D, field as tf.Tensor2D), [-1, channels, state]);
        return tf.sum(tf.mul(each, tf.expandDims(by, 2)), 1);
      };
      let power = tf.add(moved(tf.add(z!, start as tf.Tensor)), enters);
      let sum = tf.add(z!, power);
      for (let k = 2; k <= order; k++) {
        power = tf.div(moved(power), k);
        sum = tf.add(sum, power);
      }
      return [sum];
    };
    const alone = (
      [by, enters]: readonly [tf.Tensor, tf.Tensor],
      { field, start }: Params,
      first: tf.Tensor | null,
      keep: tf.Tensor | null,
    ): tf.Tensor => {
      const [n, length, channels] = by.shape as [number, number, number];
      const flat = tf.matMul(tf.reshape(by, [n * length, channels]), field as tf.Tensor2D);
      const moves = tf.reshape(flat, [n, length, state]);
      // (eᵐ − 1)/m, as far as whole matrices go
      let share: tf.Tensor = tf.onesLike(moves);
      for (let k = order; k >= 2; k--) share = tf.add(tf.div(tf.mul(share, moves), k), 1);
      const added = tf.mul(share, tf.add(tf.mul(moves, start as tf.Tensor), enters));
      const kept = tf.add(tf.mul(share, moves), 1);
      return linearScan(keep === null ? kept : tf.mul(kept, keepFor(keep, 3)), added, first);
    };
    return {
      options: { state, gates, transitions, step, scale, ...(order !== 4 && { order }) },
      shape: (input) => [requireVectors("linearCde", input)[0], state],
      init(rng, [, inputs]): Params {
        const channels = gates === "time" ? 1 : 1 + inputs!;
        const field = rng.at("field");
        return {
          // of whole matrices the columns of a channel lie side by side: a row times it is what moves along the channel
          field:
            transitions === "diagonal"
              ? field.normals([channels, state], 0, scale)
              : field.normals([state, channels * state], 0, scale / Math.sqrt(state)),
          drift: rng.at("drift").normals([inputs!, state], 0, 1),
          start: rng.at("start").normals([state], 0, 1),
        };
      },
      apply(x, params, mode) {
        const given = moves(x, params, null, null);
        const own = { field: params.field!, start: params.start! };
        const z =
          transitions === "diagonal"
            ? alone(given, own, null, null)
            : recur(next, [tf.zeros([x.shape[0]!, state])], tf.concat([...given], 2), own, mode);
        return tf.add(z, params.start as tf.Tensor);
      },
      recurs(x, params, mode, states, keep) {
        const [first, before] = states ?? [null, null];
        const given = moves(x, params, before ?? null, keep);
        const own = { field: params.field!, start: params.start! };
        if (transitions === "diagonal") {
          const z = alone(given, own, first ?? null, keep);
          return [tf.add(z, params.start as tf.Tensor), [lastPlace(z), lastPlace(x)]];
        }
        const zero = first ?? tf.zeros([x.shape[0]!, state]);
        const [z, [last]] = recurOn(next, [zero], tf.concat([...given], 2), own, mode, keep);
        return [tf.add(z, params.start as tf.Tensor), [last!, lastPlace(x)]];
      },
    };
  },
);
