import { tf } from "../../engine/index.ts";
import { oneHots } from "../parts/contrast.ts";
import { normalised, oldColumns } from "../parts/distillation.ts";
import { blanks, type Choice, choices, type Exemplars, rehearsal, unmet, withExperience } from "../parts/exemplars.ts";
import { headKernel } from "../parts/head-kernel.ts";
import { recalled, type Snapshot, snapshot } from "../parts/snapshot.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly exemplars: Exemplars | null;
  readonly tensors: { readonly teacher: Snapshot; readonly old: tf.Tensor; readonly strength: tf.Tensor } | undefined;
}

/**
 * LUCIR: a head of cosines, features that keep their direction, and a margin between old and new classes.
 *
 * Logits are `scale · cos(f, w_c)` with a trained scale. Trains on the experience's examples and exemplars with
 * `CE + less · √(old/new) · mean (1 − cos(f, f*)) + ranking · mean_old Σ_k max(0, margin − cos(f, w_y) + cos(f, w_k))`, f* being the
 * features before the experience, old and new the numbers of classes, and k the `hardest` new columns.
 *
 * Hou et al. 2019, "Learning a unified classifier incrementally via rebalancing", eq. 4, 6 and 8.
 * Differs from the paper: it writes √(new/old), its code has √(old/new), as here; the scale begins at 10, there at 1; new columns begin at
 * random, not at the mean feature of their class; features keep the rectifier before the head; no class-balanced fine-tuning.
 *
 * @example
 * ```ts
 * import { lucir } from "thalweg";
 * lucir({ capacity: 2000 });
 * ```
 */
export const lucir = strategy(
  "lucir",
  {
    /** Exemplars kept over all classes. */
    capacity: 2000,
    /** How exemplars are chosen. */
    choose: "herding" as Choice,
    /** Strength of the pull on directions of features. */
    less: 5,
    /** Strength, width and number of columns of the margin. */
    ranking: 1,
    margin: 0.5,
    hardest: 2,
  },
  ({ capacity, choose, less, ranking, margin, hardest }) => {
    requireWhole("lucir", "capacity", capacity, 1);
    requireOneOf("lucir", "choose", choose, choices);
    for (const [what, value] of Object.entries({ less, ranking, margin })) requireNumber("lucir", what, value, 0);
    requireWhole("lucir", "hardest", hardest, 1);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      parameters: () => ({ scale: tf.scalar(10) }),
      init: (): Memory => ({ exemplars: null, tensors: undefined }),
      beforeExperience({ exemplars }: Memory, { index, classes }, context): Memory {
        const old = oldColumns(context, index);
        if (old === null) return { exemplars, tensors: undefined };
        const met = exemplars?.classes.size ?? 0;
        const fresh = unmet(exemplars, classes).length;
        const strength = tf.scalar(less * Math.sqrt(met / Math.max(1, fresh)));
        return { exemplars, tensors: { teacher: snapshot(context), old, strength } };
      },
      ...rehearsal,
      rowwise: true,
      forward(_state, { plain, weights }) {
        const { features } = plain();
        const kernel = normalised(tf.transpose(headKernel("lucir", weights)));
        const cosines = tf.matMul(normalised(features) as tf.Tensor2D, kernel as tf.Tensor2D, false, true);
        return { features, logits: tf.mul(cosines, (weights.added!.lucir as { scale: tf.Tensor }).scale) };
      },
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { x, y, task, features, logits, weights } = step;
        const before = recalled(tensors.teacher, step, x, task).features;
        const turned = tf.sub(1, tf.sum(tf.mul(normalised(features), normalised(before)), -1));
        const kept = tf.mul(tf.mean(turned), tensors.strength);
        const cosines = tf.div(logits, (weights.added!.lucir as { scale: tf.Tensor }).scale);
        const columns = logits.shape[1]!;
        const labels = oneHots(y, columns);
        const own = tf.sum(tf.mul(cosines, labels), -1, true);
        const isOld = tf.sum(tf.mul(labels, tensors.old), -1);
        const open = step.mask === null ? tf.onesLike(tensors.old) : step.mask;
        const fresh = tf.sub(cosines, tf.mul(tf.sub(1, tf.mul(open, tf.sub(1, tensors.old))), 1e3));
        const rivals = largest(fresh, Math.min(hardest, columns));
        const short = tf.addN(rivals.map((rival) => tf.sum(tf.relu(tf.add(tf.sub(rival, own), margin)), -1)));
        const ranked = tf.div(tf.sum(tf.mul(short, isOld)), tf.maximum(tf.sum(isOld), 1));
        return tf.add(kept, tf.mul(ranked, ranking)) as tf.Scalar;
      },
      afterExperience({ exemplars, tensors }: Memory, { index, classes }, context) {
        const next = withExperience(exemplars, index, classes, capacity, choose, context);
        return { exemplars: next, tensors, notes: blanks(next) };
      },
    };
  },
  ["boundary", "labels"],
);

/** The `count` largest numbers of each row, `[n, 1]` each; unlike `topk` they have a gradient. */
function largest(rows: tf.Tensor, count: number): tf.Tensor[] {
  const out: tf.Tensor[] = [];
  let left = rows;
  for (let k = 0; k < count; k++) {
    const most = tf.max(left, -1, true);
    out.push(most);
    left = tf.sub(left, tf.mul(tf.cast(tf.greaterEqual(left, most), "float32"), 1e3));
  }
  return out;
}
