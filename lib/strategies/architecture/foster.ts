import { joined } from "../../data/dataset.ts";
import { cloneTree, mapTensors, type Rng, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withExtra } from "../parts/buffer.ts";
import { softCrossEntropies } from "../parts/distillation.ts";
import { type Choice, choices, type Exemplars, exemplarTable, withExperience } from "../parts/exemplars.ts";
import { headKernel } from "../parts/head-kernel.ts";
import { addedBy, withAdded } from "../parts/prompts.ts";
import { still } from "../parts/still.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import {
  type Batch,
  type Context,
  type Pass,
  requireNumber,
  requireOneOf,
  requireWhole,
  strategy,
} from "../strategy.ts";

/**
 * The module of an experience, its rows of the joint classifier, what that makes of the old features, and a classifier of its own. A type, so
 * that it is a tree of tensors.
 */
type Module = {
  readonly model: Params;
  readonly kernel: tf.Tensor;
  readonly oldKernel: tf.Tensor;
  readonly bias: tf.Tensor;
  readonly auxKernel: tf.Tensor;
  readonly auxBias: tf.Tensor;
};

interface Memory {
  readonly exemplars: Exemplars | null;
  readonly start: number;
  readonly steps: number;
  readonly tensors: {
    /** `[1, columns]`: the classes so far; the network before the experience, and its classes. */
    readonly seen?: tf.Tensor;
    readonly old?: Weights;
    readonly known?: tf.Tensor;
    /** `[1, columns]`: how much each class counts while boosting and while compressing. */
    readonly boosting?: tf.Tensor;
    readonly compressing?: tf.Tensor;
  };
}

/**
 * FOSTER: a new module is trained to correct what the old network gets wrong, then both are pressed into one network of the old size.
 *
 * In the first `boost` share of an experience's steps a module, begun as a copy of the network, is trained beside the old one: `CE` of the
 * joint logits of both features divided by the class's weight, plus that of a classifier on the new features alone, plus distillation of the
 * old logits over the old classes. In the rest the network itself learns, without labels, from the joint logits: their softmax, times the
 * class's weight and made to add up to 1. The weight of a class with n examples in training is `(1 − β) / (1 − βⁿ)`, scaled to a mean of 1:
 * rare ones count more. Trains on the experience's examples and exemplars.
 *
 * Wang et al. 2022, arXiv:2204.04662, eq. 6–12; the defaults are those of the program G-U-N/ECCV22-FOSTER as in sun-hailong/LAMDA-PILOT.
 * Differs from the paper: both stages share the steps of an experience, and one optimizer; the model may not keep running statistics.
 *
 * Implements: P200 FOSTER
 *
 * @example
 * ```ts
 * import { foster } from "thalweg";
 * foster({ capacity: 2000, boost: 0.5 });
 * ```
 */
export const foster = strategy(
  "foster",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** The share of an experience's steps in which the module is trained; the rest compresses. */
    boost: 0.5,
    /** β of the weights of classes in the two stages. */
    boosting: 0.96,
    compressing: 0.97,
    /** What logits are divided by in distillation, and its strength while boosting. */
    temperature: 2,
    distil: 1,
  },
  ({ capacity, choose, boost, boosting, compressing, temperature, distil }) => {
    requireWhole("foster", "capacity", capacity, 1);
    requireOneOf("foster", "choose", choose, choices);
    requireNumber("foster", "boost", boost, 0, 1);
    requireNumber("foster", "boosting", boosting, 0, 0.9999);
    requireNumber("foster", "compressing", compressing, 0, 0.9999);
    requireNumber("foster", "temperature", temperature, 1e-6);
    requireNumber("foster", "distil", distil, 0);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      rowwise: true,
      parameters(context: Context): Params {
        if (context.stream.head === "growing")
          throw new TypeError("foster: a stream whose classes are known is required, got one whose head grows");
        if (Object.keys(context.statistics).length > 0)
          throw new TypeError(
            "foster: a model without running statistics is required, as two networks would write them; use groupNorm() in place of batchNorm()",
          );
        return fresh(context.weights, context, context.rng.at(0)) as Params;
      },
      init: (): Memory => ({ exemplars: null, start: 0, steps: 1, tensors: {} }),
      beforeExperience({ exemplars }: Memory, { index, train, classes }, context) {
        const { columns, weights, step, batch, epochs, rng } = context;
        const examples = exemplars === null ? [train.labels] : [train.labels, exemplarTable(exemplars).labels];
        const counts = new Float64Array(columns);
        for (const labels of examples) for (const label of labels) counts[label]! += 1;
        const total = counts.reduce((a, b) => a + b, 0);
        const known = new Set(exemplars?.classes.keys() ?? []);
        const marks = (has: (column: number) => boolean): tf.Tensor =>
          tf.tensor2d(
            Float32Array.from({ length: columns }, (_, c) => +has(c)),
            [1, columns],
          );
        const memory = { exemplars, start: step, steps: epochs * Math.ceil(total / batch) };
        const seen = marks((c) => known.has(c) || classes.includes(c));
        if (index === 0 || known.size === 0) return { ...memory, tensors: { seen } };
        const weighed = (beta: number): tf.Tensor => tf.tensor2d(classWeights(counts, beta), [1, columns]);
        const tensors = {
          seen,
          old: cloneTree({ model: weights.model, head: weights.head }),
          known: marks((c) => known.has(c)),
          boosting: weighed(boosting),
          compressing: weighed(compressing),
        };
        const module = fresh(weights, context, rng.at(index)) as Params;
        return { ...memory, tensors, weights: withAdded(weights, "foster", module), restart: true };
      },
      data: ({ exemplars }: Memory, { train }) =>
        exemplars === null ? train : joined([train, exemplarTable(exemplars)]),
      batch(state: Memory, batch, context): Batch {
        const told = tasksByColumn(state, batch, context);
        const phase = context.step - state.start < boost * state.steps ? 1 : 0;
        return withExtra(told, "foster", { phase: { data: Float32Array.of(phase), shape: [] } });
      },
      forward({ tensors }: Partial<Memory>, pass) {
        const own = pass.plain();
        if (!pass.training || tensors?.old === undefined) return own;
        return { ...own, aside: both(pass, tensors.old, tensors.known!) };
      },
      taskLoss({ tensors }, step) {
        const seen = step.mask ?? tensors?.seen ?? null;
        if (tensors?.old === undefined) return step.crossEntropy(step.logits, step.y, seen, step.weight);
        const { boosted, alone } = step.aside as { boosted: tf.Tensor; alone: tf.Tensor };
        const { phase } = step.extra as { phase: tf.Tensor };
        const corrected = step.crossEntropy(tf.div(boosted, tensors.boosting!), step.y, seen, step.weight);
        const labelled = tf.add(corrected, step.crossEntropy(alone, step.y, seen, step.weight));
        return tf.mul(labelled, phase) as tf.Scalar;
      },
      loss({ tensors }, step) {
        if (tensors?.old === undefined) return tf.scalar(0);
        const { boosted, before } = step.aside as { boosted: tf.Tensor; before: tf.Tensor };
        const { phase } = step.extra as { phase: tf.Tensor };
        const kept = tf.mean(softCrossEntropies(boosted, before, temperature, tensors.known!));
        const open = (logits: tf.Tensor): tf.Tensor =>
          tf.add(tf.div(logits, temperature), tf.mul(tf.sub(1, tensors.seen!), -1e9));
        const wanted = tf.mul(tf.softmax(open(still(boosted))), tensors.compressing!);
        const shares = tf.div(wanted, tf.sum(wanted, 1, true));
        const pressed = tf.neg(tf.mean(tf.sum(tf.mul(shares, tf.logSoftmax(open(step.logits))), 1)));
        return tf.add(tf.mul(kept, tf.mul(phase, distil)), tf.mul(pressed, tf.sub(1, phase))) as tf.Scalar;
      },
      weights({ tensors }, { before, after }, step): Weights {
        if (tensors?.old === undefined) return after;
        const boosts = tf.greater(step.extra.phase!, 0);
        const choose = <T extends Tree>(was: T, now: T, moves: tf.Tensor): T =>
          mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.where(moves, b!, a), was, now) as T;
        const module = choose(before.added!.foster as Tree, after.added!.foster as Tree, boosts) as unknown as Params;
        const rest = tf.logicalNot(boosts);
        const model = choose(before.model as Tree, after.model as Tree, rest) as unknown as Params;
        const head = choose(before.head as Tree, after.head as Tree, rest) as unknown as Params;
        return { ...withAdded(after, "foster", module), model, head };
      },
      afterExperience({ exemplars, ...memory }: Memory, { index, classes }, context): Memory {
        return { ...memory, exemplars: withExperience(exemplars, index, classes, capacity, choose, context) };
      },
    };
  },
  ["boundary", "labels"],
);

/** A new module: a copy of the network, what the joint classifier makes of old features, and new rows. */
function fresh(weights: Weights, { network, columns }: Context, rng: Rng): Module {
  const width = network.width[0]!;
  const bound = 1 / Math.sqrt(width);
  const drawn = (name: string): tf.Tensor => rng.at(name).uniforms([width, columns], -bound, bound);
  const { bias } = weights.head as { readonly bias?: tf.Tensor };
  return {
    model: cloneTree(weights.model),
    kernel: drawn("kernel"),
    oldKernel: headKernel("foster", weights).clone(),
    bias: bias?.clone() ?? tf.zeros([columns]),
    auxKernel: drawn("aux"),
    auxBias: tf.zeros([columns]),
  };
}

/**
 * *Traced.* The joint logits, in which old features say nothing of new classes, those of the new features alone, and those of the old network.
 */
function both(pass: Pass, old: Weights, known: tf.Tensor): { boosted: tf.Tensor; alone: tf.Tensor; before: tf.Tensor } {
  const own = addedBy<Module>(pass, "foster");
  const was = pass.plain({ weights: { ...pass.weights, ...old }, frozen: pass.statistics });
  const now = pass.plain({ weights: { ...pass.weights, model: own.model } }).features as tf.Tensor2D;
  const corrects = tf.matMul(now, own.kernel as tf.Tensor2D);
  const kept = tf.matMul(still(was.features) as tf.Tensor2D, tf.mul(own.oldKernel, known) as tf.Tensor2D);
  const alone = tf.add(tf.matMul(now, own.auxKernel as tf.Tensor2D), own.auxBias);
  return { boosted: tf.add(tf.add(corrects, kept), own.bias), alone, before: still(was.logits) };
}

/** `(1 − β) / (1 − βⁿ)` for the number of examples of each class, scaled to a mean of 1 over the classes that have any; 1 for the others. */
function classWeights(counts: Float64Array, beta: number): Float32Array {
  const raw = [...counts].map((n) => (n === 0 ? 0 : (1 - beta) / (1 - beta ** n)));
  const some = raw.filter((v) => v > 0);
  const mean = some.reduce((a, b) => a + b, 0) / Math.max(1, some.length);
  return Float32Array.from(raw, (v) => (v === 0 ? 1 : v / mean));
}
