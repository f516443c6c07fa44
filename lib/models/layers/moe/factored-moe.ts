import { needOneOf, needWhole } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type ExpertForm, expert, expertForms, expertsParams } from "../../parts/experts.ts";
import { largest, still } from "../../parts/gradients.ts";
import { asRows, requireRows } from "../../parts/mixture.ts";
import { product, productParams } from "../../parts/product.ts";

/** Options of `factoredMoe`. */
export interface FactoredMoeOptions {
  /** How many experts a row goes to. Default half of them. */
  readonly topK?: number;
  /** Width of the inner layers of all experts together, in widths of their input. Default 4. */
  readonly widen?: number;
  /** What an expert has between its products. Default "gelu", the exact one. */
  readonly form?: ExpertForm;
  /** Weight of the loss by which the router learns which experts come nearest to all of them. Default 0.05. */
  readonly approximate?: number;
}

/**
 * The dense layers of a network cut into experts that add up to what they were, of which a router chooses some for each place.
 *
 * With E experts the output is `E / k · Σ Fₑ(x)` over the k chosen ones; with all of them it is the sum of all: what the dense layers gave. In training the
 * router learns from what it could have chosen: of each row the k experts whose output comes nearest to `k / E` of the sum of all are marked by 1, and the
 * loss told in a run's events as the term "layers" is `approximate` times the mean over rows of KL(softmax(x·R + b) ‖ softmax(marks)). No gradient comes to it from
 * elsewhere, as choices count fully. `expand.factorize` makes such layers of trained ones.
 *
 * Vectors `[n, d]` and sequences `[n, length, d]` keep their shape. All experts are computed. Zhao et al. 2024, arXiv:2408.11855, section 3.
 *
 * @throws RangeError where the experts do not divide the inner width, or topK is above their number.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).residual((n) => n.layerNorm().factoredMoe(4, { topK: 2 })).features([8]); // [16]
 * ```
 */
export const factoredMoe = sameLayer(
  "factoredMoe",
  (
    experts: number,
    {
      topK = Math.max(1, Math.floor(experts / 2)),
      widen = 4,
      form = "gelu",
      approximate = 0.05,
    }: FactoredMoeOptions = {},
  ) => {
    requireCount("factoredMoe", "experts", experts);
    needWhole("factoredMoe", "topK", topK);
    needOneOf("factoredMoe", "form", form, expertForms);
    if (topK > experts)
      throw new RangeError(`factoredMoe: topK of at most the ${experts} experts is required, got ${topK}`);
    if (!(approximate >= 0 && widen > 0))
      throw new RangeError(
        `factoredMoe: a widen above 0 and an approximate of at least 0 are required, got ${widen} and ${approximate}`,
      );
    return {
      options: { experts, topK, widen, form, approximate },
      byPlace: true,
      shape(input) {
        requireRows("factoredMoe", input);
        const inner = Math.round(widen * input.at(-1)!);
        if (inner % experts !== 0)
          throw new RangeError(
            `factoredMoe: experts that divide the inner width of ${inner} are required, got ${experts}`,
          );
        return input;
      },
      init: (rng, input): Params => ({
        router: productParams(rng.at("router"), input.at(-1)!, experts),
        experts: expertsParams(rng.at("experts"), experts, input.at(-1)!, { widen: widen / experts, form, bias: true }),
      }),
      apply(x, params, mode) {
        const { rows, back } = asRows(x);
        const logits = product(rows, params, "router", mode) as tf.Tensor2D;
        const own = params.experts as Params;
        const given = Object.keys(own).map((name) =>
          expert(rows, own[name] as Params, mode.at("experts").at(name), form),
        );
        const marks = (of: tf.Tensor2D): tf.Tensor =>
          topK === experts ? tf.onesLike(of) : tf.sum(tf.oneHot(largest(of, topK), experts, 1, 0, "float32"), 1);
        if (mode.training && approximate > 0) {
          const part = tf.mul(still(tf.addN(given)), topK / experts);
          const off = given.map((y) => tf.mean(tf.squaredDifference(still(y), part), 1));
          const wanted = tf.logSoftmax(marks(tf.neg(tf.stack(off, 1)) as tf.Tensor2D));
          const found = tf.logSoftmax(logits);
          const apart = tf.sum(tf.mul(tf.exp(found), tf.sub(found, wanted)), 1);
          mode.cost(tf.mul(tf.mean(apart), approximate));
        }
        const columns = tf.split(marks(logits), experts, 1);
        const chosen = tf.addN(given.map((y, e) => tf.mul(y, columns[e]!)));
        return back(tf.mul(chosen, experts / topK) as tf.Tensor2D);
      },
    };
  },
  ["vector", "sequence"],
);
