import { tf } from "../../engine/index.ts";
import type { Within } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { requireChain } from "../parts/layers.ts";
import { still } from "../parts/still.ts";
import { type PassOptions, requireNumber, strategy } from "../strategy.ts";

/**
 * The forward-forward algorithm: no gradient passes from layer to layer. Every dense layer learns by itself to have large numbers for examples with their own
 * label and small ones for examples with another, and the layers work together through what all the others have.
 *
 * The label is written over the first numbers of the input, 1 for the class and 0 for others. With the goodness G of a layer, the mean of its squared outputs after a rectifier,
 * a layer takes an example for a true one with probability `σ(G + Γ − threshold)`, Γ being the sum of the goodness of all other layers, through which nothing
 * is learnt; without `collaborate` it is 0. Inputs of a layer are divided by their length, so that only their direction tells. A class is predicted by the sum
 * of the goodness of all layers with its label: an evaluation is as many passes as there are classes. The head is not used.
 *
 * Implements: P149 Layer-collaboration Forward-Forward
 * Lorberbom et al. 2024, "Layer collaboration in the forward-forward algorithm", arXiv:2305.12393, equations 4 and 5; Hinton 2022, arXiv:2212.13345.
 * Differs from the paper: the mean of squares instead of their sum, with a threshold for each layer that adds up where layers work together; all layers learn
 * at every batch, by the run's optimizer; wrong labels are drawn alike.
 *
 * @example
 * ```ts
 * import { adam, classes, digits, forwardForward, mlp } from "thalweg";
 * classes(digits()).split(1).learn(mlp({ hidden: [64, 64] })).with(adam({ lr: 0.003 })).by(forwardForward());
 * ```
 */
export const forwardForward = strategy(
  "forwardForward",
  {
    /** Whether a layer counts what all others have. */
    collaborate: true,
    /** The goodness of a layer above which an example is taken for a true one. */
    threshold: 1,
  },
  ({ collaborate, threshold }) => {
    requireNumber("forwardForward", "threshold", threshold, 0);
    return {
      tokens: "its labels are those of one class for each example",
      classes: true,
      rowwise: true,
      trains: (path) => path.startsWith("model/"),
      init(context) {
        requireChain("forwardForward", context);
        return {};
      },
      taskLoss(_state: object, { x, y, logits, mask, weight, weights, rng, forward }) {
        const columns = logits.shape.at(-1)!;
        const own = tf.oneHot(tf.cast(y, "int32") as tf.Tensor1D, columns, 1, 0, "float32");
        const wrong = otherThan(
          own,
          mask,
          rng === null ? tf.zerosLike(logits) : rng.at("labels").uniforms(logits.shape),
        );
        const each = (labels: tf.Tensor): tf.Tensor[] => goodness(weights, labelled(x, labels), forward);
        const counted = weight ?? tf.onesLike(tf.cast(y, "float32"));
        const losses = [each(own), each(wrong)].flatMap((layers, which) =>
          layers.map((g) => {
            const others = tf.sub(tf.addN(layers.map(still)), still(g));
            const all = collaborate ? tf.sub(tf.add(g, others), threshold * layers.length) : tf.sub(g, threshold);
            return tf.softplus(which === 0 ? tf.neg(all) : all);
          }),
        );
        return tf.div(tf.sum(tf.mul(tf.addN(losses), counted)), tf.maximum(tf.sum(counted), 1e-12)) as tf.Scalar;
      },
      predict(_state: object, { x, logits, weights, forward }) {
        const columns = logits.shape.at(-1)!;
        const scores = Array.from({ length: columns }, (_, column) => {
          const labels = tf.oneHot(tf.fill([x.shape[0]!], column, "int32"), columns, 1, 0, "float32");
          return tf.addN(goodness(weights, labelled(x, labels), forward));
        });
        return tf.stack(scores, 1);
      },
    };
  },
);

/** Examples whose first numbers are those of their labels; where these do not fit, the number of the class in binary digits. */
function labelled(x: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const [n, size] = [x.shape[0]!, x.size / x.shape[0]!];
  const columns = labels.shape[1]!;
  const digits = Math.ceil(Math.log2(columns + 1));
  if (digits > size)
    throw new RangeError(
      `forwardForward: examples with room for their labels are required, got ${size} numbers for ${columns} classes`,
    );
  const code = (): tf.Tensor2D =>
    tf.tensor2d(
      Float32Array.from({ length: columns * digits }, (_, i) => (Math.floor(i / digits) >> (i % digits)) & 1),
      [columns, digits],
    );
  const written = columns <= size ? labels : tf.matMul(labels as tf.Tensor2D, code());
  const width = written.shape[1]!;
  const rest = tf.slice(tf.reshape(x, [n, size]), [0, width], [n, size - width]);
  return tf.reshape(tf.concat([written, rest], 1), x.shape);
}

/** Another column than the row's own, of those that compete: the one with the largest of some noise. */
function otherThan(own: tf.Tensor, mask: tf.Tensor | null, noise: tf.Tensor): tf.Tensor {
  const closed = mask === null ? own : tf.maximum(own, tf.sub(1, mask));
  const chosen = tf.argMax(tf.sub(noise, tf.mul(closed, 1e9)), 1) as tf.Tensor1D;
  return tf.oneHot(chosen, own.shape[1]!, 1, 0, "float32");
}

/** `[n]` for each dense layer of the model in order: the mean of its squared outputs after a rectifier. */
function goodness(
  { model }: Weights,
  x: tf.Tensor,
  forward: (x: tf.Tensor, options: PassOptions) => unknown,
): tf.Tensor[] {
  const found: tf.Tensor[] = [];
  const within: Within = {
    around(path, given, run) {
      const isLayer = path[1] !== undefined && "kernel" in ((model[path[1]] ?? {}) as object);
      return run(isLayer && found.length > 0 ? direction(still(given)) : given);
    },
    tap(path, _input, output) {
      if (path[0] === "model") found.push(tf.mean(tf.square(tf.relu(output)), -1));
      return output;
    },
  };
  forward(x, within);
  return found;
}

/** Rows of a length that does not depend on them: the root of how many numbers they have. */
function direction(x: tf.Tensor): tf.Tensor {
  return tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-8)));
}
