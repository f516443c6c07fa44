import { tf } from "../../engine/index.ts";
import { excluded } from "../../models/network.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { oneHots } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { still } from "../parts/still.ts";
import { type TeacherTensors, teacherOf } from "../parts/teacher.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: { readonly teacher?: TeacherTensors };
}

/** How examples are weighed in the two terms of the loss. */
export type Weighing = (typeof weighings)[number];
const weighings = ["teacher", "student", "none"] as const;

/**
 * Two halves of an example are to be found by each other, and a trained network says which other halves are hard to tell from the right one, how far they are
 * from it, and how sure it is.
 *
 * The first half of an example is its upper rows (its first numbers, where it is no image), the second half the rest; either is passed with zeros in place of the
 * other. A pair's score is the cosine of the two features over `temperature`. Of the halves in a batch each is compared with its own and the `negatives` others that the
 * teacher scores highest. With t and s the scores of teacher and network of these, and e the entropies of softmax t over the batch, made to sum to 1,
 *
 * `loss = weight · Σ_i r_i mean_j (t_ij − s_ij)² + (1 − weight) · Σ_i e_i mean_j BCE(s_ij)`, r = softmax over i of `(1 − e_i)²`,
 *
 * the mean of both directions: where the teacher is sure it is listened to, elsewhere the network learns by itself. `weigh: "student"` instead weighs squares by
 * `1 − exp(−L_s / L_t)`, L being the cross-entropies of the right half, by how far the network is behind, and adds the mean of L_s; "none" weighs all alike. Without a teacher the loss is
 * the mean of L_s over the whole batch. It takes the place of the task's loss: labels are not looked at, the head is not trained.
 *
 * Implements: P011 DCD
 * Rao et al. 2022, "Dynamic contrastive distillation for image-text retrieval", arXiv:2207.01426, and the authors' program: both weighings and the defaults are from there.
 * Differs from the paper: a score is a cosine rather than read from one pass of the pair; candidates are those of the batch; both directions. Differs from the
 * program: squares are weighed example by example, where there the batch's mean is.
 *
 * @throws TypeError or RangeError where the teacher is for other examples or other classes.
 *
 * @example
 * ```ts
 * import { classes, digits, distilRetrieval, mlp } from "thalweg";
 * classes(digits()).withhold("labels").learn(mlp({ hidden: [32] })).by(distilRetrieval({ negatives: 3 }));
 * ```
 */
export const distilRetrieval = strategy(
  "distilRetrieval",
  {
    /** The network that teaches; null: the right half alone does. */
    teacher: null as TrainedNetwork | null,
    /** The other halves that each is compared with, where there is a teacher. */
    negatives: 7,
    /** The share of the teacher's scores in the loss; the right half has the rest, but with `weigh: "student"` all. */
    weight: 0.2,
    /** What cosines are divided by. */
    temperature: 0.1,
    /** Who says how much an example counts. */
    weigh: "teacher" as Weighing,
  },
  ({ teacher, negatives, weight, temperature, weigh }) => {
    requireWhole("distilRetrieval", "negatives", negatives, 1);
    requireNumber("distilRetrieval", "weight", weight, 0, 1);
    requireNumber("distilRetrieval", "temperature", temperature, 1e-6);
    requireOneOf("distilRetrieval", "weigh", weigh, weighings);
    const given = teacher === null ? null : teacherOf("distilRetrieval", teacher);
    const scored = (features: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor => {
      const [one, two] = exampleHalves(x).map((half) => {
        const own = features(half);
        return normalised(tf.reshape(own, [own.shape[0]!, -1])) as tf.Tensor2D;
      });
      return tf.div(tf.matMul(one!, two!, false, true), temperature);
    };
    return {
      tokens: "its halves are of numbers, and tokens are none",
      init: (context): Memory => ({ tensors: given === null ? {} : { teacher: given.tensors(context) } }),
      taskLoss({ tensors }: Memory, { x, forward }) {
        const own = scored((half) => forward(half).features, x);
        const taught =
          given === null ? null : still(scored((half) => given.features(tensors.teacher as TeacherTensors, half), x));
        const one = retrieved(own, taught, { negatives, weight, weigh });
        const two = retrieved(tf.transpose(own), taught === null ? null : tf.transpose(taught), {
          negatives,
          weight,
          weigh,
        });
        return tf.div(tf.add(one, two), 2) as tf.Scalar;
      },
    };
  },
);

/** *Traced.* The two halves of examples, with zeros in place of the other. */
export function exampleHalves(x: tf.Tensor): readonly [tf.Tensor, tf.Tensor] {
  const size = x.shape[1]!;
  const shape = [1, size, ...x.shape.slice(2).map(() => 1)];
  const upper = tf.reshape(
    tf.tensor1d(Float32Array.from({ length: size }, (_, i) => +(i < Math.ceil(size / 2)))),
    shape,
  );
  return [tf.mul(x, upper), tf.mul(x, tf.sub(1, upper))];
}

/** *Traced.* The loss of finding row i's other half, which is column i, by `[n, n]` scores. */
function retrieved(
  own: tf.Tensor,
  taught: tf.Tensor | null,
  { negatives, weight, weigh }: { negatives: number; weight: number; weigh: Weighing },
): tf.Tensor {
  const n = own.shape[0]!;
  const right = tf.eye(n);
  const entropies = (scores: tf.Tensor, chosen: tf.Tensor): tf.Tensor =>
    tf.neg(tf.sum(tf.mul(tf.logSoftmax(among(scores, chosen)), right), 1));
  if (taught === null) return tf.mean(entropies(own, tf.onesLike(own)));
  const chosen = hardest(taught, right, Math.min(negatives, n - 1));
  const meanOf = (each: tf.Tensor): tf.Tensor => tf.div(tf.sum(tf.mul(each, chosen), 1), tf.sum(chosen, 1));
  const squares = meanOf(tf.square(tf.sub(taught, own)));
  if (weigh === "student") {
    const losses = entropies(own, chosen);
    const behind = tf.sub(1, tf.exp(tf.neg(tf.div(still(losses), tf.add(entropies(taught, chosen), 1e-7)))));
    return tf.add(tf.mul(tf.mean(tf.mul(squares, behind)), weight), tf.mean(losses));
  }
  const each = meanOf(tf.sub(tf.softplus(own), tf.mul(own, right)));
  if (weigh === "none") return tf.add(tf.mul(tf.mean(squares), weight), tf.mul(tf.mean(each), 1 - weight));
  const inside = among(taught, chosen);
  const unsure = tf.neg(tf.sum(tf.mul(tf.softmax(inside), tf.logSoftmax(inside)), 1));
  const share = tf.div(unsure, tf.maximum(tf.sum(unsure), 1e-12));
  const sure = tf.softmax(tf.square(tf.sub(1, share)));
  return tf.add(tf.mul(tf.sum(tf.mul(squares, sure)), weight), tf.mul(tf.sum(tf.mul(each, share)), 1 - weight));
}

/** *Traced.* Scores with those that are not chosen far below all others. */
function among(scores: tf.Tensor, chosen: tf.Tensor): tf.Tensor {
  return tf.add(scores, tf.mul(tf.sub(1, chosen), excluded));
}

/** *Traced.* 1 for the right column of each row and the `count` others that score highest. */
function hardest(scores: tf.Tensor, right: tf.Tensor, count: number): tf.Tensor {
  if (count === 0) return right;
  const { indices } = tf.topk(tf.add(scores, tf.mul(right, excluded)), count);
  return tf.add(right, tf.sum(oneHots(indices, scores.shape[1]!), 1));
}
