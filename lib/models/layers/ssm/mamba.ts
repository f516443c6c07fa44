import { tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { type Chosen, selectiveBlock, selectiveMixing } from "../../parts/selective-block.ts";
import { selectiveScan } from "../../parts/selective-scan.ts";
import { shortConvParams } from "../../parts/short-conv.ts";

/** Options of `mamba`. */
export interface MambaOptions {
  /** Numbers in the state of each channel. Default 16. */
  readonly state?: number;
  /** Channels within, in widths of the sequence. Default 2. */
  readonly expand?: number;
  /** Places that the short convolution sees. Default 4. */
  readonly conv?: number;
  /** Width of what the steps of time come from. Default a sixteenth of the width, rounded up. */
  readonly rank?: number;
}

/**
 * A selective state space: `[length, width]` keeps its shape.
 *
 * Two halves come from one product. The first goes through a causal convolution of each channel and a sigmoid linear unit; of what it then is, Δ (softplus of a product of
 * low rank), B and C are made, which choose at each place what enters the state of each channel and what leaves it: `h ← exp(ΔA) h + ΔB u`, `y = C h + D u`. The second half is
 * the gate, `y · silu(z)`, before the last product. `A` is `−exp(logA)` and begins as −1, −2, …; steps begin between 0.001 and 0.1.
 *
 * Gu and Dao 2023, "Mamba: linear-time sequence modeling with selective state spaces", arXiv:2312.00752, section 3 (algorithm 2 and figure 3). The block around it, a
 * normalisation before and a sum after, is `ssm`'s.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 16, { positions: false }).mamba().features([100]); // [100, 16]
 * ```
 */
export const mamba = layer(
  "mamba",
  { accepts: ["sequence"], gives: "sequence" },
  ({ state = 16, expand = 2, conv = 4, rank }: MambaOptions = {}) => {
    for (const [name, value] of Object.entries({ state, expand, conv, rank: rank ?? 1 }))
      requireCount("mamba", name, value);
    const rankOf = (width: number): number => rank ?? Math.ceil(width / 16);
    const recurrence =
      (params: Params, mode: Mode, keep: tf.Tensor | null) =>
      ({ u, low, into: b, out: c }: Chosen, before: tf.Tensor | null) => {
        const a = tf.neg(tf.exp(params.logA as tf.Tensor));
        return selectiveScan({ u, step: tf.softplus(product(low, params, "step", mode)), a, b, c }, before, keep);
      };
    return {
      options: { state, expand, conv, ...(rank !== undefined && { rank }) },
      shape(input) {
        requireVectors("mamba", input);
        return input;
      },
      init(rng, [, width]): Params {
        const [inner, low] = [expand * width!, rankOf(width!)];
        const bare = (part: string, inputs: number, outputs: number): Params => ({
          kernel: drawWeights("torch", rng.at(part), [inputs, outputs], inputs, outputs),
        });
        const steps = tf.exp(rng.at("steps").uniforms([inner], Math.log(1e-3), Math.log(0.1)));
        return {
          in: bare("in", width!, 2 * inner),
          conv: shortConvParams(rng.at("conv"), inner, conv),
          select: bare("select", inner, low + 2 * state),
          // the bias is what softplus makes the steps of
          step: { ...productParams(rng.at("step"), low, inner), bias: tf.log(tf.expm1(steps)) },
          logA: tf.tile(tf.log(tf.range(1, state + 1)).expandDims(0), [inner, 1]),
          skip: tf.ones([inner]),
          out: bare("out", inner, width!),
        };
      },
      apply: (x, params, mode) => selectiveBlock(state, recurrence(params, mode, null), x, params, mode, null, null)[0],
      recurs: (x, params, mode, states, keep) =>
        selectiveBlock(state, recurrence(params, mode, keep), x, params, mode, states, keep),
      mixes: (x, params, mode) =>
        selectiveMixing(state, (chosen) => recurrence(params, mode, null)(chosen, null)[0], x, params, mode),
    };
  },
);
