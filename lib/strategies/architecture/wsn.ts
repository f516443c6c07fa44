import { mapTensors, type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { movedColumns, ownColumns } from "../parts/own-head.ts";
import { largestShare, straightThrough } from "../parts/quantile.ts";
import { requireNumber, strategy } from "../strategy.ts";

/** For each weight of the model: 1 where a past task uses it; for each task its mask, stacked; what is left of it outside a mask. */
interface Memory {
  readonly tensors: {
    readonly used: Params;
    readonly masks: Params;
    readonly background: Params;
    readonly done: tf.Tensor;
    /** The head's columns of this task. */
    readonly open: tf.Tensor;
  };
}

/**
 * Winning subnetworks: each task chooses a part of the weights by scores that it learns, and weights chosen before never change.
 *
 * Every kernel of the model has scores of its own shape; the network is run with the `share` of weights in each kernel whose scores are
 * largest. Scores learn through the choice as if it were the identity. A weight that a past task has chosen may be chosen again but has no
 * step. With `soft`, weights that are not chosen are not 0 but a random share of themselves (SoftNet). Needs the task at test time.
 *
 * Kang et al. 2022, "Forget-free continual learning with winning subnetworks", algorithm 1; soft: Kang et al. 2023, arXiv:2303.14962.
 * Differs from the paper: scores go on from task to task rather than begin anew; masks are kept as numbers, not Huffman-coded; biases and
 * other vectors are trained in the first experience only.
 *
 * Implements: P130 WSN / SoftNet
 *
 * @example
 * ```ts
 * import { wsn } from "thalweg";
 * wsn({ share: 0.3 });
 * ```
 */
export const wsn = strategy(
  "wsn",
  {
    /** Share of the weights that a task uses, in (0, 1]. */
    share: 0.3,
    /** The largest share of themselves that weights outside a task's choice keep, in [0, 1). */
    soft: 0,
  },
  ({ share, soft }) => {
    requireNumber("wsn", "share", share, 1e-3, 1);
    requireNumber("wsn", "soft", soft, 0, 0.999);
    const scores = (weights: Weights): Params => weights.added!.wsn as Params;
    const chosen = (score: tf.Tensor): tf.Tensor =>
      score.rank < 2 ? tf.onesLike(score) : largestShare(score, tf.onesLike(score), tf.scalar(share));
    const softened = (mask: tf.Tensor, background: tf.Tensor): tf.Tensor =>
      soft === 0 ? mask : tf.maximum(mask, tf.mul(background, soft));
    return {
      tokens: true,
      parameters: ({ weights, rng }) => {
        let next = 0;
        const drawn = (w: tf.Tensor): tf.Tensor => rng.at("scores", next++).uniforms(w.shape);
        return mapTensors(drawn, weights.model);
      },
      init: ({ weights, stream, rng, columns }): Memory => ({
        tensors: {
          used: mapTensors((w) => tf.zerosLike(w), weights.model),
          masks: mapTensors((w) => tf.zeros([stream.tasks, ...w.shape]), weights.model),
          background: shades(weights, rng),
          done: tf.zeros([stream.tasks]),
          open: tf.ones([1, columns]),
        },
      }),
      beforeExperience: ({ tensors }: Memory, { task }, context): Memory => ({
        tensors: { ...tensors, open: ownColumns(task, context) },
      }),
      rowwise: true,
      forward({ tensors }: Memory, { plain, weights, task, training }) {
        if (tensors === undefined || task === null) return plain();
        const at = tf.slice(tf.cast(task, "int32"), [0], [1]);
        const known = tf.reshape(tf.gather(tensors.done, at), []);
        const model = mapTensors(
          (w, score, masks, shade) => {
            if (training) return tf.mul(w, softened(straightThrough(score!, chosen), shade!));
            const own = tf.reshape(tf.gather(masks!, at), w.shape);
            const mask = tf.add(tf.mul(own, known), tf.mul(chosen(score!), tf.sub(1, known)));
            return tf.mul(w, softened(mask, shade!));
          },
          weights.model,
          scores(weights),
          tensors.masks,
          tensors.background,
        );
        return plain({ ...weights, model });
      },
      weights: ({ tensors }: Memory, { before, after }) => ({
        ...after,
        model: mapTensors(
          (old, now, used) => tf.where(tf.greater(used!, 0), old, now!),
          before.model,
          after.model,
          tensors.used,
        ),
        head: movedColumns(before.head, after.head, tensors.open),
      }),
      afterExperience({ tensors }: Memory, { task }, { weights, stream }): Memory {
        const row = tf.tidy(() => tf.cast(tf.equal(tf.range(0, stream.tasks), task), "float32"));
        const made = tf.tidy((): tf.TensorContainer => {
          const own = mapTensors((score) => chosen(score), scores(weights));
          return {
            used: mapTensors((used, mask) => tf.maximum(used, mask!), tensors.used, own),
            masks: mapTensors(
              (masks, mask) => {
                const onto = tf.reshape(row, [stream.tasks, ...mask!.shape.map(() => 1)]);
                return tf.add(tf.mul(masks, tf.sub(1, onto)), tf.mul(tf.expandDims(mask!, 0), onto));
              },
              tensors.masks,
              own,
            ),
            background: mapTensors((shade) => shade.clone(), tensors.background),
            done: tf.maximum(tensors.done, row),
            open: tensors.open.clone(),
          } as unknown as tf.TensorContainer;
        }) as unknown as Memory["tensors"];
        row.dispose();
        return { tensors: made };
      },
    };
  },
  ["task", "boundary", "length"],
);

/** What each weight keeps of itself outside a soft mask, before it is scaled. */
function shades({ model }: Weights, rng: Rng): Params {
  let next = 0;
  return mapTensors((w) => rng.at("background", next++).uniforms(w.shape), model);
}
