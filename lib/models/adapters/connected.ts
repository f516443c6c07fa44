import { tf } from "../../engine/index.ts";
import { bottlenecks } from "../parts/bottlenecks.ts";
import { adapter } from "./adapter.ts";

/**
 * Bottlenecks that are connected: beside the network runs a path from each to the next, so that what the first of them makes reaches the last
 * without passing through frozen layers, and the slope comes back the same way.
 *
 * The i-th of them makes `hᵢ = φ(Dᵢ y + bᵢ) + Aᵢ hᵢ₋₁` of what its layer gives, and the layer then gives `y + Uᵢ hᵢ + cᵢ`. The A are
 * `[units, units]`, of all but the first, and begin as 1; the U begin as 0, so that the network begins as it was. A layer of `width` outputs trains
 * `2 · width · units + units + width` numbers as with `bottleneck`, and `units²` for its A.
 *
 * Implements: P417 Connected PEFT for retrieval
 *
 * Ma et al. 2022, "Scattered or connected? An optimized parameter-efficient tuning approach for information retrieval", arXiv:2208.09847. Written from
 * the abstract: that the modules beside the network are linear maps between the bottlenecks' hidden units, and that they begin as 1, was chosen here.
 *
 * @throws RangeError where its layers do not all give sequences, images or vectors of one size but for the last axis.
 *
 * @example
 * ```ts
 * import { connected, net } from "thalweg";
 * net().embedding(26, 16).transformer(2).transformer(2).last().adapt(connected({ units: 4 }));
 * ```
 */
export const connected = adapter(
  "connected",
  {
    /** Hidden units of each bottleneck. */
    units: 8,
    /** What is done within it. */
    activation: "relu" as string,
  },
  ["*/out", "*/down"],
  ({ units, activation }) => {
    const own = bottlenecks("connected", units, activation);
    return {
      init: (rng, { output, place }) => ({
        ...own.init(rng, output.at(-1)!),
        ...(place > 0 && { along: tf.eye(units) }),
      }),
      output(params, _input, output, _mode, memory) {
        const alone = own.hidden(output, params);
        const before = memory.get("path") as tf.Tensor2D | undefined;
        if (before !== undefined && before.shape[0] !== alone.shape[0])
          throw new RangeError(
            `connected: layers whose outputs differ in their last axis alone are required, got ${alone.shape[0]} vectors after ${before.shape[0]}; name others with { on }`,
          );
        // a layer that examples pass a second time begins a path of its own
        const goesOn = before !== undefined && params.along !== undefined;
        const hidden = goesOn ? tf.add(alone, tf.matMul(before, params.along as tf.Tensor2D)) : alone;
        memory.set("path", hidden);
        return own.added(output, hidden, params);
      },
    };
  },
);
