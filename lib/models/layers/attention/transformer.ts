import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { type AttendOptions, attending, type Streams } from "../../parts/attending.ts";
import { type NormName, normLayer } from "../../parts/norms.ts";
import { addOrthogonal } from "../../parts/orthogonal.ts";
import { dropout } from "../basic/dropout.ts";
import { type FeedForwardOptions, feedForward } from "./feed-forward.ts";

/** Options of `transformer`: of its attention, of its dense layers, and how both are put together. */
export interface TransformerOptions extends AttendOptions, Omit<FeedForwardOptions, "bias"> {
  /** Whether what enters attention and the dense layers is normalised, or what leaves their sums. Default "before". */
  readonly norm?: "before" | "after";
  /** By what it is normalised: `layerNorm`, `rmsNorm`, or one of the forms of `elementwiseNorm`. Default "layer". */
  readonly normalisation?: NormName;
  /** Added to the variance where it is normalised. Default 1e-5. */
  readonly epsilon?: number;
  /** What is added of what attention and the dense layers give: all, or what is at right angles to what passes by. Default "add". */
  readonly residual?: "add" | "orthogonal";
  /** Whether queries, keys and values have biases; "none": no product has. Default true. */
  readonly bias?: boolean | "none";
  /** Share of numbers set to 0 in training at the end of attention and of the dense layers. Default 0. */
  readonly dropout?: number;
}

/**
 * One block of a transformer: attention of `heads` heads and two dense layers, each normalised before and added to what came in.
 *
 * `x + A(norm(x))`, then `x + W₂ gelu(W₁ norm(x))`; with `norm: "after"` it is `norm(x + A(x))`, then `norm(x + W₂ gelu(W₁ x))`. A is `attention`, the dense
 * layers are `feedForward`; their options are the block's. Vaswani et al. 2017, section 3; normalised before as in GPT-2 (Radford et al. 2019).
 *
 * Llama's blocks are `{ positions: "rotary", normalisation: "rms", activation: "swiglu", bias: "none" }`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).transformer(4).transformer(4).layerNorm().features([32]); // [32, 48]
 * net().transformer(4, { kvHeads: 1, positions: "rotary", normalisation: "rms", activation: "swiglu" }).features([32, 48]); // [32, 48]
 * ```
 */
export const transformer = sameLayer(
  "transformer",
  (
    heads: number,
    {
      widen = 4,
      causal = true,
      norm: place = "before",
      normalisation = "layer",
      activation = "gelu",
      gelu = "tanh",
      epsilon = 1e-5,
      residual = "add",
      dropout: share = 0,
      bias = true,
      ...seeing
    }: TransformerOptions = {},
  ) => {
    const attend = attending("transformer", heads, { ...seeing, causal, bias });
    const feed = feedForward({ widen, activation, gelu, bias: bias !== "none" });
    const norm = normLayer("transformer", normalisation, epsilon);
    const drop = dropout(share);
    needOneOf("transformer", "norm", place, ["before", "after"]);
    needOneOf("transformer", "residual", residual, ["add", "orthogonal"]);
    const add = residual === "add" ? tf.add : (x: tf.Tensor, change: tf.Tensor) => addOrthogonal(x, change);
    // what is not used does not stand in records: they are those of before
    const rarer = {
      ...(place !== "before" && { norm: place }),
      ...(normalisation !== "layer" && { normalisation }),
      ...(activation !== "gelu" && { activation }),
      ...(gelu !== "tanh" && { gelu }),
      ...(epsilon !== 1e-5 && { epsilon }),
      ...(residual !== "add" && { residual }),
      ...(share !== 0 && { dropout: share }),
      ...attend.said,
    };
    /** The block around what attention makes of what enters it. */
    function block(x: tf.Tensor, params: Params, mode: Mode, attended: (of: tf.Tensor) => tf.Tensor): tf.Tensor {
      const normal = (of: tf.Tensor, part: string): tf.Tensor => norm.apply(of, params[part] as Params, mode.at(part));
      const attention = (of: tf.Tensor): tf.Tensor => drop.apply(attended(of), {}, mode.at("attention"));
      const dense = (of: tf.Tensor): tf.Tensor => drop.apply(feed.apply(of, params, mode), {}, mode.at("dense"));
      if (place === "after") {
        const between = normal(add(x, attention(x)), "before");
        return normal(add(between, dense(between)), "between");
      }
      const between = add(x, attention(normal(x, "before")));
      return add(between, dense(normal(between, "between")));
    }
    return {
      options: { heads, widen, causal, ...rarer },
      shape(input) {
        attend.fits(input);
        return input;
      },
      init: (rng, input): Params => ({
        before: norm.init!(rng, input),
        ...attend.init(rng, input[1]!),
        between: norm.init!(rng, input),
        ...feed.init!(rng, input),
      }),
      apply: (x, params, mode) => block(x, params, mode, (of) => attend.attend(same(of), params, mode)),
      ...(causal && {
        recurs(x: tf.Tensor, params: Params, mode: Mode, states: readonly tf.Tensor[] | null, keep: tf.Tensor) {
          let after: readonly tf.Tensor[] = [];
          const y = block(x, params, mode, (of) => {
            const [seen, next] = attend.goOn(same(of), params, mode, states, keep);
            after = next;
            return seen;
          });
          return [y, after] as const;
        },
      }),
    };
  },
  ["sequence"],
);

/** Queries, keys and values made of one sequence. */
const same = (x: tf.Tensor): Streams => ({ query: x, key: x, value: x });
