import { tf } from "../../engine/index.ts";
import { drawBias, drawWeights, type Initial } from "../initial.ts";
import { type HeadLayer, requireVector } from "./linear.ts";

/**
 * A head in which each column reads a part of the features of its own: as many equal parts as there are columns, one after the other.
 *
 * For models that give something for each of several tasks, such as `hierarchicalMoe`, on streams that ask for several labels or numbers. It does not grow.
 *
 * @throws RangeError for features that cannot be cut into as many parts.
 *
 * @example
 * ```ts
 * import { headed, net, towers } from "thalweg";
 * headed(net().hierarchicalMoe([[0], [1]], { units: 4 }), towers()).toJSON().head?.name; // "towers"
 * ```
 */
export function towers(initial: Initial = "torch"): HeadLayer {
  return {
    spec: { name: "towers", options: { initial } },
    init(rng, features, columns) {
      const width = requireVector(features);
      if (width % columns !== 0)
        throw new RangeError(
          `towers: features that ${columns} columns can share are required, got ${width}; give the model a task for each column`,
        );
      const own = width / columns;
      return {
        kernel: drawWeights(initial, rng.at("kernel"), [columns, own], own, 1),
        bias: drawBias(initial, rng.at("bias"), columns, own),
      };
    },
    apply({ kernel, bias }, features) {
      const [columns, own] = (kernel as tf.Tensor2D).shape;
      const parts = tf.reshape(features, [features.size / (columns * own), columns, own]);
      return tf.add(tf.sum(tf.mul(parts, kernel as tf.Tensor), 2), bias as tf.Tensor);
    },
    grow() {
      throw new RangeError(
        "towers: a stream that names all its columns from the start is required, got more of them; use another head",
      );
    },
    counterpart() {
      throw new TypeError(
        "layersModel: layers that tf.layers has too are required, got a head of towers; save the network as ONNX",
      );
    },
  };
}
