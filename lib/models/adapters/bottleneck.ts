import { needOneOf, needWhole } from "../../data/options.ts";
import { nn, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import { adapter } from "./adapter.ts";

/**
 * A bottleneck after each layer: `y + U φ(D y + b) + c` of what the layer gives, with D to a few units and U back from them.
 *
 * By default after the two products that end the halves of a transformer block, before what passes by is added: Houlsby et al. 2019,
 * arXiv:1902.00751, section 2.1. After the second alone (`on: "*down"`): Pfeiffer et al. 2021, arXiv:2005.00247, section 3.2.2. On images it is
 * a 1×1 convolution. It cannot be merged into the layer's weights.
 *
 * Differs from the paper: U begins as 0, so that the network begins exactly as it was.
 *
 * @example
 * ```ts
 * import { bottleneck, net } from "thalweg";
 * net().embedding(26, 16).transformer(2).last().adapt(bottleneck({ units: 4 }));
 * ```
 */
export const bottleneck = adapter(
  "bottleneck",
  {
    /** Units of the bottleneck. */
    units: 8,
    /** What is done within it. */
    activation: "relu" as string,
  },
  ["*/out", "*/down"],
  ({ units, activation }) => {
    needWhole("bottleneck", "units", units);
    needOneOf("bottleneck", "activation", activation, ["relu", "gelu", "tanh"]);
    const bent = { relu: tf.relu, gelu: nn.gelu, tanh: tf.tanh }[activation as "relu"];
    return {
      init(rng, { output }) {
        const width = output.at(-1)!;
        return {
          down: drawWeights("torch", rng.at("down"), [width, units], width, units),
          downBias: drawBias("torch", rng.at("bias"), units, width),
          up: tf.zeros([units, width]),
          upBias: tf.zeros([width]),
        };
      },
      output({ down, downBias, up, upBias }, _input, output) {
        const rows = tf.reshape(output, [output.size / output.shape.at(-1)!, output.shape.at(-1)!]);
        const inner = bent(tf.add(tf.matMul(rows, down as tf.Tensor2D), downBias as tf.Tensor));
        const back = tf.add(tf.matMul(inner, up as tf.Tensor2D), upBias as tf.Tensor);
        return tf.add(output, tf.reshape(back, output.shape));
      },
    };
  },
);
