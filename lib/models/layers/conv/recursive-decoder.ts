import { tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { groupParams, inPairs, threePlaces } from "../../parts/recursive-conv.ts";
import type { RecursiveConvOptions } from "./recursive-encoder.ts";

/**
 * A sequence at twice its length again and again, by one group of convolutions: `[length, units]` becomes `[length · 2^times, units]`.
 *
 * `times` times: a convolution to twice as many numbers, which become two places, and the others of its group, whose weights are the same each time; then a last group.
 *
 * With `recursiveEncoder` and dense layers between them it is an autoencoder of bytes that says a whole text at once.
 *
 * Implements: P217 Byte-level recursive conv autoencoder
 * Zhang and LeCun 2018, "Byte-level recursive convolutional auto-encoder for text", arXiv:1802.01817, sections 2.1 and 2.2. Written from the abstract and from what is known of the
 * model.
 * Differs from the paper: padding is a byte like others; the end of a text is not told apart.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net()
 *   .embedding(256, 16, { positions: false })
 *   .recursiveEncoder({ times: 3 }).flatten().dense(32).relu()
 *   .dense(128).relu().reshape([8, 16]).recursiveDecoder({ times: 3 })
 *   .features([64]); // [64, 16]
 * ```
 */
export const recursiveDecoder = layer(
  "recursiveDecoder",
  { accepts: ["sequence"], gives: "sequence" },
  ({ times = 2, depth = 2 }: RecursiveConvOptions = {}) => {
    requireCount("recursiveDecoder", "times", times);
    requireCount("recursiveDecoder", "depth", depth);
    return {
      options: { times, depth },
      shape(input) {
        const [length, units] = requireVectors("recursiveDecoder", input);
        return [length * 2 ** times, units];
      },
      init: (rng, [, units]): Params => ({
        again: groupParams(rng.at("again"), depth, units!, [units!, 2 * units!]),
        last: groupParams(rng.at("last"), depth, units!),
      }),
      apply(x, { again, last }) {
        const [widen, ...others] = Object.values(again as Params);
        let now = x;
        for (let k = 0; k < times; k++) {
          const [n, length, units] = now.shape as [number, number, number];
          const wide = tf.relu(threePlaces(now, widen!));
          now = inPairs(tf.reshape(wide, [n, 2 * length, units]), others);
        }
        return inPairs(now, Object.values(last as Params));
      },
    };
  },
);
