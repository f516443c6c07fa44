import { type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { normalised } from "../parts/distillation.ts";
import { still } from "../parts/still.ts";
import { requireViews, viewOf } from "../parts/views.ts";
import { requireWhole, strategy } from "../strategy.ts";

/** A small network on the features: a hidden layer and a linear one. A type, not an interface, so that it is a tree of tensors. */
type Two = { readonly first: tf.Tensor2D; readonly second: tf.Tensor2D };

/**
 * SimSiam: two views of an example are to be foretold from each other, without a label and without others to differ from.
 *
 * The loss is `−½ · (cos(p₁, z₂) + cos(p₂, z₁))`, the mean over rows: z is a projection of the features of a view, p a prediction made of
 * z, and no gradient flows through the z that is foretold. It takes the place of the task's loss: rows without a label count as
 * others, the head is not trained, and labels are not looked at. What begins `from` the network takes neither projection nor prediction.
 *
 * Chen and He 2021, arXiv:2011.10566, eq. 1–2 and algorithm 1.
 * Differs from the paper: views are moved, mirrored, noisy and partly hidden, as options say; the projection has two layers; normalisation
 * is by the batch alone, without scales and shifts.
 *
 * @example
 * ```ts
 * import { classes, digits, net, simsiam } from "thalweg";
 * const model = net().conv(16, 3).relu().pool(2).flatten().dense(64).relu();
 * classes(digits()).withhold("labels").learn(model).by(simsiam({ shiftPixels: 1, noise: 0.1 }));
 * ```
 */
export const simsiam = strategy(
  "simsiam",
  {
    /** Numbers of a projection. */
    units: 32,
    /** Hidden units of the prediction, fewer than `units`. */
    narrow: 8,
    /** Moves of an image by up to so many pixels. */
    shiftPixels: 1,
    /** The share of images that is mirrored. */
    flip: 0,
    /** Deviation of the noise that is added. */
    noise: 0.1,
    /** The share of numbers that is set to 0. */
    hide: 0.1,
  },
  ({ units, narrow, ...views }) => {
    requireWhole("simsiam", "units", units, 1);
    requireWhole("simsiam", "narrow", narrow, 1);
    requireViews("simsiam", views);
    const drawn = (rng: Rng, inputs: number, hidden: number, outputs: number): Two => ({
      first: rng.at("first").normals([inputs, hidden], 0, Math.sqrt(2 / inputs)) as tf.Tensor2D,
      second: rng.at("second").normals([hidden, outputs], 0, Math.sqrt(1 / hidden)) as tf.Tensor2D,
    });
    const through = (x: tf.Tensor, { first, second }: Two): tf.Tensor =>
      tf.matMul(tf.relu(byBatch(tf.matMul(x as tf.Tensor2D, first))) as tf.Tensor2D, second);
    return {
      tokens: "its views are of numbers, and tokens are none",
      parameters: ({ network, rng }): Params => ({
        projection: drawn(rng.at("projection"), network.width[0]!, units, units),
        prediction: drawn(rng.at("prediction"), units, narrow, units),
      }),
      taskLoss(_state, { x, weights, rng, forward }) {
        const { projection, prediction } = weights.added!.simsiam as { projection: Two; prediction: Two };
        const side = (name: string): { z: tf.Tensor; p: tf.Tensor } => {
          const { features } = forward(viewOf(x, rng === null ? null : rng.at("simsiam", name), views));
          const z = byBatch(through(features, projection));
          return { z, p: through(z, prediction) };
        };
        const [one, two] = [side("one"), side("two")];
        const near = (p: tf.Tensor, z: tf.Tensor): tf.Tensor =>
          tf.mean(tf.sum(tf.mul(normalised(p), normalised(still(z))), -1));
        return tf.mul(tf.add(near(one.p, two.z), near(two.p, one.z)), -0.5) as tf.Scalar;
      },
    };
  },
);

/** Numbers with mean 0 and variance 1 over the batch. */
function byBatch(x: tf.Tensor): tf.Tensor {
  const apart = tf.sub(x, tf.mean(x, 0));
  return tf.mul(apart, tf.rsqrt(tf.add(tf.mean(tf.square(apart), 0), 1e-5)));
}
