import { needOneOf } from "../../data/options.ts";
import { type Tree, tf } from "../../engine/index.ts";
import type { Within } from "../../models/model.ts";
import { kernelsIn, withKernels } from "../parts/kernels.ts";
import { requireNumber, strategy } from "../strategy.ts";

interface Memory {
  readonly carried: { readonly steps: tf.Tensor };
  readonly tensors: { readonly total: tf.Tensor };
}

/**
 * ReSTE: a network of binary kernels, the sign of each number times the mean size of its kernel, whose gradient is that of a power of the number, which
 * goes from the number itself towards the sign.
 *
 * The gradient of the sign at z is `1/o · |z|^((1 − o)/o)` up to |z| = `reach`, that of a line from 0 below 0.1, and 0 beyond: with o = 1 the
 * straight-through estimator, which is least in error of the gradient's stability, with a larger o nearer to the sign. In the first experience o goes from 1 to `power` by
 * `1 + (power − 1) (1 − cos(π t / 2T))`. The first kernel of the model and the head stay as they are, as is usual. With `activations` what comes into a binary layer, also within
 * blocks, becomes its sign too.
 *
 * Implements: P448 ReSTE
 *
 * Wu et al. 2023, "Estimator meets equilibrium perspective: a rectified straight through estimator for binary neural networks training",
 * arXiv:2308.06689, equations 6 to 8; defaults and the course of o are those of the authors' program. `estimator: "ste"` is Courbariaux et al. 2016,
 * arXiv:1602.02830. Differs from the paper: none known.
 *
 * @example
 * ```ts
 * import { reste } from "thalweg";
 * reste({ power: 3, activations: true });
 * ```
 */
export const reste = strategy(
  "reste",
  {
    /** "reste", or "ste": the straight-through estimator, whose gradient is 1 up to a size of 1. */
    estimator: "reste" as string,
    /** The power at the end, at least 1. */
    power: 3,
    /** The size beyond which there is no gradient. */
    reach: 1.5,
    /** Whether what comes into binary layers is binary too. */
    activations: false,
  },
  ({ estimator, power, reach, activations }) => {
    needOneOf("reste", "estimator", estimator, ["reste", "ste"]);
    requireNumber("reste", "power", power, 1);
    requireNumber("reste", "reach", reach, 0.1);
    const slope = (z: tf.Tensor, o: tf.Tensor): tf.Tensor =>
      estimator === "ste" ? tf.cast(tf.lessEqual(tf.abs(z), 1), "float32") : slopeAt(z, o, reach);
    return {
      tokens: true,
      rowwise: true,
      init: (): Memory => ({ carried: { steps: tf.scalar(0) }, tensors: { total: tf.scalar(1) } }),
      beforeExperience({ carried, tensors }: Memory, { index, train }, { batch, epochs }): Memory {
        const steps = Math.max(1, Math.ceil(train.length / batch) * epochs);
        return {
          carried: { steps: carried.steps.clone() },
          tensors: { total: index === 0 ? tf.scalar(steps) : tensors.total.clone() },
        };
      },
      forward({ carried, tensors }: Memory, { plain, weights, network }) {
        // worked out where the gradient is: what is made on the way there is gone by then
        const o = (): tf.Tensor => {
          const past = carried === undefined ? tf.scalar(1) : tf.minimum(tf.div(carried.steps, tensors.total), 1);
          return tf.add(1, tf.mul(tf.sub(1, tf.cos(tf.mul(past, Math.PI / 2))), power - 1));
        };
        const [, ...kernels] = Object.entries(kernelsIn(network, weights, "*"));
        const own = kernels.map(([path, w]) => [
          path,
          tf.mul(
            signOf(w, (z) => slope(z, o())),
            tf.mean(tf.abs(w)),
          ),
        ]);
        const binary = new Set(kernels.map(([path]) => path));
        const into: Within["into"] = (path, x) =>
          binary.has(`${path.slice(1).join("/")}/kernel`) ? signOf(x, (z) => slope(z, o())) : x;
        return plain({ weights: withKernels(weights, Object.fromEntries(own)), ...(activations && { into }) });
      },
      update: ({ carried }: Memory): Tree => ({ steps: tf.add(carried.steps, 1) }) as unknown as Tree,
    };
  },
  ["boundary", "length"],
);

/** *Traced.* The sign of numbers, with a gradient of one's own. */
function signOf(z: tf.Tensor, slope: (z: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.customGrad((given, save) => {
    (save as tf.GradSaveFunc)([given as tf.Tensor]);
    return {
      value: tf.sign(given as tf.Tensor),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(dy, slope(saved!)),
    };
  })(z);
}

/** *Traced.* The gradient that stands for that of the sign. */
export function slopeAt(z: tf.Tensor, o: tf.Tensor, reach: number, line = 0.1): tf.Tensor {
  const size = tf.abs(z);
  const inverse = tf.div(1, o);
  const power = tf.mul(inverse, tf.pow(tf.maximum(size, line), tf.sub(inverse, 1)));
  const straight = tf.div(tf.pow(tf.scalar(line), inverse), line);
  const near = tf.where(tf.greater(size, line), power, tf.mul(tf.onesLike(size), straight));
  return tf.mul(near, tf.cast(tf.lessEqual(size, reach), "float32"));
}
