import { cloneTree, mapTensors, tf } from "../../engine/index.ts";
import { masked, type Weights } from "../../models/network.ts";
import { currentRows } from "../parts/rows.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** A type, so that it is a tree of tensors. */
type Carried = { readonly teacher: Weights };

interface Memory {
  readonly carried: Carried;
}

/**
 * Self-training by a teacher that has seen the network's next step: rows without a label are learnt from what a running mean of the weights says of them.
 *
 * The teacher is `momentum · teacher + (1 − momentum) · weights` after every step. For a row without a label its most probable class is the label where it
 * has at least `threshold` probability; the row is learnt with noise added. With `future` the network first makes a step that is taken back, from the labels
 * and the teacher's classes; the teacher that would follow from it says the classes that the step is made with.
 *
 * Implements: P324 FST future self-training
 * Du et al. 2022, "Learning from future: a novel self-training framework for semantic segmentation", arXiv:2209.06993, section 3.2: the deep form with one
 * step ahead. Without `future` it is the mean teacher of Tarvainen and Valpola 2017, arXiv:1703.01780, with hard labels.
 * Differs from the paper: classes of images, not of pixels; the step that is taken back is one of plain descent at the run's rate; their wide form is
 * not here.
 *
 * @example
 * ```ts
 * import { classes, digits, futureTeacher, mlp } from "thalweg";
 * classes(digits()).unlabel(0.9).learn(mlp()).by(futureTeacher({ threshold: 0.8 })).name; // "futureTeacher"
 * ```
 */
export const futureTeacher = strategy(
  "futureTeacher",
  {
    /** What the teacher keeps of itself at every step. */
    momentum: 0.99,
    /** Strength of the rows without a label. */
    weight: 1,
    /** The probability that a class needs to be believed. */
    threshold: 0.8,
    /** The deviation of the noise on rows that are learnt without a label. */
    noise: 0.1,
    /** Whether the teacher sees the next step. */
    future: true,
  },
  ({ momentum, weight, threshold, noise, future }) => {
    requireNumber("futureTeacher", "momentum", momentum, 0, 1);
    requireNumber("futureTeacher", "weight", weight, 0);
    requireNumber("futureTeacher", "threshold", threshold, 0, 1);
    requireNumber("futureTeacher", "noise", noise, 0);
    const blended = (teacher: Weights, weights: Weights): Weights =>
      mapTensors(
        (t: tf.Tensor, w: tf.Tensor) => tf.add(tf.mul(t, momentum), tf.mul(w, 1 - momentum)),
        teacher,
        weights,
      );
    return {
      tokens: "a row is learnt as a whole, and a sequence has a class at each place",
      classes: true,
      init: ({ weights }): Memory => ({ carried: { teacher: cloneTree(weights) } }),
      beforeExperience({ carried }: Memory, _experience, { weights }): Memory {
        // a head that has grown since: its new columns begin as the network's
        const same = JSON.stringify(shapes(carried.teacher)) === JSON.stringify(shapes(weights));
        return { carried: same ? carried : { teacher: cloneTree(weights) } };
      },
      gradient({ carried }: Memory, gradient, step) {
        const { x, y, mask } = currentRows(step);
        const { rng, rate, weights, statistics } = step;
        const seen = rng === null || noise === 0 ? x : tf.add(x, rng.at("futureTeacher").normals(x.shape, 0, noise));
        const unknown = tf.cast(tf.less(y, 0), "float32");
        const taught = (by: Weights): Weights => {
          const p = tf.softmax(masked(step.forward(x, { weights: by, frozen: statistics }).logits, mask));
          const sure = tf.mul(unknown, tf.cast(tf.greaterEqual(tf.max(p, -1), threshold), "float32"));
          const wanted = tf.oneHot(tf.argMax(p, -1) as tf.Tensor1D, p.shape[1]!);
          const slope = step.gradient((at) => {
            const log = tf.logSoftmax(masked(step.forward(seen, { weights: at, frozen: statistics }).logits, mask));
            const each = tf.neg(tf.sum(tf.mul(wanted, log), -1));
            return tf.mul(tf.div(tf.sum(tf.mul(each, sure)), x.shape[0]!), weight);
          });
          return mapTensors((g: tf.Tensor, own: tf.Tensor) => tf.add(g, own), gradient, slope);
        };
        if (!future) return taught(carried.teacher);
        const first = taught(carried.teacher);
        const ahead = mapTensors((w: tf.Tensor, g: tf.Tensor) => tf.sub(w, tf.mul(g, rate)), weights, first);
        return taught(blended(carried.teacher, ahead));
      },
      update: ({ carried }: Memory, { after }) => ({ teacher: blended(carried.teacher, after) }),
    };
  },
);

/** The shapes of a tree of tensors. */
function shapes(tree: unknown): unknown {
  if (tree instanceof tf.Tensor) return tree.shape;
  return Object.fromEntries(Object.entries(tree as object).map(([name, child]) => [name, shapes(child)]));
}
