import { type Examples, gather } from "../../data/dataset.ts";
import { cloneTree, type Rng, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import { softCrossEntropies } from "../parts/distillation.ts";
import { currentRows } from "../parts/rows.ts";
import { recalled, type Snapshot, snapshot } from "../parts/snapshot.ts";
import { decoded, freshVae, type Vae, vaeLoss } from "../parts/vae.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly tensors:
    | { readonly solver: Snapshot; readonly generator: Vae; readonly past: tf.Tensor; readonly columns: tf.Tensor }
    | undefined;
}

/**
 * Deep generative replay: a generator trained beside the network dreams up past examples, which the network before the experience labels.
 *
 * The generator is a variational autoencoder with two hidden layers. In the t-th experience each step draws `draw` examples from the
 * generator as it was before the experience; the network has the loss `1/t · CE(batch) + (1 − 1/t) · strength · CE(drawn, labels)` and the
 * generator `1/t · ELBO(batch) + (1 − 1/t) · ELBO(drawn)`, with labels those that the network before the experience finds likeliest, or,
 * with `labels: "soft"`, its probabilities at temperature 2. Inputs must lie in [0, 1]; a note says when they do not.
 *
 * Shin et al. 2017, arXiv:1705.08690, eq. 1–2; the autoencoder and the weights are those of van de Ven et al. 2022.
 * Differs from the paper: a variational autoencoder in place of a generative adversarial network; network and generator share the run's
 * optimizer and learning rate. For class- and domain-incremental streams.
 *
 * @example
 * ```ts
 * import { generativeReplay } from "thalweg";
 * generativeReplay({ latent: 20, units: 200 });
 * ```
 */
export const generativeReplay = strategy(
  "generativeReplay",
  {
    /** Examples generated for each step; 0 generates as many as the batch has. */
    draw: 0,
    /** Numbers in the code of an example. */
    latent: 100,
    /** Units of each hidden layer of the generator. */
    units: 400,
    /** What the network before the experience says of a generated example: its likeliest class, or all its probabilities. */
    labels: "hard" as "hard" | "soft",
    /** How many times the loss on drawn examples counts for the network; 4, the square of the temperature, in van de Ven and Tolias 2019. */
    strength: 1,
  },
  ({ draw, latent, units, labels, strength }) => {
    requireNumber("generativeReplay", "strength", strength, 0);
    requireWhole("generativeReplay", "draw", draw, 0);
    requireWhole("generativeReplay", "latent", latent, 1);
    requireWhole("generativeReplay", "units", units, 1);
    requireOneOf("generativeReplay", "labels", labels, ["hard", "soft"]);
    const normals = (rng: Rng | null, name: string, shape: readonly number[]): tf.Tensor =>
      rng === null ? tf.zeros(shape as number[]) : rng.at(name).normals(shape);
    return {
      tokens: "its autoencoder gives numbers, and tokens are none",
      classes: true,
      parameters: ({ rng, stream }): Params => freshVae(rng.at("generator"), stream.shape, latent, units) as Params,
      init: (): Memory => ({ tensors: undefined }),
      beforeExperience(_memory: Memory, { index }, context): Memory {
        if (index === 0) return { tensors: undefined };
        const met = new Set<number>();
        for (let e = 0; e < index; e++) for (const c of context.stream.classesOf(context.stream.taskOf(e))) met.add(c);
        const columns = Float32Array.from({ length: context.columns }, (_, c) => (met.has(c) ? 1 : 0));
        const solver = snapshot(context);
        return {
          tensors: {
            solver,
            generator: cloneTree(context.weights.added!.generativeReplay as Vae),
            past: tf.scalar(index),
            columns: tf.tensor2d(columns, [1, context.columns]),
          },
        };
      },
      taskLoss({ tensors }, step) {
        const { x, count } = currentRows(step);
        const own = step.weights.added!.generativeReplay as Vae;
        const labelled = step.crossEntropy(step.logits, step.y, step.mask, step.weight);
        const fresh = tf.add(labelled, vaeLoss(own, x, normals(step.rng, "code", [count, latent])));
        return (tensors === undefined ? fresh : tf.div(fresh, tf.add(tensors.past, 1))) as tf.Scalar;
      },
      loss({ tensors }, step) {
        if (tensors === undefined) return tf.scalar(0);
        const { mask, task, count } = currentRows(step);
        const { rng } = step;
        const n = draw || count;
        const dreamt = decoded(tensors.generator, normals(rng, "dream", [n, latent]), step.network.input);
        const told = task === null ? null : tf.tile(tf.slice(task, [0], [1]), [n]);
        const given = recalled(tensors.solver, step, dreamt, told).logits;
        const known = tf.sub(given, tf.mul(tf.sub(1, tensors.columns), 1e9));
        const said = step.forward(dreamt, { task: told }).logits;
        const all = mask === null || mask.shape[0] !== 1 ? null : mask;
        const past =
          labels === "soft"
            ? tf.mean(softCrossEntropies(said, known, 2))
            : step.crossEntropy(said, tf.argMax(known, -1), all);
        const own = step.weights.added!.generativeReplay as Vae;
        const old = tf.add(tf.mul(past, strength), vaeLoss(own, dreamt, normals(rng, "old code", [n, latent])));
        return tf.mul(old, tf.div(tensors.past, tf.add(tensors.past, 1))) as tf.Scalar;
      },
      afterExperience(memory: Memory, { train }) {
        const outside = outsideUnit(train);
        return outside === 0
          ? memory
          : {
              ...memory,
              notes: [
                `${(100 * outside).toFixed(0)} % of the inputs are outside [0, 1], where no picture of the generator is; scale them`,
              ],
            };
      },
    };
  },
  ["boundary"],
);

/** The share of the numbers of some examples that are outside [0, 1]. */
function outsideUnit(examples: Examples): number {
  const some = Uint32Array.from({ length: Math.min(examples.length, 100) }, (_, i) => i);
  const rows = gather(examples, some);
  return rows.reduce((count, v) => count + +(v < 0 || v > 1), 0) / Math.max(1, rows.length);
}
