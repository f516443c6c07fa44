import { random, tf } from "../../engine/index.ts";
import { noised } from "../../models/noise-schedule.ts";
import { centred, keptAt, type Noising, noiseOf, noisingOf, told, toldOf } from "../../models/parts/conditioned.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Denoising diffusion: examples get noise, of which the network is to say what it was; `sample` then draws examples from it.
 *
 * Each example is shown at a random step of the schedule of the denoiser, `√ᾱ · x + √(1 − ᾱ) · ε`; the loss is the mean squared error of ε, or of x where the denoiser `predicts` it, in place of the task's. The
 * class is told where the denoiser has `classes`, but left out at random, so that `sample` can be guided by it without a classifier; rows without a label
 * have none; a denoiser with `coarse` is told the means of squares of the example. Examples must lie in the denoiser's `range`.
 *
 * The network also classifies: the logit of a class is minus the squared error of the noise where that class is told, summed over the numbers of an example and
 * averaged over `looks` steps with the same noise for all classes (Li et al. 2023, "Your diffusion model is secretly a zero-shot classifier", arXiv:2303.16203, algorithm 1).
 *
 * Ho et al. 2020, "Denoising diffusion probabilistic models", arXiv:2006.11239, equation 14; Ho and Salimans 2022, "Classifier-free diffusion guidance",
 * arXiv:2207.12598, algorithm 1. Differs from the papers: looks are at evenly spaced steps.
 *
 * @throws TypeError for a model that is no denoiser; RangeError where it is told fewer classes than there are columns.
 *
 * @example
 * ```ts
 * import { classes, diffusion, digits, dit, sample } from "thalweg";
 * const quiet = { quiet: true, record: false } as const;
 * const study = classes(digits()).learn(dit({ classes: 10, width: 16, depth: 1 })).by(diffusion()).train({ batch: 64, steps: 4 });
 * const network = await (await study.run(quiet)).network();
 * sample(network, { labels: [3, 3, 8], steps: 5 }).shape; // [8, 8, 1]
 * ```
 */
export const diffusion = strategy(
  "diffusion",
  {
    /** The share of examples whose class is not told. */
    dropLabels: 0.1,
    /** At how many steps noise is looked at to classify an example; 0: the head classifies, which is not trained. */
    looks: 2,
  },
  ({ dropLabels, looks }) => {
    requireNumber("diffusion", "dropLabels", dropLabels, 0, 1);
    requireWhole("diffusion", "looks", looks, 0);
    return {
      denoiser: true,
      rowwise: true,
      tokens: "it takes noise out of numbers, and tokens are none",
      beforeExperience(state, _experience, { network, columns }) {
        const { classes } = noisingOf(network.model)!;
        if (classes > 0 && classes < columns)
          throw new RangeError(
            `diffusion: a denoiser that is told at least the ${columns} columns is required, got classes: ${classes}; make it with { classes: ${columns} }`,
          );
        return state;
      },
      taskLoss(_state, { x, y, weight, rng, network, forward }) {
        const noising = noisingOf(network.model)!;
        const n = x.shape[0]!;
        const own = rng?.at("diffusion");
        const step = own ? tf.floor(own.at("step").uniforms([n], 0, noising.schedule.steps)) : tf.zeros([n]);
        const noise = own ? own.at("noise").normals(x.shape) : tf.zeros(x.shape);
        const none = own ? tf.less(own.at("label").uniforms([n]), dropLabels) : tf.zeros([n], "bool");
        const unknown = weight === null ? none : tf.logicalOr(none, tf.lessEqual(weight, 0));
        const label = tf.where(unknown, tf.fill([n], noising.classes), tf.cast(y, "float32"));
        const start = centred(x, noising);
        const noisy = noised(start, noise, keptAt(noising, step, x.rank));
        const said = forward(noisy, { beside: { ...told(noising, step, label), ...toldOf(noising, start) } }).features;
        const wanted = noising.predicts === "noise" ? noise : start;
        return tf.mean(tf.squaredDifference(tf.reshape(said, x.shape), wanted)) as tf.Scalar;
      },
      predict(_state, { x, logits, network, forward }) {
        const noising = noisingOf(network.model)!;
        if (noising.classes === 0 || looks === 0) return logits;
        const errors = Array.from({ length: looks }, (_, i) =>
          classErrors(
            centred(x, noising),
            noising,
            logits.shape[1]!,
            (i + 0.5) / looks,
            i,
            (noisy, beside) => forward(noisy, { beside }).features,
          ),
        );
        return tf.neg(tf.div(tf.addN(errors), looks));
      },
    };
  },
);

/** `[n, columns]`: how far from the noise in examples a denoiser is when each class is told. */
function classErrors(
  x: tf.Tensor,
  noising: Noising,
  columns: number,
  share: number,
  look: number,
  said: (noisy: tf.Tensor, beside: { [name: string]: tf.Tensor }) => tf.Tensor,
): tf.Tensor {
  const [n, ...shape] = x.shape as [number, ...number[]];
  const step = tf.fill([n * columns], Math.floor(share * noising.schedule.steps));
  const noise = random(0)
    .at("diffusion", look)
    .normals([1, ...shape]);
  const kept = keptAt(noising, tf.slice(step, [0], [1]), x.rank);
  const noisy = noised(x, noise, kept);
  const each = tf.tile(noisy, [columns, ...shape.map(() => 1)]);
  const label = tf.reshape(tf.tile(tf.expandDims(tf.range(0, columns), 1), [1, n]), [n * columns]);
  const beside = { ...told(noising, step, label), ...toldOf(noising, tf.tile(x, [columns, ...shape.map(() => 1)])) };
  const found = noiseOf(noising, tf.reshape(said(each, beside), each.shape), each, kept);
  const off = tf.reshape(tf.squaredDifference(found, noise), [n * columns, -1]);
  return tf.transpose(tf.reshape(tf.sum(off, 1), [columns, n]));
}
