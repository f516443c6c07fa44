import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { shortConv, shortConvParams } from "../../parts/short-conv.ts";

/**
 * Memories before a state space: each number of a place is made larger or smaller by what the last places were. `[length, width]` keeps its shape.
 *
 * `u ← σ(w ∗ u + b) ∘ u`, where `w` are `size` trained weights for each channel, the place itself among them. Zeros are before the first place. A state space behind it sees inputs that
 * are adjusted where samples do not lie as in training, and stays a convolution, for the adjustment knows no state. Weights begin as PyTorch's.
 *
 * `size` is 4 by default. Put it before `s4`, `s4d`, `s5` or `mamba`.
 *
 * Implements: P183 SMR
 *
 * Qi et al. 2024, "SMR: state memory replay for long sequence modeling", arXiv:2405.17534. Written from the abstract and from reviews of an earlier version, which say that a convolution of
 * the inputs is multiplied with them; the choices here are that it is causal, acts on each channel alone, and goes through a sigmoid, so that no input is made larger than it was.
 *
 * @throws RangeError when what comes in is no sequence of vectors.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(32).residual((n) => n.layerNorm().smr(4).s4d(16)).features([100, 2]); // [100, 32]
 * ```
 */
export const smr = sameLayer(
  "smr",
  (size: number = 4) => {
    requireCount("smr", "size", size);
    return {
      options: { size },
      shape(input) {
        requireVectors("smr", input);
        return input;
      },
      init: (rng, [, width]) => shortConvParams(rng, width!, size),
      apply: (x, params) => tf.mul(x, tf.sigmoid(shortConv(x, params, null, null)[0])),
      recurs(x, params, _mode, states, keep) {
        const [memory, window] = shortConv(x, params, states?.[0] ?? null, keep);
        return [tf.mul(x, tf.sigmoid(memory)), size === 1 ? [] : [window]];
      },
    };
  },
  ["sequence"],
);
