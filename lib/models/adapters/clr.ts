import { nn, tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * Reprograms a frozen convolutional network: after each convolution every channel passes through a small filter of its own, `window × window`,
 * which begins as doing nothing. For each task of a stream its own, with `taskAdapters`.
 *
 * It is put on layers that give images; others with weights are left alone. `window² · channels` numbers are trained for each.
 *
 * Implements: P029 CLR reprogramming
 *
 * Ge et al. 2023, "CLR: channel-wise lightweight reprogramming for continual learning", arXiv:2307.11386, section 3.2, and the authors'
 * program: no bias, zeros around the image.
 *
 * @example
 * ```ts
 * import { clr, from, pretrained } from "thalweg";
 * from(pretrained("resnet-small")).adapt(clr());
 * ```
 */
export const clr = adapter(
  "clr",
  {
    /** Side of the filters: an odd number. */
    window: 3,
  },
  { kind: "weight" },
  ({ window }) => {
    if (!Number.isSafeInteger(window) || window < 1 || window % 2 === 0)
      throw new RangeError(`clr: window must be an odd whole number, got ${window}`);
    return {
      init(_rng, { output }): Params {
        if (output.length !== 4) return {};
        const channels = output[3]!;
        const middle = (window * window - 1) / 2;
        const filter = Float32Array.from({ length: window * window * channels }, (_, i) =>
          Math.floor(i / channels) === middle ? 1 : 0,
        );
        return { filter: tf.tensor4d(filter, [window, window, channels, 1]) };
      },
      output: ({ filter }, _input, output) =>
        nn.convolve(output, filter as tf.Tensor, { stride: 1, dilation: 1, pad: "same", depthwise: true }),
    };
  },
);
