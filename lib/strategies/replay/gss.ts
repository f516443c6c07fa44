import { sizeOf } from "../../data/dataset.ts";
import { tf, valueAndGrad } from "../../engine/index.ts";
import { crossEntropies, masked } from "../../models/network.ts";
import type { Buffer } from "../parts/buffer.ts";
import { draw as drawn, emptyBuffer, recall, withRows } from "../parts/buffer.ts";
import { dropped, moved } from "../parts/forgetting.ts";
import { joinedRows } from "../parts/rows.ts";
import { requireWhole, strategy } from "../strategy.ts";

interface Memory {
  buffer: Buffer | null;
  /** How alike each kept example's gradient was to others when it came: 1 + the largest cosine. */
  readonly scores: Float32Array;
}

/**
 * Gradient-based sample selection (greedy): the memory keeps examples whose gradients differ.
 *
 * Each new example's gradient is compared with those of `compared` random examples of the memory; its score is 1 + the largest cosine (1
 * where there is nothing to compare with). A
 * full memory takes an example with a score below 1: place i is proposed with a probability proportional to its score, and gives way with
 * the probability `score_i / (score_i + score)`. Drawn examples are learnt with the batch, every row weighing the same.
 *
 * The choice needs the host after every step. Gradients are those of the head's weights: outer products of features and output errors,
 * whose cosines follow without a backward pass.
 *
 * Aljundi et al. 2019, arXiv:1903.08671, algorithm 2.
 * Differs from the paper: gradients of the head alone, not of all weights; the examples of a batch are compared with the memory before it,
 * not with each other.
 *
 * @example
 * ```ts
 * import { gss } from "thalweg";
 * gss({ capacity: 300 });
 * ```
 */
export const gss = strategy(
  "gss",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Examples of the memory that a new one is compared with. */
    compared: 10,
  },
  ({ capacity, draw, compared }) => {
    requireWhole("gss", "capacity", capacity, 1);
    requireWhole("gss", "draw", draw, 0);
    requireWhole("gss", "compared", compared, 1);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: (): Memory => ({ buffer: null, scores: new Float32Array(capacity) }),
      forget(memory: Memory, columns) {
        if (memory.buffer !== null) moved(memory.scores, 1, dropped(memory.buffer, columns));
        return memory;
      },
      batch(memory: Memory, batch, { rng, step }) {
        memory.buffer ??= emptyBuffer(capacity, batch.from);
        const buffer = memory.buffer;
        if (buffer.size === 0) return batch;
        const replayed = recall(buffer, drawn(buffer, draw || batch.current, rng.at("draw", step)));
        const others = recall(buffer, drawn(buffer, compared, rng.at("compare", step)));
        return withRows(withRows(batch, replayed), others, { name: "gss", weight: 0 });
      },
      outputs(_state, step) {
        const others = joinedRows(step, "gss");
        if (others === null) return { score: tf.ones([step.current]) };
        const { grads } = valueAndGrad(
          (logits: tf.Tensor) => tf.sum(crossEntropies(masked(logits, step.mask), step.y)),
          step.logits,
        );
        const rows = (t: tf.Tensor, from: number, count: number): tf.Tensor2D =>
          tf.slice(t, [from, 0], [count, t.shape[1]!]) as tf.Tensor2D;
        const norm = (f: tf.Tensor, d: tf.Tensor): tf.Tensor =>
          tf.sqrt(tf.mul(tf.add(tf.sum(tf.square(f), 1), 1), tf.sum(tf.square(d), 1)));
        const [f, d] = [rows(step.features, 0, step.current), rows(grads, 0, step.current)];
        const [g, e] = [rows(step.features, others.from, others.count), rows(grads, others.from, others.count)];
        const dots = tf.mul(tf.add(tf.matMul(f, g, false, true), 1), tf.matMul(d, e, false, true));
        const lengths = tf.add(tf.mul(tf.expandDims(norm(f, d), 1), tf.expandDims(norm(g, e), 0)), 1e-12);
        return { score: tf.add(tf.max(tf.div(dots, lengths), 1), 1) };
      },
      afterStep(memory: Memory, { batch, outputs }, { rng, step }) {
        const { scores } = memory;
        const buffer = memory.buffer!;
        const own = rng.at("keep", step);
        const size = sizeOf(buffer.shape);
        for (let i = 0; i < batch.current / (batch.views ?? 1); i++) {
          if (batch.y[i]! < 0) continue; // an example without a label has nothing to be replayed with
          const score = outputs.score![i]!;
          let place = buffer.size;
          if (buffer.size < buffer.capacity) buffer.size++;
          else {
            const total = scores.reduce((a, b) => a + b, 0);
            let left = own.uniform() * total;
            place = 0;
            while (place < scores.length - 1 && (left -= scores[place]!) >= 0) place++;
            const gives = own.uniform() < scores[place]! / (scores[place]! + score + 1e-12);
            if (score >= 1 || !gives) continue;
          }
          batch.from.read([batch.at[i]!], buffer.rows, place * size);
          buffer.labels[place] = batch.y[i]!;
          buffer.tasks[place] = batch.task[i]!;
          scores[place] = score;
        }
      },
    };
  },
);
