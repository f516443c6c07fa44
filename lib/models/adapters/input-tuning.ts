import { needOneOf } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * Learns what is done to the input of a frozen network: `x + b`, or `a ∘ x + b`, before its first layer.
 *
 * `of` says whether each number of an example has its own, or each channel of an image. It begins as doing nothing. With the head it is all
 * that is trained; memories of a stream go with it as they are.
 *
 * Implements: P193 Input-space tuning
 *
 * Marullo et al. 2023, "Continual learning with pretrained backbones by tuning in the input space", arXiv:2306.02947, section 3. Differs from the
 * paper: none of its transformations by a network of their own.
 *
 * @throws RangeError, when a study is made, where what comes in are tokens.
 *
 * @example
 * ```ts
 * import { from, inputTuning, pretrained } from "thalweg";
 * from(pretrained("vit-small")).adapt(inputTuning({ transform: "affine" }));
 * ```
 */
export const inputTuning = adapter(
  "inputTuning",
  {
    /** Whether numbers are added alone, "shift", or multiplied too, "affine". */
    transform: "shift" as string,
    /** What has numbers of its own: each "place" of an example, or each "channel". */
    of: "place" as string,
  },
  "*",
  ({ transform, of }) => {
    needOneOf("inputTuning", "transform", transform, ["shift", "affine"]);
    needOneOf("inputTuning", "of", of, ["place", "channel"]);
    return {
      init(_rng, { path, input, place }): Params {
        if (place > 0) return {};
        if (/embedding/.test(path))
          throw new RangeError(`inputTuning: examples of numbers are required, got tokens at ${path}; use prompt()`);
        const shape = of === "channel" ? [input.at(-1)!] : input.slice(1);
        return { add: tf.zeros([...shape]), ...(transform === "affine" && { factor: tf.ones([...shape]) }) };
      },
      around({ add, factor }, x, run) {
        const scaled = factor === undefined ? x : tf.mul(x, factor as tf.Tensor);
        return run(tf.add(scaled, add as tf.Tensor));
      },
    };
  },
);
