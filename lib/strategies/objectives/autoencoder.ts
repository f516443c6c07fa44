import { sizeOf } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { meanSquares } from "../parts/distillation.ts";
import { shown } from "../parts/views.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** From features back to the numbers of an example. A type, not an interface, so that it is a tree of tensors. */
type Decoder = { readonly hidden?: Layer; readonly out: Layer };
type Layer = { readonly kernel: tf.Tensor2D; readonly bias: tf.Tensor };

/**
 * Denoising autoencoder: examples of which a part is hidden are to be restored from the network's features, without a label.
 *
 * The loss is the mean squared difference of what a decoder makes of the features and the whole example. The decoder has a hidden layer of
 * `units`, or none. It takes the place of the task's loss: rows without a label count as others, and the head is not trained. With nothing
 * hidden it is a plain autoencoder, as narrow as the features.
 *
 * Vincent et al. 2008, "Extracting and composing robust features with denoising autoencoders", section 2.3: masking noise.
 * Differs from the paper: the squared error whatever the range of the numbers; all layers at once; the decoder's weights are its own.
 *
 * @example
 * ```ts
 * import { autoencoder, classes, digits, mlp } from "thalweg";
 * classes(digits()).withhold("labels").learn(mlp({ hidden: [32] })).by(autoencoder({ hide: 0.3 }));
 * ```
 */
export const autoencoder = strategy(
  "autoencoder",
  {
    /** The share of the numbers of an example that is hidden, set to 0. */
    hide: 0.25,
    /** Hidden units of the decoder; 0 makes it linear. */
    units: 0,
  },
  ({ hide, units }) => {
    requireNumber("autoencoder", "hide", hide, 0, 0.999);
    requireWhole("autoencoder", "units", units, 0);
    return {
      tokens: "it restores numbers, and tokens are none",
      parameters({ network, rng }): Params {
        const layer = (name: string, inputs: number, outputs: number): Layer => ({
          kernel: rng.at(name).normals([inputs, outputs], 0, Math.sqrt(1 / inputs)) as tf.Tensor2D,
          bias: tf.zeros([outputs]),
        });
        const width = sizeOf(network.width);
        const size = sizeOf(network.input);
        if (units === 0) return { out: layer("out", width, size) };
        return { hidden: layer("hidden", width, units), out: layer("out", units, size) };
      },
      taskLoss(_state, { x, weights, rng, forward }) {
        const { hidden, out } = weights.added!.autoencoder as Decoder;
        const seen = rng === null || hide === 0 ? x : tf.mul(x, shown(x, rng.at("autoencoder"), hide));
        const through = (from: tf.Tensor, { kernel, bias }: Layer): tf.Tensor =>
          tf.add(tf.matMul(from as tf.Tensor2D, kernel), bias);
        const rows = x.shape[0]!;
        const features = tf.reshape(forward(seen).features, [rows, -1]);
        const restored = through(hidden === undefined ? features : tf.relu(through(features, hidden)), out);
        return meanSquares(restored, tf.reshape(x, [rows, -1]));
      },
    };
  },
);
