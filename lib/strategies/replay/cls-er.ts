import { cloneTree, mapTensors, type Tree, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { grownLike } from "../parts/anchor.ts";
import { oneHots } from "../parts/contrast.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { joinedRows } from "../parts/rows.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Two slow copies of the weights, and the steps so far. A type, not an interface, so that it is a tree of tensors. */
type Slow = { readonly plastic: Weights; readonly stable: Weights; readonly steps: tf.Tensor };

interface Memory extends OnlineMemory {
  readonly carried: Slow;
}

/**
 * Complementary learning systems with experience replay: two slow averages of the network, one faster, one slower, teach it on remembered
 * examples; the slower one predicts.
 *
 * Adds `lambda · mean (h(x') − z)²` on drawn examples, z being the logits of whichever average gives the true class the larger
 * probability; drawn examples are learnt with the batch, every row weighing the same. After the k-th step, with the probability of its
 * rate, an average becomes `a · average + (1 − a) · θ`, `a = min(1 − 1/(k + 1), decay)`. An average looks back over about
 * `1/(rate · (1 − decay))` steps; where that is more than a run has, it is the mean of all its weights, and predicts poorly (a note says so).
 *
 * Arani, Sarfraz and Zonooz 2022, arXiv:2201.12604, algorithm 1. The averages' defaults are those of the authors for digits; for their
 * runs of 50 passes over CIFAR-10 both decays are 0.999, lambda is 0.15, the rates are 0.3 to 1 and 0.1 to 0.8.
 * Differs from the paper: running statistics of normalisation layers are those of the network itself.
 *
 * @example
 * ```ts
 * import { clsEr } from "thalweg";
 * clsEr({ capacity: 500, lambda: 0.15 });
 * ```
 */
export const clsEr = strategy(
  "clsEr",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength of the consistency with the averages. */
    lambda: 0.15,
    /** How often each average is renewed, in [0, 1], and what it keeps of itself. */
    plasticRate: 1,
    plasticDecay: 0.99,
    stableRate: 0.9,
    stableDecay: 0.99,
  },
  ({ capacity, draw, lambda, plasticRate, plasticDecay, stableRate, stableDecay }) => {
    requireWhole("clsEr", "capacity", capacity, 1);
    requireWhole("clsEr", "draw", draw, 0);
    requireNumber("clsEr", "lambda", lambda, 0);
    for (const [what, value] of Object.entries({ plasticRate, plasticDecay, stableRate, stableDecay }))
      requireNumber("clsEr", what, value, 0, 1);
    const renewed = (slow: Weights, now: Weights, steps: tf.Tensor, decay: number, hit: tf.Tensor): Weights => {
      const keep = tf.sub(1, tf.mul(hit, tf.sub(1, tf.minimum(tf.sub(1, tf.div(1, tf.add(steps, 1))), decay))));
      return mapTensors((s, w) => tf.add(tf.mul(s, keep), tf.mul(w!, tf.sub(1, keep))), slow, now);
    };
    return {
      tokens: true,
      classes: true,
      init: ({ weights }): Memory => ({
        buffer: null,
        carried: { plastic: cloneTree(weights), stable: cloneTree(weights), steps: tf.scalar(0) },
      }),
      beforeExperience: (memory: Memory, _experience, { weights }): Memory => ({
        ...memory,
        carried: {
          plastic: grownLike(memory.carried.plastic, weights),
          stable: grownLike(memory.carried.stable, weights),
          steps: memory.carried.steps.clone(),
        },
      }),
      batch: (memory: Memory, batch, context) =>
        replayed(memory, batch, { name: "clsEr", capacity, draw, weight: 1 }, context),
      loss({ carried }, step) {
        const rows = joinedRows(step, "clsEr");
        if (rows === null) return tf.scalar(0);
        const labels = oneHots(rows.targets ?? rows.y, rows.logits.shape.at(-1)!);
        const given = (weights: Weights): { logits: tf.Tensor; right: tf.Tensor } => {
          const { logits } = step.forward(rows.x, { weights, frozen: step.statistics, task: rows.task });
          return { logits, right: tf.sum(tf.mul(tf.softmax(logits), labels), -1, true) };
        };
        const [plastic, stable] = [given(carried.plastic), given(carried.stable)];
        const trusted = tf.cast(tf.greater(stable.right, plastic.right), "float32");
        const teacher = tf.add(tf.mul(stable.logits, trusted), tf.mul(plastic.logits, tf.sub(1, trusted)));
        return tf.mul(tf.mean(tf.square(tf.sub(rows.logits, teacher))), lambda) as tf.Scalar;
      },
      update({ carried }, { after }, { rng }): Tree {
        const { plastic, stable } = carried;
        const steps = tf.add(carried.steps, 1);
        const luck = rng === null ? tf.zeros([2]) : rng.at("renewal").uniforms([2]);
        const hit = (i: number, rate: number): tf.Tensor =>
          tf.cast(tf.less(tf.reshape(tf.slice(luck, [i], [1]), []), rate), "float32");
        return {
          plastic: renewed(plastic, after, steps, plasticDecay, hit(0, plasticRate)),
          stable: renewed(stable, after, steps, stableDecay, hit(1, stableRate)),
          steps,
        } as Tree;
      },
      afterExperience(memory: Memory, { index }, { step, stream }) {
        const back = Math.round(1 / (stableRate * (1 - stableDecay)));
        const last = index === stream.length - 1;
        return !last || step >= 2 * back
          ? memory
          : {
              ...memory,
              notes: [
                `the average that predicts looks back over ${back} of the run's ${step} steps; lower stableDecay`,
              ],
            };
      },
      rowwise: true,
      predict: ({ carried }: Partial<Memory>, given) =>
        carried === undefined ? given.logits : given.forward(given.x, { weights: carried.stable }).logits,
    };
  },
);
