import type { HeadLayer } from "./linear.ts";

/**
 * A head that trains nothing: the features are the logits. For models that give as many numbers as the stream has columns.
 *
 * @throws RangeError when the features have another width, or more columns come.
 *
 * @example
 * ```ts
 * import { headed, identity, net } from "thalweg";
 * headed(net().dense(10), identity()).toJSON().head?.name; // "identity"
 * ```
 */
export function identity(): HeadLayer {
  return {
    spec: { name: "identity", options: {} },
    init(_rng, features, columns) {
      if (features.at(-1) !== columns)
        throw new RangeError(
          `identity: features of ${columns} numbers are required, one for each column of the stream, got [${features}]`,
        );
      return {};
    },
    apply: (_params, features) => features,
    grow(_params, _rng, columns) {
      throw new RangeError(`identity: a stream whose classes are known is required, got one that grows to ${columns}`);
    },
    counterpart() {
      throw new TypeError(
        "layersModel: layers that tf.layers has too are required, got an identity head; save the network as ONNX",
      );
    },
  };
}
