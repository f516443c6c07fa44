import { type Rng, scoped, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { type Kernels, kernelsIn, withKernels } from "../parts/kernels.ts";
import { type Context, requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors: {
    /** Where in the array each number of a kernel lies, and what it is multiplied by. */
    readonly places: Kernels;
    readonly scales: Kernels;
    /** For each place of the array the sum of the squares of what is made of it. */
    readonly squares: tf.Tensor;
  };
}

/**
 * STABLE-RPS: the kernels of a network are read out of one array that is shorter than they are together, at random places, so that numbers far apart are
 * the same one, times a scale of each kernel's own.
 *
 * Only the array is trained, with everything that is no kernel. Its gradient is divided by the sum of the squared scales of the numbers that share a place: kernels then move as
 * gradients of their mean do, whatever their scales, and with `budget: 1`, where each place is used once, training is that of the network as it is.
 * Places are drawn so that each is used as often as any other, but for one.
 *
 * Implements: P452 STABLE-RPS
 *
 * Desai and Shrivastava 2023, "In defense of parameter sharing for model-compression", arXiv:2310.11611. Written from accounts of it, which have a scaler of the gradient that goes by
 * the scales and a placement that loses nothing at no compression, and what is known of ROAST (Desai et al. 2022, arXiv:2207.10702): the paper's own scaler and its proof were not at hand;
 * this one has both properties that it is for. Differs from ROAST: numbers are placed one by one, not in chunks, and have no signs.
 *
 * @example
 * ```ts
 * import { stableRps } from "thalweg";
 * stableRps({ budget: 0.05 });
 * ```
 */
export const stableRps = strategy(
  "stableRps",
  {
    /** The length of the array, as a share of the numbers of all kernels of the model, in (0, 1]. */
    budget: 0.1,
  },
  ({ budget }) => {
    requireNumber("stableRps", "budget", budget, 1e-6, 1);
    const arrayOf = (weights: Weights): tf.Tensor | undefined =>
      (weights.added?.stableRps as { readonly array: tf.Tensor } | undefined)?.array;
    const sharing = ({ network, weights, rng }: Context): readonly (readonly [string, tf.Tensor, Int32Array])[] => {
      const kernels = Object.entries(kernelsIn(network, weights, "*"));
      const total = kernels.reduce((sum, [, { size }]) => sum + size, 0);
      const places = drawnPlaces(total, Math.max(1, Math.round(budget * total)), rng.at("places"));
      let from = 0;
      return kernels.map(([path, w]) => {
        from += w.size;
        return [path, w, places.subarray(from - w.size, from)];
      });
    };
    const lengthOf = (all: readonly (readonly [string, tf.Tensor, Int32Array])[]): number =>
      1 + all.reduce((most, [, , places]) => places.reduce((a, b) => Math.max(a, b), most), -1);
    const scaleOf = (w: tf.Tensor): number =>
      Math.sqrt((w.dataSync() as Float32Array).reduce((sum, x) => sum + x * x, 0) / w.size) || 1;
    return {
      tokens: true,
      rowwise: true,
      parameters(context) {
        const all = sharing(context);
        const array = new Float32Array(Math.max(1, lengthOf(all)));
        // the last one to be read at a place says how it begins
        for (const [, w, places] of all) {
          const scale = scaleOf(w);
          w.dataSync().forEach((x, i) => {
            array[places[i]!] = x / scale;
          });
        }
        return { array: tf.tensor1d(array) };
      },
      init(context): Memory {
        const all = sharing(context);
        const squares = new Float32Array(Math.max(1, lengthOf(all)));
        for (const [, w, places] of all) {
          const scale = scaleOf(w);
          for (const place of places) squares[place]! += scale * scale;
        }
        return {
          tensors: scoped(() => ({
            places: Object.fromEntries(all.map(([path, , places]) => [path, tf.tensor1d(places, "int32")])),
            scales: Object.fromEntries(all.map(([path, w]) => [path, tf.scalar(scaleOf(w))])),
            squares: tf.tensor1d(squares.map((x) => x || 1)),
          })),
        };
      },
      forward({ tensors }: Memory, { plain, weights, network }) {
        const array = arrayOf(weights);
        if (tensors === undefined || array === undefined) return plain();
        const own = Object.entries(kernelsIn(network, weights, "*")).map(([path, { shape }]) => [
          path,
          tf.mul(tf.reshape(tf.gather(array, tensors.places[path] as tf.Tensor1D), shape), tensors.scales[path]!),
        ]);
        return plain(withKernels(weights, Object.fromEntries(own)));
      },
      gradient({ tensors }: Memory, gradient) {
        const array = arrayOf(gradient);
        if (array === undefined) return gradient;
        return { ...gradient, added: { ...gradient.added, stableRps: { array: tf.div(array, tensors.squares) } } };
      },
    };
  },
);

/** A place in an array for each of some numbers: whole rounds through the array, each in an order of its own. */
export function drawnPlaces(count: number, length: number, rng: Rng): Int32Array {
  const out = new Int32Array(count);
  for (let from = 0; from < count; from += length) {
    const order = Int32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor(rng.uniform() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    out.set(order.subarray(0, Math.min(length, count - from)), from);
  }
  return out;
}
