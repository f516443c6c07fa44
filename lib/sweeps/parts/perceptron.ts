/** The perceptron of programs that normalise MNIST's examples as torchvision's do. */
import type { Kind } from "../../data/dataset.ts";
import type { Model } from "../../models/model.ts";
import { type Net, net } from "../../models/net.ts";

/** MNIST's pixels by their mean and deviation, as a vector. */
export const normalised = (): Net<Kind, "vector"> => net().normalise(0.1307, 0.3081).flatten();

/** A multilayer perceptron whose inputs are normalised. */
export function perceptron(hidden: readonly number[], activation: "relu" | "tanh" = "relu"): Model {
  return hidden.reduce((model, units) => model.dense(units)[activation](), normalised());
}
