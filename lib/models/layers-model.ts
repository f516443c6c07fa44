/** A trained network as a model of `tf.layers`, for programs that know TensorFlow.js alone. */
import { tfLayers } from "../engine/index.ts";
import type { Params } from "./model.ts";
import type { Network, Weights } from "./network.ts";

/** An output of the model: a name and the head's columns that it has. */
export interface LayersOutput {
  readonly name: string;
  readonly columns: readonly number[];
}

/**
 * The same network with the same numbers as a model of `tf.layers`, with one output of logits for each list of columns. It normalises
 * batches as at test time unless it is trained on, and takes any number of examples.
 *
 * @throws TypeError when the model has a layer that `tf.layers` does not have; it can be saved as ONNX.
 *
 * @example
 * ```ts
 * import { layersModel, mlp, network, random } from "thalweg";
 * const net = network(mlp({ hidden: [8] }), [4]);
 * const model = layersModel(net, net.init(random(0), 3), net.statistics(), [{ name: "logits", columns: [0, 1, 2] }]);
 * model.outputs[0]!.shape; // [null, 3]
 * ```
 */
export function layersModel(
  { model, input, head }: Network,
  weights: Weights,
  statistics: Params,
  outputs: readonly LayersOutput[],
): tfLayers.LayersModel {
  if (model.counterpart === undefined)
    throw new TypeError(
      `layersModel: a model that tf.layers can say is required, got ${model.spec.name}, which has no counterpart(); save the network as ONNX`,
    );
  const x = tfLayers.input({ shape: [...input], name: "examples" });
  const features = model.counterpart(x, "", weights.model, statistics);
  return tfLayers.model({
    name: model.spec.name,
    inputs: x,
    outputs: outputs.map(({ name, columns }) => head.counterpart(features, name, weights.head, columns)),
  });
}
