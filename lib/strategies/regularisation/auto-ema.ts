import { cloneTree, mapTensors, scoped, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type Flat, subset } from "../../optim/parts/subset.ts";
import { normalised } from "../parts/distillation.ts";
import { copied, partsOf, withParts } from "../parts/own-parts.ts";
import { marked } from "../parts/prompts.ts";
import { type Prediction, requireNumber, strategy } from "../strategy.ts";

/** The sum and the number of the vectors of length 1 of a group's examples. */
interface Group {
  readonly sum: Float64Array;
  readonly count: number;
}

/** What groups of experiences are told by, and what each has of its own. */
interface Groups {
  /** What the first began with. */
  readonly begun: Flat;
  /** What each had when it was last trained, `[groups, …]`; `[groups]`, 1 for the one that is trained now; `[groups, features]`, the mean vectors. */
  readonly kept: Flat;
  readonly now: tf.Tensor;
  readonly means: tf.Tensor;
}

interface Memory {
  readonly groups: readonly Group[];
  readonly current: number;
  readonly tensors: { readonly apart?: Groups };
  /** The slow weights, and the gradient of the step before. */
  readonly carried: { readonly slow: Weights; readonly gradient: Weights };
}

/**
 * An average of the weights that decides by itself how fast it follows them; each experience leaves the average, and the next begins from it, or
 * with parameters of its own where it is unlike all before.
 *
 * After every step each tensor of the average moves by `α` of the way to the weights, `α = 2 (1 + ‖g‖) / (‖θ − θ*‖ ‖g − g′‖)` with θ* the
 * average, g the gradient, g′ that of the step before, and sums of absolute values for lengths: the rate at which, by the expansion of the
 * loss to second order, neither new nor old examples lose. Where that is not between 0 and 1 it is `otherwise`. The average begins anew with
 * each experience, at its weights.
 *
 * With `expand` experiences are put into groups, each with parameters of its own: what adapters bring, or all that is trained of the model where it has
 * none. What tells them are the features of an example in the network as it began (of a sequence their mean over the places), each of length 1: the likeness
 * of an experience and a group is the mean cosine over all pairs of their examples. An experience that is as like a group as `expand` at least goes on
 * training the parameters of the group that it is most like; another begins a group, with the parameters of the beginning. A test example gets those of the
 * group that it is most like by the same rule, and where it is like none those of the last group. Every group has one more copy of these
 * parameters, and a prediction passes through all.
 *
 * Qiao et al. 2025, "Large continual instruction assistant", arXiv:2410.10868, section 4; the program JingyangQiao/CoIN (`ema_update`, `LoRASelect`).
 * Differs from the paper: it is for any weights that are trained, not the adapters of a language model alone; groups are told by features of examples, where
 * there it is by the words of their instructions (cosines of tf-idf, 0.3 or 0.9), which examples here need not have; test examples choose one by one, there a
 * test set at once.
 *
 * Implements: P416 Large Continual Instruction Assistant
 *
 * @example
 * ```ts
 * import { autoEma } from "thalweg";
 * autoEma({ otherwise: 0.01 });
 * autoEma({ expand: 0.9 });
 * ```
 */
export const autoEma = strategy(
  "autoEma",
  {
    /** The share of the way where the rule gives none. */
    otherwise: 0.01,
    /** A share of the way for all steps in place of the rule, in [0, 1]; null for the rule. */
    fixed: null as null | number,
    /** The likeness, from −1 to 1, below which an experience gets parameters of its own; null for one set of them. */
    expand: null as null | number,
  },
  ({ otherwise, fixed, expand }) => {
    requireNumber("autoEma", "otherwise", otherwise, 0, 1);
    if (fixed !== null) requireNumber("autoEma", "fixed", fixed, 0, 1);
    if (expand !== null) requireNumber("autoEma", "expand", expand, -1, 1);
    return {
      tokens: true,
      init: ({ network, weights }): Memory => ({
        groups: [],
        current: -1,
        tensors: expand === null ? {} : { apart: nothing(copied(partsOf(network, weights, null))) },
        carried: begun(weights),
      }),
      beforeExperience(memory: Memory, { train }, context) {
        const { network, weights } = context;
        const { apart } = memory.tensors;
        if (expand === null || apart === undefined) return { ...memory, carried: begun(weights) };
        const own = sumOf(
          context.outputs(train, withParts(weights, apart.begun)).features,
          train.length,
          network.width.at(-1)!,
        );
        const likenesses = memory.groups.map((group) => likeness(own, group));
        const best = likenesses.reduce((at, value, k) => (value > likenesses[at]! ? k : at), 0);
        const isNew = likenesses.length === 0 || likenesses[best]! < expand;
        const current = isNew ? memory.groups.length : best;
        const groups = isNew
          ? [...memory.groups, own]
          : memory.groups.map((group, k) => (k === best ? both(group, own) : group));
        const first = memory.groups.length === 0;
        const parts = scoped(() =>
          isNew ? (first ? copied(partsOf(network, weights, null)) : copied(apart.begun)) : picked(apart.kept, best),
        );
        const kept = scoped(() =>
          isNew
            ? mapTensors(
                (t: tf.Tensor, stack?: tf.Tensor) =>
                  first ? tf.expandDims(t, 0) : tf.concat([stack!, tf.expandDims(t, 0)], 0),
                parts,
                ...(first ? [] : [apart.kept]),
              )
            : copied(apart.kept),
        );
        const next = withParts(weights, parts);
        return {
          groups,
          current,
          tensors: { apart: { begun: apart.begun, kept, ...told(groups, current) } },
          carried: begun(next),
          weights: next,
          restart: true,
        };
      },
      update: ({ carried }, { after, gradient }) => ({
        slow: mapTensors(
          (slow, now, g, before) => {
            if (fixed !== null) return tf.add(slow, tf.mul(tf.sub(now!, slow), fixed));
            const length = (of: tf.Tensor): tf.Tensor => tf.sum(tf.abs(of));
            const apart = tf.mul(length(tf.sub(now!, slow)), length(tf.sub(g!, before!)));
            const rate = tf.div(tf.mul(tf.add(length(g!), 1), 2), tf.maximum(apart, 1e-30));
            const share = tf.where(tf.less(rate, 1), rate, tf.scalar(otherwise));
            return tf.add(slow, tf.mul(tf.sub(now!, slow), share));
          },
          carried.slow,
          after,
          gradient,
          carried.gradient,
        ),
        gradient: mapTensors((g: tf.Tensor) => g, gradient),
      }),
      afterExperience({ groups, current, tensors, carried }: Memory, _experience, { network }) {
        const end = { groups, current, carried, weights: cloneTree(carried.slow), restart: true };
        const { apart } = tensors;
        if (expand === null || apart === undefined) return { ...end, tensors };
        const parts = partsOf(network, carried.slow, null);
        const kept = scoped(() =>
          mapTensors(
            (stack: tf.Tensor, own?: tf.Tensor) =>
              tf.stack(tf.unstack(stack).map((t, k) => (k === current ? own! : t))),
            apart.kept,
            parts,
          ),
        );
        return { ...end, tensors: { apart: { ...apart, kept } } };
      },
      ...(expand !== null && {
        rowwise: true,
        predict: ({ tensors }: Partial<Memory>, given: Prediction) =>
          tensors?.apart === undefined || tensors.apart.now.size === 0
            ? given.logits
            : amongGroups(tensors.apart, expand, given),
      }),
    };
  },
  ["boundary"],
);

/** An average that begins at some weights, before any gradient. */
function begun(weights: Weights): Memory["carried"] {
  return {
    slow: cloneTree(weights),
    gradient: scoped(() => mapTensors((w: tf.Tensor) => tf.zerosLike(w), weights)),
  };
}

/** No group yet. */
function nothing(begun: Flat): Groups {
  return { begun, kept: {}, now: tf.zeros([0]), means: tf.zeros([0, 0]) };
}

/** What a group has of its own. */
function picked(kept: Flat, group: number): Flat {
  return mapTensors((stack: tf.Tensor) => tf.reshape(tf.slice(stack, [group], [1]), stack.shape.slice(1)), kept);
}

/** The sum of rows of features, each (of a sequence the mean over its places) brought to length 1. */
function sumOf(features: Float32Array, count: number, width: number): Group {
  const each = features.length / count;
  const sum = new Float64Array(width);
  for (let i = 0; i < count; i++) {
    const row = new Float64Array(width);
    for (let j = 0; j < each; j++) row[j % width]! += features[i * each + j]!;
    const size = Math.hypot(...row) || 1;
    for (let j = 0; j < width; j++) sum[j]! += row[j]! / size;
  }
  return { sum, count };
}

/** The mean cosine over all pairs. */
function likeness(a: Group, b: Group): number {
  return a.sum.reduce((s, v, j) => s + v * b.sum[j]!, 0) / (a.count * b.count);
}

function both(a: Group, b: Group): Group {
  return { sum: a.sum.map((v, j) => v + b.sum[j]!), count: a.count + b.count };
}

/** The groups as tensors. */
function told(groups: readonly Group[], current: number): Pick<Groups, "now" | "means"> {
  const rows = groups.map(({ sum, count }) => Array.from(sum, (v) => v / count));
  return { now: tf.tensor1d(groups.map((_, k) => +(k === current))), means: tf.tensor2d(rows) };
}

/** *Traced.* The logits of each row with the parameters of the group that it is most like, or of the last where it is like none. */
function amongGroups({ begun, kept, now, means }: Groups, expand: number, given: Prediction): tf.Tensor {
  const [count] = means.shape as [number];
  const plain = given.forward(given.x, { weights: withParts(given.weights, begun) }).features;
  const rows = plain.rank === 3 ? tf.mean(plain, 1) : tf.reshape(plain, [plain.shape[0]!, -1]);
  const likenesses = tf.matMul(normalised(rows) as tf.Tensor2D, means as tf.Tensor2D, false, true);
  const best = tf.where(
    tf.greaterEqual(tf.max(likenesses, 1), expand),
    tf.argMax(likenesses, 1),
    tf.fill([rows.shape[0]!], count - 1, "int32"),
  );
  const which = marked(best, count);
  const marks = tf.unstack(now);
  const logits = marks.map((mark, k) => {
    const own = mapTensors(
      (stack: tf.Tensor, live?: tf.Tensor) => {
        const before = tf.reshape(tf.slice(stack, [k], [1]), stack.shape.slice(1));
        return tf.add(tf.mul(live!, mark), tf.mul(before, tf.sub(1, mark)));
      },
      kept,
      partsAt(given.weights, kept),
    );
    const found = given.forward(given.x, { weights: withParts(given.weights, own) }).logits;
    const share = tf.slice(which, [0, k], [which.shape[0]!, 1]);
    return tf.mul(found, tf.reshape(share, [share.size, ...found.shape.slice(1).map(() => 1)]));
  });
  return tf.addN(logits);
}

/** The tensors of the model at the paths of others. */
function partsAt({ model }: Weights, like: Flat): Flat {
  return subset(model as Tree, (path) => path in like);
}
