import { needOneOf, needWhole } from "../../../data/options.ts";
import { tf, withoutGradient } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { activated, type ExpertForm, expertForms } from "../../parts/experts.ts";
import { largest, still } from "../../parts/gradients.ts";
import { preGateName } from "../../parts/pre-gated.ts";
import { product, productParams } from "../../parts/product.ts";
import { recalled } from "../../parts/remembering.ts";

/** Options of `gatedUnits`. */
export interface GatedUnitsOptions {
  /** What is between the products. Default "gelu", the exact one. */
  readonly form?: Exclude<ExpertForm, "swiglu">;
  /** Weight of the loss by which the router learns which expert has the units that are large. Default 0, which is none. */
  readonly distil?: number;
}

/**
 * Two dense layers of which each place has only the units of one expert between: units may be in several of them, those in all are shared. Which expert
 * that is the router `preGate` has said before, for all such layers alike.
 *
 * `experts` lists the units of each, from 0. In training with `distil` the router learns from what is between where nothing is left out: of the units that are
 * not in all experts, each expert's share of the largest N, 4N/5, 3N/5, 2N/5 and N/5, N being how many the first has; ten times these less their mean make the
 * wanted softmax. The loss is `distil · (0.75 · CE(largest, half of it smoothed) + 0.25 · CE(softmax))`, the mean over places; no gradient of it comes to these layers.
 *
 * Sequences `[n, length, d]` keep their shape. All units are computed. Cai et al. 2024, arXiv:2410.19123, and the authors' program.
 *
 * @throws RangeError without a `preGate` of as many experts before it, or where an expert has no units.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(8).preGate(2).gatedUnits([[0, 1], [1, 2]]).features([4, 3]); // [4, 8]
 * ```
 */
export const gatedUnits = sameLayer(
  "gatedUnits",
  (experts: readonly (readonly number[])[], { form = "gelu", distil = 0 }: GatedUnitsOptions = {}) => {
    needOneOf(
      "gatedUnits",
      "form",
      form,
      expertForms.filter((one) => one !== "swiglu"),
    );
    if (!(distil >= 0)) throw new RangeError(`gatedUnits: a distil of at least 0 is required, got ${distil}`);
    if (experts.length === 0 || experts.some((units) => units.length === 0))
      throw new RangeError("gatedUnits: experts with at least one unit are required, got one without");
    for (const unit of experts.flat()) needWhole("gatedUnits", "a unit", unit, 0);
    const inner = Math.max(...experts.flat()) + 1;
    const has = experts.map((units) => {
      const own = new Set(units);
      return Array.from({ length: inner }, (_, unit) => Number(own.has(unit)));
    });
    const alone = has.map((row) => row.map((one, unit) => (has.every((other) => other[unit] === 1) ? 0 : one)));
    const first = alone[0]!.reduce((a, b) => a + b, 0);
    const counts = [...new Set([5, 4, 3, 2, 1].map((k) => Math.floor((k * first) / 5)))].filter((count) => count > 0);
    return {
      options: { experts, form, distil },
      shape(input, remembered) {
        const [, found] = recalled("gatedUnits", preGateName, remembered ?? new Map()) as readonly [number, number];
        if (found !== experts.length)
          throw new RangeError(`gatedUnits: a preGate of ${experts.length} experts is required, got one of ${found}`);
        return input;
      },
      init: (rng, input): Params => ({
        up: productParams(rng.at("up"), input.at(-1)!, inner),
        down: productParams(rng.at("down"), inner, input.at(-1)!),
      }),
      apply(x, params, mode, remembered = new Map()) {
        const given = recalled<tf.Tensor>("gatedUnits", preGateName, remembered);
        const logits = tf.reshape(given, [given.size / experts.length, experts.length]) as tf.Tensor2D;
        const between = activated(product(x, params, "up", mode), form);
        const hot = tf.oneHot(largest(still(logits), 1), experts.length, 1, 0, "float32");
        const open = tf.matMul(tf.reshape(hot, logits.shape) as tf.Tensor2D, tf.tensor2d(has));
        if (mode.training && distil > 0 && counts.length > 0) {
          const sizes = tf.abs(tf.reshape(between, [logits.shape[0], inner])) as tf.Tensor2D;
          mode.cost(tf.mul(routed(sizes, logits), distil));
        }
        return product(tf.mul(between, tf.reshape(open, between.shape)), params, "down", mode);
      },
    };

    /** The loss of a router that should send places to the experts with the largest units. */
    function routed(sizes: tf.Tensor2D, logits: tf.Tensor2D): tf.Tensor {
      const wanted = withoutGradient(() => {
        const marks = counts.map((count) => {
          const least = tf.slice(tf.topk(sizes, count).values, [0, count - 1], [-1, 1]);
          return tf.div(tf.cast(tf.greaterEqual(sizes, least), "float32"), 3 * first);
        });
        const shares = tf.matMul(tf.addN(marks) as tf.Tensor2D, tf.transpose(tf.tensor2d(alone)) as tf.Tensor2D);
        return tf.mul(tf.sub(shares, tf.mean(shares)), 10);
      });
      const log = tf.logSoftmax(logits);
      const soft = tf.neg(tf.sum(tf.mul(tf.softmax(wanted as tf.Tensor2D), log), 1));
      const best = tf.reshape(tf.oneHot(largest(wanted as tf.Tensor2D, 1), experts.length, 1, 0, "float32"), log.shape);
      const smoothed = tf.add(tf.mul(best, 0.5), 0.5 / experts.length);
      const hard = tf.neg(tf.sum(tf.mul(smoothed, log), 1));
      return tf.add(tf.mul(tf.mean(hard), 0.75), tf.mul(tf.mean(soft), 0.25));
    }
  },
  ["sequence"],
);
