import { cloneTree, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { alignedHead, type ClassGaussian, gaussiansOf } from "../parts/alignment.ts";
import { type Bottlenecks, bottlenecksAt, drawBottlenecks } from "../parts/bottlenecks.ts";
import { openColumns, openEntropy } from "../parts/open-columns.ts";
import { addedBy, marked, withAdded } from "../parts/prompts.ts";
import { requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

interface Memory {
  readonly classes: ReadonlyMap<number, ClassGaussian>;
  readonly tensors: {
    readonly open?: tf.Tensor;
    /** The adapters of the experiences so far, and their mean. */
    readonly adapters?: readonly Bottlenecks[];
    readonly mean?: Bottlenecks;
    /** `[classes, features]`: the means of the classes so far. */
    readonly means?: tf.Tensor;
    /** `[columns, adapters]`: which adapter a class came with. */
    readonly owner?: tf.Tensor;
  };
}

/**
 * MOS: every experience trains an adapter, which is drawn to the mean of those before; an example finds the adapter it needs by itself.
 *
 * After each step the adapter is `(1 − merge) ·` itself `+ merge ·` the mean of the past ones. The loss is the cross-entropy among the
 * classes of the experience plus `apart ·` that of telling the features of the batch and the means of past classes from each other,
 * `softmax(M Mᵀ / 0.8)`. After each experience but the first the head is aligned with features drawn from a Gaussian of each class, as by
 * `slca`. A prediction begins with the adapter of the class that the network without one decides for, and goes on with that of the class it
 * decides for now, three times; its softmax is added to that of the network without an adapter, sharpened by the number of experiences.
 * Memory grows with the number of experiences, and so does what a prediction costs.
 *
 * Sun et al. 2025, "MOS: model surgery for pre-trained model-based class-incremental learning", arXiv:2412.09441; the program
 * sun-hailong/LAMDA-PILOT, whose settings for split CIFAR-100 the defaults are.
 * Differs from the paper: bottlenecks see what the dense layers see, after normalisation. Drawn features are not shrunk, as there.
 *
 * @example
 * ```ts
 * import { mos } from "thalweg";
 * mos({ units: 16, merge: 0.1 });
 * ```
 */
export const mos = strategy(
  "mos",
  {
    /** Units of the bottlenecks, and what their output is multiplied by. */
    units: 16,
    scale: 0.1,
    /** The share of the mean of past adapters in an adapter, after each step. */
    merge: 0.1,
    /** Strength of the term that keeps features apart. */
    apart: 0.1,
    /** What steps of the head are multiplied by. */
    slow: 0.1,
    /** Rounds of alignment, features drawn of each class in each, its learning rate and weight decay. */
    rounds: 30,
    perClass: 240,
    rate: 0.005,
    decay: 5e-4,
  },
  ({ units, scale, merge, apart, slow, rounds, perClass, rate, decay }) => {
    requireWhole("mos", "units", units, 1);
    requireNumber("mos", "scale", scale, 0);
    requireNumber("mos", "merge", merge, 0, 1);
    requireNumber("mos", "apart", apart, 0);
    requireNumber("mos", "slow", slow, 0, 1);
    requireWhole("mos", "rounds", rounds, 0);
    requireWhole("mos", "perClass", perClass, 1);
    requireNumber("mos", "rate", rate, 0);
    requireNumber("mos", "decay", decay, 0);
    return {
      attention: true,
      classes: true,
      tokens: "it knows one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, rng }): Params => drawBottlenecks(network, rng, units) as Params,
      init: (): Memory => ({ classes: new Map(), tensors: {} }),
      beforeExperience: ({ classes, tensors }: Memory, experience, context): Memory => ({
        classes,
        tensors: { ...tensors, open: openColumns(experience, context) },
      }),
      forward: (_state, pass) => pass.plain(bottlenecksAt(pass.network, addedBy<Bottlenecks>(pass, "mos"), scale)),
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.open),
      loss: ({ tensors }, step) => tf.mul(confusion(step, tensors?.means), apart) as tf.Scalar,
      weights({ tensors }, { before, after }): Weights {
        const head = mapTensors((was, now) => tf.add(was, tf.mul(tf.sub(now!, was), slow)), before.head, after.head);
        const own = after.added!.mos as Bottlenecks;
        if (tensors?.mean === undefined) return { ...after, head };
        return { ...withAdded(after, "mos", merged(own, tensors.mean, merge) as Params), head };
      },
      afterExperience({ classes, tensors }: Memory, { index }, context) {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { classes, tensors };
        const own = cloneTree(context.weights.added!.mos as Tree) as Bottlenecks;
        const adapters = [...(tensors.adapters ?? []), own];
        const mean = scoped(() =>
          tensors.mean === undefined
            ? (cloneTree(own as Tree) as Bottlenecks)
            : merged(tensors.mean, own, 1 / adapters.length),
        );
        const found = gaussiansOf(context.outputs(train).features, train.labels, index);
        const next = new Map([...classes, ...found].map(([label, of]) => [label, withFirst(of, classes.get(label))]));
        const { network, weights, columns, rng } = context;
        const width = network.width[0]!;
        const means = tf.tensor2d(Float32Array.from([...next.values()].flatMap((of) => [...of.mean])), [
          next.size,
          width,
        ]);
        const owner = new Float32Array(columns * adapters.length);
        for (const [label, { experience }] of next)
          owner[label * adapters.length + Math.min(experience, adapters.length - 1)] = 1;
        const state = {
          classes: next,
          tensors: { ...tensors, adapters, mean, means, owner: tf.tensor2d(owner, [columns, adapters.length]) },
        };
        if (index === 0 || rounds === 0) return state;
        const options = { rounds, perClass, rate, decay, temperature: 0, keeps: 1 };
        const head = alignedHead(network, weights, next, columns, options, rng.at("alignment", index));
        return { ...state, weights: { ...weights, head } };
      },
      predict({ tensors }, given) {
        if (tensors?.owner === undefined) return given.logits;
        const { adapters, owner } = tensors;
        const columns = given.logits.shape[1]!;
        const wide = tf.pad(owner, [
          [0, columns - owner.shape[0]!],
          [0, 0],
        ]) as tf.Tensor2D;
        const seen = tf.reshape(tf.sum(wide, 1), [1, columns]);
        const shut = tf.mul(tf.sub(1, seen), -1e9);
        const under = (own: Bottlenecks | Params): tf.Tensor2D =>
          tf.add(
            given.forward(given.x, { weights: withAdded(given.weights, "mos", own as Params) }).logits,
            shut,
          ) as tf.Tensor2D;
        const plain = under({});
        const each = tf.stack(adapters!.map(under), 1); // [n, adapters, columns]
        let logits = plain;
        for (let round = 0; round < hops; round++) {
          const which = tf.matMul(marked(tf.argMax(logits, 1), columns) as tf.Tensor2D, wide);
          logits = tf.sum(tf.mul(each, tf.expandDims(which, 2)), 1) as tf.Tensor2D;
        }
        return tf.add(
          tf.log(tf.add(tf.add(tf.softmax(logits), tf.softmax(tf.mul(plain, adapters!.length))), 1e-12)),
          shut,
        );
      },
    };
  },
  ["boundary", "labels"],
);

/** How often an example changes its adapter at most, the first choice included. */
const hops = 4;

/** Adapters with a share of others in each number. */
function merged(own: Bottlenecks, others: Bottlenecks, share: number): Bottlenecks {
  return mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.add(tf.mul(a, 1 - share), tf.mul(b!, share)), own, others);
}

/** A Gaussian with the experience in which its class first came. */
function withFirst(of: ClassGaussian, before: ClassGaussian | undefined): ClassGaussian {
  return before === undefined ? of : { ...of, experience: before.experience };
}

/** *Traced.* How badly the rows of the stream and the means of past classes are told from each other, by their products. */
function confusion({ features, current }: Pick<Step, "features" | "current">, means: tf.Tensor | undefined): tf.Scalar {
  const own = tf.slice(features as tf.Tensor2D, [0, 0], [current, features.shape[1]!]);
  const rows = means === undefined ? own : tf.concat([means as tf.Tensor2D, own], 0);
  const likeness = tf.div(tf.matMul(rows, rows, false, true), 0.8);
  const told = tf.sum(tf.mul(tf.logSoftmax(likeness), tf.eye(rows.shape[0])), 1);
  return tf.neg(tf.mean(told)) as tf.Scalar;
}
