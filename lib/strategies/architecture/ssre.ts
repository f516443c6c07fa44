import { mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { normalised } from "../parts/distillation.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { currentRows } from "../parts/rows.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  /** The mean feature of each class, as it was at the end of its experience. */
  readonly prototypes: ReadonlyMap<number, Float32Array>;
  readonly tensors: {
    /** From the second experience on: the prototypes, `[classes, width]`, and their columns. */
    readonly prototypes?: tf.Tensor2D;
    readonly columns?: tf.Tensor;
  };
}

/**
 * SSRE, self-sustaining representation expansion: after the first experience every kernel is frozen and gets a side branch, which alone is
 * trained and becomes part of the kernel at the end of the experience. The network keeps its size, and no example is kept.
 *
 * The side branch of a convolution is one of 1 × 1 places, that of a dense layer another dense layer; it begins at 0. With `s` the largest
 * cosine between a row's features and the prototypes of old classes, the loss is the mean of `(1 − s)` times the row's cross-entropy, and
 * the sum of `distil · s` times the distance of its features from those without side branches; to these come `prototypes` times the
 * cross-entropy of the head on the old prototypes. Biases and normalisations stay as the first experience left them. Logits are divided by
 * `temperature` in training. Memory: one vector for each class.
 *
 * Zhu et al. 2022, "Self-sustaining representation expansion for non-exemplar class-incremental learning", arXiv:2203.06359, equations 3 to
 * 10; the defaults are those of the program, zhukaii/SSRE.
 * Differs from the paper: all prototypes are seen at every step, in place of as many draws of them as the batch has rows; normalisations stay as
 * they are and are not made part of the kernels first, which is the same function.
 *
 * Implements: P264 SSRE
 *
 * @example
 * ```ts
 * import { ssre } from "thalweg";
 * ssre({ prototypes: 10, distil: 1 });
 * ```
 */
export const ssre = strategy(
  "ssre",
  {
    /** Strength of the cross-entropy of old prototypes. */
    prototypes: 10,
    /** Strength of the distance from the features of the main branch. */
    distil: 1,
    /** Divides logits in training. */
    temperature: 0.1,
  },
  ({ prototypes: held, distil, temperature }) => {
    requireNumber("ssre", "prototypes", held, 0);
    requireNumber("ssre", "distil", distil, 0);
    requireNumber("ssre", "temperature", temperature, 1e-3);
    return {
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      rowwise: true,
      parameters: ({ network, weights }): Params =>
        mapTensors((kernel: tf.Tensor) => tf.zeros(sideShape(kernel.shape)), kernelsIn(network, weights, "*")),
      init: (): Memory => ({ prototypes: new Map(), tensors: {} }),
      forward: ({ tensors }: Memory, { network, weights, statistics, plain }) =>
        tensors?.prototypes === undefined
          ? plain()
          : plain({ weights: withSides(network, weights), frozen: statistics }),
      taskLoss({ tensors }: Memory, step) {
        const logits = tf.div(step.logits, temperature);
        if (tensors?.prototypes === undefined) return step.targetLoss({ ...step, logits });
        const near = tf.max(similarity(step.features, tensors.prototypes), -1);
        return tf.mean(tf.mul(step.targetLosses({ ...step, logits }), tf.sub(1, near))) as tf.Scalar;
      },
      loss({ tensors }: Memory, step) {
        if (tensors?.prototypes === undefined) return tf.scalar(0);
        const { features, x, task } = currentRows(step);
        const weights = withoutSides(step.weights);
        const main = step.forward(x, { weights, frozen: step.statistics, task }).features;
        const near = tf.max(similarity(features, tensors.prototypes), -1);
        const apart = tf.sqrt(tf.add(tf.sum(tf.square(tf.sub(features, main)), -1), 1e-12));
        const logits = tf.div(step.network.logits(step.weights, tensors.prototypes), temperature);
        const remembered = step.crossEntropy(logits, tensors.columns!, null);
        return tf.add(tf.mul(tf.sum(tf.mul(apart, near)), distil), tf.mul(remembered, held)) as tf.Scalar;
      },
      weights({ tensors }: Memory, { before, after }) {
        const isFirst = tensors?.prototypes === undefined;
        const kept = isFirst ? before.added!.ssre! : after.added!.ssre!;
        return { ...after, model: isFirst ? after.model : before.model, added: { ...after.added, ssre: kept } };
      },
      afterExperience({ prototypes }: Memory, { index }, { stream, network, weights, outputs }) {
        const { train } = stream.experience(index);
        const [width] = network.width as [number];
        const { features } = outputs(train);
        const met = new Map(prototypes);
        for (const label of new Set(train.labels)) {
          const rows = [...train.labels.keys()].filter((row) => train.labels[row] === label);
          const mean = Float32Array.from({ length: width }, (_, j) =>
            rows.reduce((sum, row) => sum + features[row * width + j]! / rows.length, 0),
          );
          met.set(label, mean);
        }
        const merged = scoped(() => withoutSides(withSides(network, weights)) as unknown as Tree) as unknown as Weights;
        return { prototypes: met, tensors: tensorsOf(met, width), weights: merged, restart: true };
      },
      forget({ prototypes }: Memory, request, { network }): Memory {
        const left = new Map([...prototypes].filter(([label]) => !request.has(label)));
        return { prototypes: left, tensors: tensorsOf(left, network.width[0]!) };
      },
    };
  },
  ["boundary", "labels"],
);

function tensorsOf(prototypes: ReadonlyMap<number, Float32Array>, width: number): Memory["tensors"] {
  if (prototypes.size === 0) return {};
  const all = Float32Array.from([...prototypes.values()].flatMap((mean) => [...mean]));
  return {
    prototypes: tf.tensor2d(all, [prototypes.size, width]),
    columns: tf.tensor1d([...prototypes.keys()], "int32"),
  };
}

/** The places of a side branch: one, in the middle of the kernel. */
const sideShape = (shape: readonly number[]): number[] =>
  shape.map((size, axis) => (axis < shape.length - 2 ? 1 : size));

/** *Traced.* Weights whose kernels have the side branches added. */
function withSides(network: Network, weights: Weights): Weights {
  const sides = weights.added!.ssre as unknown as Kernels;
  const summed = Object.entries(kernelsIn(network, weights, "*")).map(([path, kernel]) => {
    const padding = kernel.shape.map((size, axis): [number, number] => {
      const room = axis < kernel.rank - 2 ? size - 1 : 0;
      return [Math.floor(room / 2), Math.ceil(room / 2)];
    });
    return [path, tf.add(kernel, tf.pad(sides[path]!, padding))] as const;
  });
  return withKernels(weights, Object.fromEntries(summed));
}

/** Weights whose side branches are nothing. */
const withoutSides = (weights: Weights): Weights => ({
  ...weights,
  added: { ...weights.added, ssre: mapTensors((side: tf.Tensor) => tf.zerosLike(side), weights.added!.ssre!) },
});

/** *Traced.* The cosines between rows and prototypes, `[rows, classes]`. */
const similarity = (features: tf.Tensor, prototypes: tf.Tensor2D): tf.Tensor =>
  tf.matMul(normalised(features) as tf.Tensor2D, normalised(prototypes) as tf.Tensor2D, false, true);
