import { needOneOf, needWhole } from "../../data/options.ts";
import { nn, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
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
    needWhole("connected", "units", units);
    needOneOf("connected", "activation", activation, ["relu", "gelu", "tanh"]);
    const bent = { relu: tf.relu, gelu: nn.gelu, tanh: tf.tanh }[activation as "relu"];
    return {
      init(rng, { output, place }) {
        const width = output.at(-1)!;
        return {
          down: drawWeights("torch", rng.at("down"), [width, units], width, units),
          downBias: drawBias("torch", rng.at("bias"), units, width),
          up: tf.zeros([units, width]),
          upBias: tf.zeros([width]),
          ...(place > 0 && { along: tf.eye(units) }),
        };
      },
      output({ down, downBias, up, upBias, along }, _input, output, _mode, memory) {
        const width = output.shape.at(-1)!;
        const rows = tf.reshape(output, [output.size / width, width]) as tf.Tensor2D;
        const own = bent(tf.add(tf.matMul(rows, down as tf.Tensor2D), downBias as tf.Tensor));
        const before = memory.get("path") as tf.Tensor2D | undefined;
        if (before !== undefined && before.shape[0] !== own.shape[0])
          throw new RangeError(
            `connected: layers whose outputs differ in their last axis alone are required, got ${own.shape[0]} vectors after ${before.shape[0]}; name others with { on }`,
          );
        // a layer that examples pass a second time begins a path of its own
        const goesOn = before !== undefined && along !== undefined;
        const hidden = goesOn ? tf.add(own, tf.matMul(before, along as tf.Tensor2D)) : own;
        memory.set("path", hidden);
        const back = tf.add(tf.matMul(hidden, up as tf.Tensor2D), upBias as tf.Tensor);
        return tf.add(output, tf.reshape(back, output.shape));
      },
    };
  },
);
