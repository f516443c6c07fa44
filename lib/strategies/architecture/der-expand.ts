import { joined } from "../../data/dataset.ts";
import { cloneTree, mapTensors, type Rng, scoped, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { type Choice, type Exemplars, exemplarTable, withExperience } from "../parts/exemplars.ts";
import { softmaxRegression } from "../parts/softmax-regression.ts";
import { still } from "../parts/still.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import {
  type Context,
  type Pass,
  type Passed,
  requireNumber,
  requireOneOf,
  requireWhole,
  strategy,
} from "../strategy.ts";

/** An extractor of features, its rows of the classifier, and a classifier of its own for new classes and "older". */
type Extractor = {
  readonly model: Params;
  readonly kernel: tf.Tensor;
  readonly auxKernel: tf.Tensor;
  readonly auxBias: tf.Tensor;
};
type Added = { readonly [index: string]: Extractor | tf.Tensor };

interface Memory {
  readonly exemplars: Exemplars | null;
  /** A mark for each extractor in use; `[1, columns + 1]`, the columns of the experience and one for all that is older. */
  readonly tensors: { readonly used: readonly tf.Tensor[]; readonly open?: tf.Tensor };
}

/**
 * DER, dynamically expandable representation: every experience adds an extractor of features, and those before stay as they are.
 *
 * The features of all extractors side by side go to one classifier. An experience trains its own extractor, begun as a copy of the last
 * one, and the classifier on its examples together with all exemplars; the loss is the cross-entropy plus `auxiliary ·` that of a
 * classifier on the new features alone, of the new classes against "older". Afterwards the classifier is fitted anew to the exemplars, the
 * same number of each class. Memory and work per step grow with the number of experiences.
 *
 * Yan, Xie and He 2021, "DER: dynamically expandable representation for class incremental learning", arXiv:2103.16788, eq. 1–8.
 * Differs from the paper: no channel-level masks and no pruning (its "DER w/o P"); the classifier is fitted in the second stage by
 * accelerated descent on all exemplars at once with a small decay, without a temperature. For models without running statistics.
 *
 * @example
 * ```ts
 * import { derExpand } from "thalweg";
 * derExpand({ capacity: 2000, auxiliary: 1 });
 * ```
 */
export const derExpand = strategy(
  "derExpand",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** Strength of the auxiliary classifier. */
    auxiliary: 1,
    /** Rounds of the fit of the classifier after an experience, and its decay; 0 rounds leave the classifier as it was trained. */
    rounds: 200,
    decay: 1e-4,
  },
  ({ capacity, choose, auxiliary, rounds, decay }) => {
    requireWhole("derExpand", "capacity", capacity, 1);
    requireOneOf("derExpand", "choose", choose, ["herding", "random"]);
    requireNumber("derExpand", "auxiliary", auxiliary, 0);
    requireWhole("derExpand", "rounds", rounds, 0);
    requireNumber("derExpand", "decay", decay, 0);
    return {
      parameters(context: Context): Params {
        const { stream, rng, columns, statistics } = context;
        if (Object.keys(statistics).length > 0)
          throw new TypeError("derExpand: a model without running statistics is required; leave out batchNorm");
        if (stream.head === "growing")
          throw new TypeError("derExpand: a stream whose classes are known is required, got one whose head grows");
        const all = Array.from({ length: stream.length }, (_, k) => [String(k), extractor(context, rng.at(k))]);
        return { ...Object.fromEntries(all), bias: tf.zeros([columns]) } as Params;
      },
      init: (): Memory => ({ exemplars: null, tensors: { used: [] } }),
      beforeExperience({ exemplars, tensors }: Memory, { classes }, { weights, columns }) {
        const index = tensors.used.length;
        const used = Array.from({ length: index + 1 }, (_, k) => tf.scalar(k));
        if (index === 0) return { exemplars, tensors: { used } };
        const open = tf.tensor2d(
          Float32Array.from({ length: columns + 1 }, (_, c) => +(c === columns || classes.includes(c))),
          [1, columns + 1],
        );
        const [last, own] = [extractorsOf(weights)[index - 1]!, extractorsOf(weights)[index]!];
        return {
          exemplars,
          tensors: { used, open },
          weights: changed(weights, { [index]: { ...own, model: cloneTree(last.model) } }),
        };
      },
      batch: tasksByColumn,
      data: ({ exemplars }: Memory, { train }) =>
        exemplars === null ? train : joined([train, exemplarTable(exemplars)]),
      rowwise: true,
      forward({ tensors }: Partial<Memory>, pass): Passed {
        const count = tensors?.used.length ?? 0;
        return count === 0 ? pass.plain() : through(pass, count);
      },
      loss({ tensors }: Partial<Memory>, step) {
        if (tensors?.open === undefined || auxiliary === 0) return tf.scalar(0);
        const { open, used } = tensors;
        const { auxKernel, auxBias } = extractorsOf(step.weights)[used.length - 1]!;
        const [width, outputs] = auxKernel.shape as [number, number];
        const [rows, all] = step.features.shape as [number, number];
        const own = tf.slice(step.features as tf.Tensor2D, [0, all - width], [rows, width]);
        const logits = tf.add(tf.matMul(own, auxKernel as tf.Tensor2D), auxBias);
        const isNew = tf.gather(tf.reshape(open, [outputs]), tf.cast(step.y, "int32"));
        const y = tf.add(tf.mul(tf.cast(step.y, "float32"), isNew), tf.mul(tf.sub(1, isNew), outputs - 1));
        return tf.mul(step.crossEntropy(logits, tf.cast(y, "int32"), open, step.weight), auxiliary) as tf.Scalar;
      },
      weights({ tensors }: Memory, { before, after }): Weights {
        const frozen = extractorsOf(before)
          .slice(0, tensors.used.length - 1)
          .map(({ model }, k) => [k, { ...extractorsOf(after)[k]!, model: mapTensors((w) => w, model) }] as const);
        return changed(after, Object.fromEntries(frozen));
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context);
        const memory: Memory = { exemplars: next, tensors };
        if (next === null || index === 0 || rounds === 0) return memory;
        return { ...memory, weights: refitted(next, tensors.used.length, { rounds, decay }, context) };
      },
    };
  },
  ["boundary", "labels", "length"],
);

function extractorsOf(weights: Weights): Extractor[] {
  const { bias: _, ...extractors } = weights.added!.derExpand as unknown as Added;
  return Object.values(extractors) as Extractor[];
}

function changed(weights: Weights, parts: Added): Weights {
  const own = { ...(weights.added!.derExpand as unknown as Added), ...parts };
  return { ...weights, added: { ...weights.added, derExpand: own as unknown as Params } };
}

/** A new extractor and what reads it. */
function extractor({ network, columns }: Context, rng: Rng): Extractor {
  const { model, head } = network.init(rng, columns);
  for (const tensor of Object.values(head)) (tensor as tf.Tensor).dispose();
  const width = network.width.reduce((a, b) => a * b, 1);
  const bound = 1 / Math.sqrt(width);
  const drawn = (name: string, outputs: number): tf.Tensor => rng.at(name).uniforms([width, outputs], -bound, bound);
  return {
    model,
    kernel: drawn("kernel", columns),
    auxKernel: drawn("aux", columns + 1),
    auxBias: tf.zeros([columns + 1]),
  };
}

/** The pass through the first `count` extractors, of which only the last is learnt. */
function through(pass: Pass, count: number): Passed {
  const { bias } = pass.weights.added!.derExpand as unknown as { bias: tf.Tensor };
  const outs = extractorsOf(pass.weights)
    .slice(0, count)
    .map(({ model, kernel }, k) => {
      const { features } = pass.plain({ ...pass.weights, model });
      const flat = tf.reshape(features, [features.shape[0]!, -1]);
      const rows = k === count - 1 ? flat : still(flat);
      return { rows, logits: tf.matMul(rows as tf.Tensor2D, kernel as tf.Tensor2D) };
    });
  return {
    features: tf.concat(
      outs.map((o) => o.rows),
      1,
    ),
    logits: tf.add(tf.addN(outs.map((o) => o.logits)), bias),
  };
}

/** The weights with a classifier that is fitted to the exemplars alone. */
function refitted(
  exemplars: Exemplars,
  count: number,
  settings: { readonly rounds: number; readonly decay: number },
  context: Context,
): Weights {
  const all = exemplarTable(exemplars);
  const { features } = context.outputs(all);
  const width = features.length / all.length;
  const parts = Array.from(all.labels, (label, i) => ({ label, rows: features.subarray(i * width, (i + 1) * width) }));
  const { kernel, bias } = softmaxRegression(parts, width, context.columns, settings);
  const each = width / count;
  const own = extractorsOf(context.weights)
    .slice(0, count)
    .map((e, k) => [
      k,
      { ...e, kernel: scoped(() => ({ cut: tf.slice(kernel, [k * each, 0], [each, context.columns]) })).cut },
    ]);
  kernel.dispose();
  return changed(context.weights, { ...Object.fromEntries(own), bias });
}
