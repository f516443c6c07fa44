import { needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A change of a kernel by a few numbers of its spectrum: the real part of the inverse Fourier transform of a matrix that is 0 but at `count`
 * random places, where it is trained, times `scale`.
 *
 * The numbers begin as zeros, so that the network begins as it was. The transform is two products with cosines and two with sines.
 *
 * Gao et al. 2024, "Parameter-efficient fine-tuning with discrete Fourier transform", arXiv:2405.03003, equations 2 to 4. Differs from the paper:
 * each layer has places of its own.
 *
 * @example
 * ```ts
 * import { fourier, vit } from "thalweg";
 * vit().adapt(fourier({ count: 100, on: ["*query", "*value"] }));
 * ```
 */
export const fourier = adapter(
  "fourier",
  {
    /** How many numbers are trained for each layer; at most those of its kernel. */
    count: 100,
    /** The change is multiplied by this. */
    scale: 150,
  },
  { kind: "weight" },
  ({ count, scale }) => {
    needWhole("fourier", "count", count);
    return onKernels({
      fixed: ["places"],
      init(rng, { shape: [inputs, units] }) {
        const chosen = rng.at("places").sample(inputs * units, Math.min(count, inputs * units));
        const places = Array.from(chosen, (at) => [Math.floor(at / units), at % units]);
        return { spectrum: tf.zeros([chosen.length]), places: tf.tensor2d(places) };
      },
      changed({ spectrum, places }, kernel) {
        const [inputs, units] = kernel.shape;
        const n = (spectrum as tf.Tensor).size;
        const waves = (column: number, length: number): tf.Tensor => {
          const at = tf.slice(places as tf.Tensor2D, [0, column], [n, 1]);
          return tf.mul(tf.mul(at, tf.reshape(tf.range(0, length), [1, length])), (2 * Math.PI) / length);
        };
        const [down, across] = [waves(0, inputs), waves(1, units)];
        const weighed = tf.reshape(tf.mul(spectrum as tf.Tensor, scale / (inputs * units)), [n, 1]);
        // cos(a + b) = cos a cos b − sin a sin b
        const even = tf.matMul(tf.mul(tf.cos(down), weighed), tf.cos(across), true);
        const odd = tf.matMul(tf.mul(tf.sin(down), weighed), tf.sin(across), true);
        return tf.add(kernel, tf.sub(even, odd));
      },
    });
  },
);
