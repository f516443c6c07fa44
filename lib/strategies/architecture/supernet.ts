import { tf } from "../../engine/index.ts";
import { masked } from "../../models/network.ts";
import { elasticOf, gatesOf, maskOf, type Subnet } from "../../models/parts/elastic.ts";
import { withinPart } from "../../models/parts/masked-pass.ts";
import { perModel } from "../../models/parts/per-model.ts";
import { withExtra } from "../parts/buffer.ts";
import { softCrossEntropies } from "../parts/distillation.ts";
import { still } from "../parts/still.ts";
import { type Context, requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Memory {
  readonly start: number;
  readonly steps: number;
}

/**
 * Trains a network and the narrower and shallower ones inside of it at once: any of them is cut out afterwards by `expand.slice`, and answers without
 * having been trained by itself.
 *
 * A part has the first units of each inner layer (of each block, or of each dense layer and convolution that a rectifier follows), a share of `widths` of them, and the
 * first blocks, a number of `depths`. In every step the whole network learns the labels, and beside it
 *
 * - `sampling: "sandwich"`: the smallest part and `samples` random ones learn, and with `distil` not the labels but what the whole network says;
 * - `sampling: "random"`: `samples` random parts, the whole network among them as often as any.
 *
 * The loss is the sum over them: the gradients of all are added up before one update. With `delay` the parts join after that share of an experience, and with `warm` what they
 * weigh grows from 0 to 1 over the share that follows.
 *
 * Implements: P385 BigNAS
 * Yu et al. 2020, "BigNAS", arXiv:2003.11142, section 3.1: sandwich rule, in-place distillation.
 *
 * Implements: P386 DepS (delayed shrinking)
 * Annavajjala et al. 2024, "DεpS: delayed ε-shrinking for faster once-for-all training", arXiv:2407.06167: `delay: 0.5`, `warm`.
 *
 * Implements: P123 SortedNet
 * Valipour et al. 2023, "SortedNet", arXiv:2309.00255, section 3: `sampling: "random"`, `distil: false`.
 *
 * Differs from the papers: kernels and resolutions are not elastic; parts are made by multiplying by 0, so that a step of training is not cheaper for a
 * smaller part; DεpS's rates of parts are weights of their losses; SortedNet's parts have one share for each layer, drawn by itself.
 *
 * @throws TypeError for a model of which nothing can be left out.
 *
 * @example
 * ```ts
 * import { classes, digits, mlp, supernet } from "thalweg";
 * classes(digits()).split(1).learn(mlp({ hidden: [32] })).by(supernet({ widths: [0.25, 0.5, 1] }));
 * ```
 */
export const supernet = strategy(
  "supernet",
  {
    /** Shares of units that an inner layer may have. */
    widths: [0.25, 0.5, 0.75, 1] as readonly number[],
    /** Numbers of blocks that a part may have; empty: all of them. */
    depths: [] as readonly number[],
    /** Which parts learn in a step. */
    sampling: "sandwich" as "sandwich" | "random",
    /** Random parts in each step. */
    samples: 2,
    /** Whether parts learn from the whole network rather than from the labels, in a sandwich. */
    distil: true,
    /** The share of an experience after which parts join. */
    delay: 0,
    /** The share of an experience over which what they weigh grows to 1. */
    warm: 0,
  },
  ({ widths, depths, sampling, samples, distil, delay, warm }) => {
    for (const share of widths) requireNumber("supernet", "a width", share, 1e-3, 1);
    for (const depth of depths) requireWhole("supernet", "a depth", depth, 1);
    if (widths.length === 0) throw new RangeError("supernet: at least one width is required, got none");
    requireOneOf("supernet", "sampling", sampling, ["sandwich", "random"]);
    requireWhole("supernet", "samples", samples, 1);
    requireNumber("supernet", "delay", delay, 0, 1);
    requireNumber("supernet", "warm", warm, 0, 1);
    const of = perModel(({ model, input }: Context["network"]) => elasticOf("supernet", model, input));
    const count = sampling === "sandwich" ? samples + 2 : samples;
    return {
      tokens: true,
      init({ network }): Memory {
        const { blocks } = of(network);
        const over = depths.find((depth) => depth > blocks.length);
        if (over !== undefined)
          throw new RangeError(`supernet: depths of at most ${blocks.length} blocks are required, got ${over}`);
        return { start: 0, steps: 1 };
      },
      beforeExperience: (_: Memory, { train }, { step, epochs, batch }): Memory => ({
        start: step,
        steps: Math.max(1, epochs * Math.ceil(train.length / batch)),
      }),
      batch({ start, steps }: Memory, batch, { network, rng, step }) {
        const elastic = of(network);
        const own = rng.at("parts", step);
        const numbers = depths.length === 0 ? [elastic.blocks.length] : depths;
        const drawn = (k: number): Subnet => {
          const at = own.at(k);
          const pick = <T>(from: readonly T[]): T => from[at.int(from.length)]!;
          return { widths: elastic.sites.map(() => pick(widths)), depth: pick(numbers) };
        };
        const like = (width: number, depth: number): Subnet => ({ widths: elastic.sites.map(() => width), depth });
        const whole = like(1, elastic.blocks.length);
        const parts = Array.from({ length: samples }, (_, k) => drawn(k));
        const all = sampling === "random" ? parts : [whole, ...parts, like(Math.min(...widths), Math.min(...numbers))];
        const at = (step - start) / steps;
        const share = at < delay ? 0 : warm === 0 ? 1 : Math.min(1, (at - delay) / warm);
        const rows = (from: readonly Float32Array[]): Float32Array =>
          Float32Array.from(from.flatMap((row) => [...row]));
        const masks = all.map((each) => maskOf(elastic, each));
        const gates = all.map((each) => gatesOf(elastic, each));
        return withExtra(batch, "supernet", {
          masks: { data: rows(masks), shape: [count, masks[0]!.length] },
          gates: { data: rows(gates), shape: [count, gates[0]!.length] },
          weights: {
            data: Float32Array.from(all, (_, i) => (sampling === "sandwich" && i === 0 ? 1 : share)),
            shape: [count],
          },
        });
      },
      taskLoss(_, step) {
        const elastic = of(step.network);
        const row = (name: "masks" | "gates" | "weights", i: number): tf.Tensor =>
          tf.squeeze(tf.slice(step.extra[name]!, i, 1), [0]);
        let taught: tf.Tensor | undefined;
        const terms = Array.from({ length: count }, (_, i) => {
          const within = withinPart(elastic, row("masks", i), row("gates", i));
          const logits = sampling === "sandwich" && i === 0 ? step.logits : step.forward(step.x, within).logits;
          const { y, targets, mask, weight } = step;
          if (taught === undefined || !distil || sampling === "random" || step.target === "numbers") {
            taught ??= still(masked(logits, mask));
            return tf.mul(step.targetLoss({ logits, y, targets, mask, weight }), row("weights", i));
          }
          const each = softCrossEntropies(masked(logits, mask), taught, 1);
          return tf.mul(tf.mean(each), row("weights", i));
        });
        return tf.addN(terms) as tf.Scalar;
      },
    };
  },
);
