import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * Trains scales and shifts of normalisations by what is added to them, with all else as it was: one small set of numbers beside the network.
 *
 * With zeros it begins as the network is. Training the scales and shifts themselves, `trainOnly({ kind: "norm" })`, comes to the same; as an
 * adapter they can be kept apart, for each task or for each network of many, and merged.
 *
 * Zhao et al. 2024, "Tuning LayerNorm in attention", arXiv:2312.11420, section 3; Basu et al. 2023 and De Min et al. 2023, arXiv:2308.09610, in
 * vision.
 *
 * @example
 * ```ts
 * import { from, normTuning, pretrained } from "thalweg";
 * from(pretrained("vit-small")).adapt(normTuning());
 * ```
 */
export const normTuning = adapter("normTuning", {}, { kind: "norm" }, () => ({
  init: (_rng, { layer }) =>
    Object.fromEntries(
      Object.entries(layer).flatMap(([name, of]) =>
        name === "scale" || name === "shift" ? [[`${name}Change`, tf.zerosLike(of as tf.Tensor)]] : [],
      ),
    ),
  weights(own, layer): Params {
    const moved = Object.entries(layer).map(([name, of]) => {
      const change = own[`${name}Change`];
      return [name, change === undefined ? of : tf.add(of as tf.Tensor, change as tf.Tensor)] as const;
    });
    return Object.fromEntries(moved);
  },
}));
