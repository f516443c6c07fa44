import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Filter } from "../../models/filter.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { withAdded } from "../parts/prompts.ts";
import {
  type ByKernel,
  importance,
  noScores,
  overExperiences,
  type Scores,
  type Span,
  scored,
  unorthogonal,
} from "../parts/triplets.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Scores of all numbers, `[kernels, rank]` which terms were kept at the end of the allocation, and the steps of this experience. */
type Carried = { readonly scores: Scores; readonly kept: tf.Tensor2D; readonly steps: tf.Tensor };

interface Memory {
  readonly carried: Carried;
  readonly tensors: Span;
}

/**
 * AdaLoRA: low-rank changes of a frozen network's kernels as `W + alpha / rank · P diag(s) Q`, whose terms compete over all kernels: those that
 * matter least have their s set to 0, until `target` of them are left for each kernel on average.
 *
 * A number matters by `|number · slope|`, smoothed over steps, times how much that varies; a term by its s and the means of its column of P and
 * row of Q. After the share `begin` of an experience's steps, every `every` of them, as many terms are left as `target` and a cube that falls to
 * 0 before the share `end` say: one that was cut may come back until then. `orthogonal` times how far P and Q are from orthogonal is added to
 * the loss. After an experience what was learnt is kept as part of what the kernels pass, and the next begins with new terms. The head is trained as well, and
 * nothing else.
 *
 * Zhang et al. 2023, "AdaLoRA: adaptive budget allocation for parameter-efficient fine-tuning", arXiv:2303.10512, section 3 and algorithm 1. As in
 * the authors' program the norms of the regulariser are not squared, and s is only set to 0 at the steps of allocation.
 *
 * @example
 * ```ts
 * import { adaLora } from "thalweg";
 * adaLora({ rank: 12, target: 8, on: "block*" });
 * ```
 */
export const adaLora = strategy(
  "adaLora",
  {
    /** Terms of each kernel to begin with. */
    rank: 12,
    /** Terms that are left for each kernel on average. */
    target: 8,
    /** The change is multiplied by `alpha / rank`. */
    alpha: 12,
    /** Share of an experience's steps before allocation begins, and share after it has ended. */
    begin: 0.1,
    end: 0.4,
    /** Steps from one allocation to the next. */
    every: 10,
    /** Shares of what was measured before that are kept at a step: of how much a number matters, and of how much that varies. */
    sensitivity: 0.85,
    uncertainty: 0.85,
    /** Strength of the regulariser. */
    orthogonal: 0.1,
    /** The kernels that are changed; null for all. */
    on: null as null | string | readonly string[],
  },
  ({ rank, target, alpha, begin, end, every, sensitivity, uncertainty, orthogonal, on: given }) => {
    const on: Filter = given ?? "*";
    requireWhole("adaLora", "rank", rank, 1);
    requireWhole("adaLora", "target", target, 1);
    if (target > rank)
      throw new RangeError(`adaLora: a target of at most the rank, ${rank}, is required, got ${target}`);
    requireNumber("adaLora", "alpha", alpha, 0);
    requireNumber("adaLora", "begin", begin, 0, 1);
    requireNumber("adaLora", "end", end, 0, 1 - begin);
    requireWhole("adaLora", "every", every, 1);
    requireNumber("adaLora", "sensitivity", sensitivity, 0, 1);
    requireNumber("adaLora", "uncertainty", uncertainty, 0, 1);
    requireNumber("adaLora", "orthogonal", orthogonal, 0);
    const changes = overExperiences("adaLora", on, rank, alpha / rank);
    const ownOf = ({ added }: Weights): ByKernel => added!.adaLora as unknown as ByKernel;
    const begun = (own: ByKernel): Carried => ({
      scores: noScores(own),
      kept: tf.ones([Object.keys(own).length, rank]),
      steps: tf.scalar(0),
    });
    /** *Traced.* What a step comes to, and `[kernels, rank]` which terms it leaves. */
    const after = ({ carried, tensors }: Memory, before: Weights, slope: Weights): Carried & { left: tf.Tensor2D } => {
      const { first, last } = tensors as { readonly first: tf.Tensor; readonly last: tf.Tensor };
      const steps = tf.add(carried.steps, 1);
      const allocates = tf.less(steps, last);
      const scores = mapTensors(
        (now: tf.Tensor, was?: tf.Tensor) => tf.where(allocates, now, was!),
        scored(carried.scores, ownOf(before), ownOf(slope), { sensitivity, uncertainty }),
        carried.scores,
      );
      const matters = importance(scores);
      const [kernels] = matters.shape;
      const falls = tf.sub(1, tf.div(tf.sub(steps, first), tf.sub(last, first)));
      const left = tf.floor(tf.add(tf.mul(tf.pow(falls, 3), kernels * (rank - target)), kernels * target + 1e-4));
      const flat = tf.reshape(matters, [kernels * rank]);
      const smaller = tf.sum(tf.cast(tf.less(tf.expandDims(flat, 0), tf.expandDims(flat, 1)), "float32"), 1);
      const stays = tf.reshape(tf.greaterEqual(smaller, tf.sub(kernels * rank, left)), [kernels, rank]);
      const fresh = tf.cast(stays, "float32") as tf.Tensor2D;
      const ends = tf.equal(steps, last);
      const due = tf.logicalAnd(tf.greater(steps, first), tf.equal(tf.mod(steps, every), 0));
      const kept = tf.where(ends, fresh, carried.kept) as tf.Tensor2D;
      const now = tf.where(due, fresh, tf.onesLike(fresh));
      return { scores, kept, steps, left: tf.where(allocates, now, kept) as tf.Tensor2D };
    };
    return {
      tokens: true,
      rowwise: true,
      trains: (path) => !path.startsWith("model/"),
      parameters: ({ network, weights, rng }): Params => changes.begin(network, weights, rng),
      init: ({ weights }): Memory => ({ carried: begun(ownOf(weights)), tensors: {} }),
      beforeExperience: ({ tensors }: Memory, { train }, context): Memory => ({
        carried: begun(ownOf(context.weights)),
        tensors: changes.span(tensors, train.length, context, begin, end),
      }),
      forward: ({ tensors }: Memory, pass) => changes.forward(tensors ?? {}, pass),
      loss: (_memory, { weights }) => tf.mul(unorthogonal(ownOf(weights)), orthogonal) as tf.Scalar,
      weights(memory: Memory, { before, after: moved, slope }) {
        const { left } = after(memory, before, slope);
        const own = Object.fromEntries(
          Object.entries(ownOf(moved)).map(([path, each], k) => {
            const mine = tf.reshape(tf.slice(left, [k, 0], [1, rank]), [rank]);
            return [path, { ...each, values: tf.where(tf.greater(mine, 0), each.values, 0) }] as const;
          }),
        );
        return withAdded(moved, "adaLora", own as unknown as Params);
      },
      update(memory: Memory, { before, slope }): Tree {
        const { scores, kept, steps } = after(memory, before, slope);
        return { scores, kept, steps } as unknown as Tree;
      },
      afterExperience: ({ carried, tensors }: Memory, { index }, context) => ({
        carried,
        ...changes.end(tensors, index, context),
      }),
    };
  },
  ["boundary", "length"],
);
