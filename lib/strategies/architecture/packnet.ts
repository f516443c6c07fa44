import { mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { movedColumns, ownColumns } from "../parts/own-head.ts";
import { largestShare } from "../parts/quantile.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** What steps change: for each weight of the model the number of the task that owns it (0 is free), and the steps of this experience. */
type Owned = { readonly owner: Params; readonly steps: tf.Tensor };

interface Memory {
  readonly carried: Owned;
  /** This task's number (from 1), the share of free weights it keeps, the step of its pruning; and the number of each task, 0 if not met. */
  readonly tensors: {
    readonly task: tf.Tensor;
    readonly keep: tf.Tensor;
    readonly prune: tf.Tensor;
    readonly numbers: tf.Tensor;
    /** The head's columns of this task. */
    readonly open: tf.Tensor;
  };
  readonly numbers: readonly number[];
}

/**
 * PackNet: each task takes a share of the weights that are still free, which are then frozen for good.
 *
 * A task trains all free weights; after the share `train` of its steps the `keep` largest of them in each tensor become its own and the
 * others 0, and the rest of its steps train its own alone. A test example goes through the weights of its task and of those before. The
 * head's columns are each task's own. Biases and other vectors are trained in the first experience only.
 *
 * Mallya and Lazebnik 2018, arXiv:1711.05769, section 3.
 * Differs from the paper: pruning happens within the experience's steps, by a threshold found by halving.
 *
 * @example
 * ```ts
 * import { packnet } from "thalweg";
 * packnet({ keep: 0.3, train: 0.6 });
 * ```
 */
export const packnet = strategy(
  "packnet",
  {
    /** Share of the free weights that a task keeps, in [0, 1]; 0 leaves an equal share to every task still to come. */
    keep: 0,
    /** Share of an experience's steps before pruning, in (0, 1). */
    train: 0.6,
  },
  ({ keep, train }) => {
    requireNumber("packnet", "keep", keep, 0, 1);
    requireNumber("packnet", "train", train, 0.01, 0.99);
    const as01 = (condition: tf.Tensor): tf.Tensor => tf.cast(condition, "float32");
    /** Who owns each weight after a step. */
    const owners = (
      { owner, steps }: Owned,
      { task, keep: share, prune }: Memory["tensors"],
      weights: Weights,
    ): Params => {
      const now = as01(tf.equal(tf.add(steps, 1), prune));
      return mapTensors(
        (own, w) => {
          const free = as01(tf.equal(own, 0));
          const taken = own.rank < 2 ? free : largestShare(tf.abs(w!), free, share);
          return tf.add(own, tf.mul(tf.mul(taken, now), task));
        },
        owner,
        weights.model,
      );
    };
    return {
      tokens: true,
      init: ({ weights, stream, columns }): Memory => ({
        carried: { owner: mapTensors((w) => tf.zerosLike(w), weights.model), steps: tf.scalar(0) },
        tensors: {
          task: tf.scalar(0),
          keep: tf.scalar(1),
          prune: tf.scalar(1),
          numbers: tf.zeros([stream.tasks]),
          open: tf.ones([1, columns]),
        },
        numbers: Array.from({ length: stream.tasks }, () => 0),
      }),
      beforeExperience({ carried, numbers }: Memory, { task, train: table }, context): Memory {
        const { batch, epochs } = context;
        if (numbers[task] !== 0) throw new TypeError(`packnet: every task may come once, got task ${task} again`);
        const met = numbers.filter((n) => n > 0).length;
        const next = numbers.map((n, i) => (i === task ? met + 1 : n));
        const steps = Math.ceil(table.length / batch) * epochs;
        return {
          carried: { owner: mapTensors((o) => o.clone(), carried.owner), steps: tf.scalar(0) },
          tensors: {
            task: tf.scalar(met + 1),
            keep: tf.scalar(keep === 0 ? 1 / (numbers.length - met) : keep),
            prune: tf.scalar(Math.max(1, Math.floor(train * steps))),
            numbers: tf.tensor1d(next),
            open: ownColumns(task, context),
          },
          numbers: next,
        };
      },
      rowwise: true,
      forward({ carried, tensors }: Memory, { plain, weights, task, training }) {
        if (training || task === null || carried === undefined) return plain();
        const number = tf.gather(tensors.numbers, tf.slice(task, [0], [1]));
        const latest = as01(tf.logicalOr(tf.equal(number, tensors.task), tf.equal(number, 0)));
        const model = mapTensors(
          (w, own) => {
            const before = tf.mul(as01(tf.lessEqual(own!, number)), as01(tf.greater(own!, 0)));
            return tf.mul(w, tf.maximum(before, latest));
          },
          weights.model,
          carried.owner,
        );
        return plain({ ...weights, model });
      },
      weights({ carried, tensors }: Memory, { before, after }) {
        const pruned = as01(tf.greaterEqual(tf.add(carried.steps, 1), tensors.prune));
        const model = mapTensors(
          (old, now, own) => {
            const free = tf.equal(own!, 0);
            const open = tf.mul(as01(free), tf.sub(1, pruned));
            const moves = tf.greater(tf.add(as01(tf.equal(own!, tensors.task)), open), 0);
            return tf.where(moves, now!, tf.where(free, tf.zerosLike(old), old));
          },
          before.model,
          after.model,
          owners(carried, tensors, after),
        );
        return { ...after, model, head: movedColumns(before.head, after.head, tensors.open) };
      },
      update: ({ carried, tensors }: Memory, { after }): Tree =>
        ({ owner: owners(carried, tensors, after), steps: tf.add(carried.steps, 1) }) as unknown as Tree,
    };
  },
  ["task", "boundary", "length"],
);
