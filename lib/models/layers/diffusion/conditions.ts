import { needOneOf, needWhole } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import { noiseSchedule } from "../../noise-schedule.ts";
import { type ConditionsOptions, conditionNames } from "../../parts/conditioned.ts";
import { product, productParams } from "../../parts/product.ts";

/**
 * Lets everything through, and makes of a chain a denoiser: layers after it may depend on how noisy the picture is and on the class that is wanted.
 *
 * The time is put into waves, `cos(t / 10000^(2i/width))` and the sines, which two products with a sigmoid linear unit between them make a vector of; the vector
 * of the class is added, one of `classes + 1`, of which the last stands for no class. `modulate` and `ditBlock` read the sum. A network that is told nothing
 * is at time 0, without a class; `diffusion` and `sample` tell it. The schedule of the noise belongs to the layer, so that a trained network has it.
 *
 * Peebles and Xie 2023, "Scalable diffusion models with transformers", arXiv:2212.09748, section 3.2 and appendix A.
 *
 * @throws RangeError for a width that is odd, or a range whose ends are not in order.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conditions(16, { classes: 10, steps: 50 }).dense(64).modulate().relu().dense(2).features([2]); // [2]
 * ```
 */
export const conditions = sameLayer("conditions", (width: number, given: ConditionsOptions = {}) => {
  const { classes = 0, steps = 200, schedule = "cosine", predicts = "noise", range = [0, 1] } = given;
  requireCount("conditions", "width", width, 2);
  needWhole("conditions", "classes", classes, 0);
  noiseSchedule({ steps, schedule });
  needOneOf("conditions", "predicts", predicts, ["noise", "start"]);
  if (width % 2 !== 0) throw new RangeError(`conditions: an even width is required, got ${width}`);
  if (!(range[0] < range[1])) throw new RangeError(`conditions: a range [low, high] is required, got [${range}]`);
  return {
    options: { width, classes, steps, schedule, predicts, range: [...range] },
    shape(input, remembered) {
      remembered?.set(conditionNames.time, [width]);
      remembered?.set(conditionNames.condition, [width]);
      remembered?.set(conditionNames.picture, input);
      return input;
    },
    init: (rng) => ({
      waves: productParams(rng.at("waves"), width, width),
      time: productParams(rng.at("time"), width, width),
      ...(classes > 0 && { classes: { kernel: rng.at("classes").normals([classes + 1, width], 0, 0.02) } }),
    }),
    kindOf: ([part]) => (part === "classes" ? "embedding" : undefined),
    apply(x, params, mode, remembered) {
      const n = x.shape[0]!;
      const slow = Float32Array.from({ length: width / 2 }, (_, i) => 10_000 ** ((-2 * i) / width));
      const angles = tf.mul(tf.expandDims(mode.beside("time") ?? tf.zeros([n]), 1), tf.tensor2d(slow, [1, width / 2]));
      const waves = tf.concat([tf.cos(angles), tf.sin(angles)], 1);
      const time = product(nn.silu(product(waves, params, "waves", mode)), params, "time", mode);
      const wanted = (): tf.Tensor => {
        const label = mode.beside("label") ?? tf.fill([n], classes);
        const chosen = tf.cast(tf.oneHot(tf.cast(label, "int32"), classes + 1), "float32");
        return product(chosen, params, "classes", mode);
      };
      remembered?.set(conditionNames.time, time);
      remembered?.set(conditionNames.condition, classes === 0 ? time : tf.add(time, wanted()));
      remembered?.set(conditionNames.picture, x);
      return x;
    },
  };
});
