import { tf } from "../../engine/index.ts";
import { asTable } from "../parts/buffer.ts";
import { nearness, unitMeans } from "../parts/closed-form.ts";
import { supervisedContrast } from "../parts/contrast.ts";
import { normalised } from "../parts/distillation.ts";
import { unitRows } from "../parts/exemplars.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

interface Memory extends OnlineMemory {
  readonly tensors: { readonly means: tf.Tensor; readonly seen: tf.Tensor } | undefined;
}

/**
 * Supervised contrastive replay: features that bring a class together, and classification by the nearest mean of the memory.
 *
 * The batch and examples drawn from a reservoir go through a projection of two layers to unit vectors, whose supervised contrastive loss
 * is the only loss. After an experience an example gets the class whose mean of normalised features, over the memory, is nearest; until then
 * the means are those of the last experience.
 *
 * Mai et al. 2021, arXiv:2103.13885, eq. 3 and algorithm 1.
 * Differs from the paper: examples are not augmented, so an example has no second view of itself; the head is not trained.
 *
 * @example
 * ```ts
 * import { scr } from "thalweg";
 * scr({ capacity: 500, draw: 100 });
 * ```
 */
export const scr = strategy(
  "scr",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 100,
    /** What similarities are divided by. */
    temperature: 0.1,
    /** Length of the projected vectors. */
    projected: 128,
  },
  ({ capacity, draw, temperature, projected }) => {
    requireWhole("scr", "capacity", capacity, 1);
    requireWhole("scr", "draw", draw, 0);
    requireNumber("scr", "temperature", temperature, 1e-6);
    requireWhole("scr", "projected", projected, 1);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      parameters({ rng, network }) {
        const width = network.width[0]!;
        const bound = 1 / Math.sqrt(width);
        return {
          first: rng.at("first").uniforms([width, width], -bound, bound),
          second: rng.at("second").uniforms([width, projected], -bound, bound),
        };
      },
      init: (): Memory => ({ buffer: null, tensors: undefined }),
      batch: (memory: Memory, batch, context) =>
        replayed(memory, batch, { name: "scr", capacity, draw, weight: 1 }, context),
      taskLoss(_state, { features, y, weights }) {
        const { first, second } = weights.added!.scr as { first: tf.Tensor2D; second: tf.Tensor2D };
        const hidden = tf.relu(tf.matMul(features as tf.Tensor2D, first));
        return supervisedContrast(normalised(tf.matMul(hidden as tf.Tensor2D, second)), y, temperature);
      },
      afterExperience(memory: Memory, _experience, context): Memory {
        if (memory.buffer === null) return memory;
        const all = asTable(memory.buffer);
        const vectors = unitRows(context.outputs(all).features, all.length);
        return { ...memory, tensors: unitMeans(vectors, all.labels, context.columns) };
      },
      rowwise: true,
      predict: ({ tensors }: Partial<Memory>, { features, logits }) =>
        tensors === undefined ? logits : nearness(features, tensors, logits.shape[1]!),
    };
  },
  ["boundary"],
);
