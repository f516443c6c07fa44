/** Networks for tests of expanding: every number of theirs is drawn, so that no bias or shift is 0. */
import { network, type Params, random, type TrainedNetwork, tape, tf, trained } from "thalweg";

type Model = Parameters<typeof network>[0];

/** A network of a model whose numbers are all drawn. */
export function stirred(model: Model, input: readonly number[], columns = 3, seed = 1): TrainedNetwork {
  const rng = random(seed);
  const visit = (tree: object, path: string): object =>
    Object.fromEntries(
      Object.entries(tree).map(([name, node]) => [
        name,
        node instanceof tf.Tensor
          ? tf.add(node, tf.mul(rng.at(path, name).uniforms(node.shape, name === "variance" ? 0 : -1, 1), 0.1))
          : visit(node as object, `${path}/${name}`),
      ]),
    );
  const drawn = network(model, [...input]);
  const weights = visit(drawn.init(rng, columns), "");
  const statistics = visit(drawn.statistics(), "statistics");
  return trained({ model, input: [...input], weights, statistics } as never);
}

/** The largest difference of what two networks answer. */
export function apart(a: TrainedNetwork, b: TrainedNetwork, x: tf.Tensor): number {
  return tf.tidy(() => Math.max(...tf.abs(tf.sub(a.predict(x), b.predict(x))).dataSync()));
}

/** What the layers of a network from one to another make of something, one after the other. */
export function through(made: TrainedNetwork, x: tf.Tensor, names: readonly string[]): tf.Tensor {
  const { stack, names: all } = made.model;
  return names.reduce((now, name) => {
    const at = all!.indexOf(name);
    return stack![at]!.apply(now, made.weights.model[name] as Params, tape(false, null, made.statistics).mode.at(name));
  }, x);
}

/** The numbers of a tensor. */
export const numbers = (tensor: tf.Tensor): number[] => [...tensor.dataSync()];

/** A tensor of a network by its path. */
export function at(made: TrainedNetwork, path: string): tf.Tensor {
  return path.split("/").reduce<unknown>((node, name) => (node as Params)[name], made.weights) as tf.Tensor;
}
