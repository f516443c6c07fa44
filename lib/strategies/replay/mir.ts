import { mapTensors, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { draw as drawn, emptyBuffer, offer, recall } from "../parts/buffer.ts";
import type { OnlineMemory } from "../parts/online.ts";
import { plus } from "../parts/projection.ts";
import { askedOf, type Reference, referenceInput } from "../parts/reference.ts";
import { requireWhole, strategy } from "../strategy.ts";

/**
 * Maximally interfered retrieval: of the examples drawn, those are replayed whose loss the coming step would raise most.
 *
 * A step `θ − rate · g` is made on trial; of `candidates` examples of the reservoir the `draw` with the largest rise of the cross-entropy
 * are learnt with the batch, every example weighing the same.
 *
 * Aljundi et al. 2019, arXiv:1908.04742, algorithm 1 (ER-MIR).
 * Differs from the paper: none known; the trial step is plain gradient descent whatever the optimizer, as there.
 *
 * @example
 * ```ts
 * import { mir } from "thalweg";
 * mir({ capacity: 500, candidates: 50 });
 * ```
 */
export const mir = strategy(
  "mir",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for the choice. */
    candidates: 50,
    /** Examples replayed with each batch; 0 replays as many as the batch has. */
    draw: 0,
  },
  ({ capacity, candidates, draw }) => {
    requireWhole("mir", "capacity", capacity, 1);
    requireWhole("mir", "candidates", candidates, 1);
    requireWhole("mir", "draw", draw, 0);
    return {
      tokens: true,
      init: (): OnlineMemory => ({ buffer: null }),
      batch(memory: OnlineMemory, batch, context) {
        const { rng, step } = context;
        memory.buffer ??= emptyBuffer(capacity, batch.from);
        const places = drawn(memory.buffer, candidates, rng.at("draw", step));
        const joined =
          places.length === 0 ? batch : referenceInput(batch, "mir", recall(memory.buffer, places), context);
        offer(memory.buffer, batch, "reservoir", rng.at("keep", step));
        return joined;
      },
      gradient(_state, gradient, step) {
        if (step.extra.x === undefined) return gradient;
        const rows = step.extra as Reference;
        const { x, y, task, targets, mask } = rows;
        const lossOf = (weights: Weights): tf.Tensor =>
          step.targetLosses(askedOf(rows, step.forward(x, { weights, task }).logits));
        const count = Math.min(draw || step.current, x.shape[0]!);
        const rise = tf.sub(lossOf(plus(step.weights, gradient, tf.neg(step.rate))), lossOf(step.weights));
        const chosen = tf.topk(rise as tf.Tensor1D, count).indices;
        const replayed = step.gradient((weights) => {
          const { logits } = step.forward(tf.gather(x, chosen), { weights, task: tf.gather(task, chosen) });
          const open = mask === undefined || mask.shape[0] === 1 ? (mask ?? null) : tf.gather(mask, chosen);
          const wanted = targets === undefined ? null : tf.gather(targets, chosen);
          return step.targetLoss({ logits, y: tf.gather(y, chosen), targets: wanted, mask: open, weight: null });
        });
        const share = count / (count + step.current);
        return mapTensors((g, r) => tf.add(tf.mul(g, 1 - share), tf.mul(r!, share)), gradient, replayed);
      },
    };
  },
);
