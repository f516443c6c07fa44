import { type Examples, gather } from "../../data/dataset.ts";
import { disposeTree, nn, type Rng, tf } from "../../engine/index.ts";
import { tape } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { alignedHead, type ClassGaussian, gaussiansOf } from "../parts/alignment.ts";
import { blocksOf } from "../parts/blocks.ts";
import { withExtra } from "../parts/buffer.ts";
import { openEntropy } from "../parts/open-columns.ts";
import {
  asParams,
  drawGenerator,
  type Generated,
  generated,
  generatedAt,
  type PromptGenerator,
} from "../parts/prompt-generator.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { type Context, requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/** What is known of a class: what comes half way and the features, as Gaussians, and the mean of its prompts, one after the other. */
interface Known {
  readonly low: ClassGaussian;
  readonly features: ClassGaussian;
  readonly prompts: Float32Array;
}

interface Memory {
  readonly pool: ReadonlyMap<number, Known>;
  /** `[1, columns]`: 1 for the classes so far; `[columns, 1]`: 1 for those of the experience. */
  readonly tensors: { readonly seen: tf.Tensor; readonly now: tf.Tensor } | undefined;
}

/**
 * APG, adaptive prompt generator: a small network makes the prompts of an example of what the frozen transformer has made of it half way, and a pool
 * of the classes' features keeps it from changing those of the past.
 *
 * The vector at the first place asks, before the deep blocks, by attention, itself and a trained vector for each class so far; what it sees becomes
 * `prompts` vectors that go behind it through the deep blocks. The loss is the cross-entropy among the classes so far, plus `guide ·` that of the attention's
 * scores, by which an example is to look at the vector of its class. After an experience the pool gets, of each of its classes, the Gaussians of
 * these half-way vectors and of the features, and the mean prompts. From then on every step draws `draw` of each from it: `keep ·` the mean distance `|G(low) − mean
 * prompts|`, and `recall ·` the cross-entropy of the drawn features are added; and after each experience but the first the head is aligned with
 * features drawn from the pool, as by `slca`. Vectors of past classes stay as they are. No example is kept, and no task is asked for. The pool has as
 * much for each class.
 *
 * Tang, Peng and Zheng 2023, "When prompt-based incremental learning does not meet strong pretraining", arXiv:2308.10445, section 3; the program TOM-tym/APG,
 * by its settings without strong pretraining.
 * Differs from the paper: the transformer is frozen from the beginning, where there it is trained in the first experience (study that with `phases`); nothing
 * is dropped in the generator and softmaxes are not divided once more; the vectors of all classes begin alike; a bound on the length of prompts, at a
 * hundred times that of the sequence, is left out; after an experience the head alone is tuned, by momentum.
 *
 * Implements: P267 APG adaptive prompt generator
 *
 * @throws RangeError when a run begins where `heads` do not divide the width or no block is deep; TypeError where classes are not known in advance.
 *
 * @example
 * ```ts
 * import { apg } from "thalweg";
 * apg({ prompts: 1, heads: 4, shallow: 0.5 });
 * ```
 */
export const apg = strategy(
  "apg",
  {
    /** Vectors that are made for an example. */
    prompts: 1,
    /** Heads of the generator's attention. */
    heads: 4,
    /** The share of the blocks, rounded, before the generator. */
    shallow: 0.5,
    /** Strength of the cross-entropy of the scores of its attention. */
    guide: 1,
    /** Examples that are drawn of the pool for a step, and the strengths of what is asked of their prompts and of their features. */
    draw: 32,
    keep: 1,
    recall: 1,
    /** Rounds of alignment, features drawn of each class in each, its learning rate and weight decay. */
    rounds: 20,
    perClass: 128,
    rate: 0.005,
    decay: 5e-4,
  },
  ({ prompts, heads, shallow, guide, draw, keep, recall, rounds, perClass, rate, decay }) => {
    requireWhole("apg", "prompts", prompts, 1);
    requireWhole("apg", "heads", heads, 1);
    requireNumber("apg", "shallow", shallow, 0, 1);
    requireNumber("apg", "guide", guide, 0);
    requireWhole("apg", "draw", draw, 1);
    requireNumber("apg", "keep", keep, 0);
    requireNumber("apg", "recall", recall, 0);
    requireWhole("apg", "rounds", rounds, 0);
    requireWhole("apg", "perClass", perClass, 1);
    requireNumber("apg", "rate", rate, 0);
    requireNumber("apg", "decay", decay, 0);
    const firstDeep = (network: Network): number => Math.round(shallow * blocksOf(network).paths.length);
    /** The pass with prompts, and what the generator gave. */
    const prompted = (network: Network, own: PromptGenerator, seen: tf.Tensor) => {
      const gave: { low?: tf.Tensor; made?: Generated } = {};
      const within = generatedAt(network, firstDeep(network), (low) => {
        gave.low = low;
        gave.made = generated(own, low, heads, seen);
        return gave.made.prompts;
      });
      return { within, gave };
    };
    return {
      attention: true,
      classes: true,
      tokens: "it gives one vector for each example, and a sequence has one at each place",
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters({ network, rng, columns, stream }) {
        const { paths, width } = blocksOf(network);
        if (stream.head === "growing")
          throw new TypeError("apg: a stream whose classes are known is required, got one whose head grows");
        if (width % heads !== 0)
          throw new RangeError(`apg: heads that divide the width ${width} are required, got ${heads}`);
        if (firstDeep(network) >= paths.length)
          throw new RangeError(
            `apg: a deep block is required, got ${firstDeep(network)} shallow ones of ${paths.length}; lower shallow`,
          );
        return asParams(drawGenerator(network, rng, columns, prompts));
      },
      init: (): Memory => ({ pool: new Map(), tensors: undefined }),
      beforeExperience({ pool }: Memory, { index, classes }, { columns }) {
        const marks = (is: (column: number) => boolean) => Array.from({ length: columns }, (_, c) => +is(c));
        const seen = tf.tensor2d([marks((c) => pool.has(c) || classes.includes(c))]);
        const now = tf.tensor2d(
          marks((c) => classes.includes(c)),
          [columns, 1],
        );
        return { pool, tensors: { seen, now }, restart: index > 0 };
      },
      batch({ pool }: Memory, batch, context) {
        if (pool.size === 0) return batch;
        return withExtra(batch, "apg", drawnFrom(pool, draw, context.rng.at("pool", context.step)));
      },
      forward({ tensors }, pass) {
        const own = addedBy<PromptGenerator>(pass, "apg");
        const seen = tensors?.seen ?? tf.ones([1, own.tokens.shape[0]!]);
        const { within, gave } = prompted(pass.network, own, seen);
        const passed = pass.plain(within);
        return { ...passed, aside: { scores: gave.made!.scores } };
      },
      taskLoss: ({ tensors }, step) => openEntropy(step, tensors?.seen),
      loss({ tensors }, step) {
        const { scores } = step.aside;
        const times = scores!.shape[0]! / step.y.shape[0]!;
        const labels = tf.reshape(tf.tile(tf.expandDims(step.y, 1), [1, times]), [scores!.shape[0]!]);
        const guided = tf.mul(tf.mean(nn.crossEntropies(scores!, labels)), guide);
        return tf.add(guided, recalled(step, tensors?.seen)) as tf.Scalar;
      },
      weights({ tensors }, { before, after }): Weights {
        const [was, own] = [before, after].map(({ added }) => added!.apg as unknown as PromptGenerator);
        if (tensors === undefined) return after;
        const moved = tf.greater(tf.mul(tensors.now, tf.onesLike(own!.tokens)), 0);
        return withAdded(after, "apg", asParams({ ...own!, tokens: tf.where(moved, own!.tokens, was!.tokens) }));
      },
      afterExperience({ pool, tensors }: Memory, { index }, context) {
        const { train } = context.stream.experience(index);
        if (train.length === 0) return { pool, tensors };
        const { network, weights, columns, rng } = context;
        const own = weights.added!.apg as unknown as PromptGenerator;
        const { low, made } = halfWay(train, context, (x, mode) => {
          const { within, gave } = prompted(network, own, tensors!.seen);
          network.model.apply(weights.model, x, tape(false, null, mode, within).mode);
          return [gave.low!, tf.reshape(gave.made!.prompts, [x.shape[0]!, -1])];
        });
        const [below, above] = [low, context.outputs(train).features].map((of) => gaussiansOf(of, train.labels, index));
        const means = meansOf(made, train.labels);
        const next = new Map(pool);
        for (const [label, of] of below!) {
          const experience = pool.get(label)?.features.experience ?? index;
          next.set(label, { low: of, features: { ...above!.get(label)!, experience }, prompts: means.get(label)! });
        }
        const state = { pool: next, tensors };
        if (index === 0 || rounds === 0) return state;
        const gaussians = new Map([...next].map(([label, { features }]) => [label, features]));
        const options = { rounds, perClass, rate, decay, temperature: 0, keeps: 1 };
        const head = alignedHead(network, weights, gaussians, columns, options, rng.at("alignment", index));
        return { ...state, weights: { ...weights, head } };
      },
    };

    /** *Traced.* What is asked of what was drawn of the pool. */
    function recalled(step: Step, seen: tf.Tensor | undefined): tf.Tensor {
      const { low, prompt, feature, label } = step.extra;
      if (low === undefined || seen === undefined) return tf.scalar(0);
      const made = generated(addedBy<PromptGenerator>(step, "apg"), low, heads, seen).prompts;
      const apart = tf.mean(tf.abs(tf.sub(tf.reshape(made, prompt!.shape), prompt!)));
      const logits = step.network.logits(step.weights, feature!);
      const entropy = step.crossEntropy(logits, tf.cast(label!, "int32"), seen);
      return tf.add(tf.mul(apart, keep), tf.mul(entropy, recall));
    }
  },
  ["boundary", "labels"],
);

/** Rows drawn from the Gaussians of classes that are drawn of the pool, and what belongs to them. */
function drawnFrom(pool: ReadonlyMap<number, Known>, count: number, rng: Rng) {
  const labels = [...pool.keys()];
  const chosen = Int32Array.from({ length: count }, () => labels[rng.int(labels.length)]!);
  const table = (of: (label: number) => Float32Array) => {
    const rows = Array.from(chosen, of);
    const width = rows[0]!.length;
    const data = new Float32Array(count * width);
    for (const [i, row] of rows.entries()) data.set(row, i * width);
    return { data, shape: [count, width] };
  };
  return {
    low: table((label) => drawnRow(pool.get(label)!.low, rng)),
    feature: table((label) => drawnRow(pool.get(label)!.features, rng)),
    prompt: table((label) => pool.get(label)!.prompts),
    label: { data: chosen, shape: [count] },
  };
}

/** `mean + L z`. */
function drawnRow({ mean, factor }: ClassGaussian, rng: Rng): Float32Array {
  const z = Float64Array.from(mean, () => rng.normal());
  return Float32Array.from(mean, (m, j) => {
    let sum = m;
    for (let k = 0; k <= j; k++) sum += factor[j * mean.length + k]! * z[k]!;
    return sum;
  });
}

/** What comes half way for each row of a table, and the prompts, rows one after the other. */
function halfWay(
  train: Examples,
  { statistics }: Context,
  run: (x: tf.Tensor, statistics: Context["statistics"]) => readonly [tf.Tensor, tf.Tensor],
): { readonly low: Float32Array; readonly made: Float32Array } {
  const found: [number[], number[]] = [[], []];
  for (let start = 0; start < train.length; start += 64) {
    const rows = Uint32Array.from({ length: Math.min(64, train.length - start) }, (_, i) => start + i);
    const x = tf.tensor(gather(train, rows), [rows.length, ...train.shape]);
    const parts = tf.tidy(() => run(x, statistics).map((t) => t.clone()));
    for (const [i, part] of parts.entries()) for (const value of part.dataSync()) found[i as 0 | 1].push(value);
    disposeTree([x, ...parts]);
  }
  return { low: Float32Array.from(found[0]), made: Float32Array.from(found[1]) };
}

function meansOf(rows: Float32Array, labels: Int32Array): Map<number, Float32Array> {
  const width = rows.length / labels.length;
  const sums = new Map<number, { readonly sum: Float32Array; count: number }>();
  for (const [i, label] of labels.entries()) {
    const own = sums.get(label) ?? { sum: new Float32Array(width), count: 0 };
    for (let j = 0; j < width; j++) own.sum[j]! += rows[i * width + j]!;
    own.count++;
    sums.set(label, own);
  }
  return new Map([...sums].map(([label, { sum, count }]) => [label, sum.map((v) => v / count)]));
}
