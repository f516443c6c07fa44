import { mapTensors, tf } from "../../engine/index.ts";
import type { Weights } from "../../models/network.ts";
import { draw as drawn, emptyBuffer, offer, type Rows, recall } from "../parts/buffer.ts";
import type { OnlineMemory } from "../parts/online.ts";
import { plus } from "../parts/projection.ts";
import { askedOf, type Reference, referenceInput } from "../parts/reference.ts";
import { between } from "../parts/rows.ts";
import { still } from "../parts/still.ts";
import { requireNumber, requireWhole, type Step, strategy } from "../strategy.ts";

/**
 * Meta-experience replay: a step is the way that many small steps on old and new examples together have led, shortened.
 *
 * For each of `batches` draws from a reservoir, the network steps through the drawn examples and then those of the batch, `rows` at a time,
 * by plain descent; after a draw it goes back to `β` of the way that draw has led, after all draws to `γ` of the whole way. What is left of
 * the way, divided by the learning rate, is the gradient that the optimizer sees: with plain descent the paper's update exactly. Terms that
 * other strategies add to the loss take part as one plain step.
 *
 * Riemer et al. 2019, arXiv:1810.11910, algorithm 1.
 * Differs from the paper: the batch may have more than one example, which all come after the drawn ones; a draw has no example twice.
 *
 * @example
 * ```ts
 * import { mer } from "thalweg";
 * mer({ capacity: 200, draw: 10, batches: 3, beta: 0.3, gamma: 0.3 });
 * ```
 */
export const mer = strategy(
  "mer",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples of a draw. */
    draw: 5,
    /** Draws for each batch. */
    batches: 2,
    /** Rows of one small step. */
    rows: 1,
    /** The share of the way within a draw that is kept, in [0, 1]. */
    beta: 0.3,
    /** The share of the whole way that is kept, in [0, 1]. */
    gamma: 0.5,
  },
  ({ capacity, draw, batches, rows, beta, gamma }) => {
    for (const [what, value] of Object.entries({ capacity, draw, batches, rows })) requireWhole("mer", what, value, 1);
    for (const [what, value] of Object.entries({ beta, gamma })) requireNumber("mer", what, value, 0, 1);
    return {
      tokens: true,
      role: "projection",
      init: (): OnlineMemory => ({ buffer: null }),
      batch(memory: OnlineMemory, batch, context) {
        const { rng, step } = context;
        memory.buffer ??= emptyBuffer(capacity, batch.from);
        const places = Array.from({ length: batches }, (_, i) => [
          ...drawn(memory.buffer!, draw, rng.at("draw", step).at(i)),
        ]).flat();
        const joined =
          places.length === 0 ? batch : referenceInput(batch, "mer", recall(memory.buffer, places) as Rows, context);
        offer(memory.buffer, batch, "reservoir", rng.at("keep", step));
        return joined;
      },
      // The loss is said, but its gradient is made anew, example by example.
      taskLoss: (_state, step) => still(step.targetLoss()),
      gradient(_state, others, step) {
        const { rate, weights } = step;
        const remembered = step.extra.x === undefined ? null : (step.extra as Reference);
        const each = remembered === null ? 0 : remembered.y.shape[0]! / batches;
        const whole: Reference = {
          x: step.x,
          y: step.y,
          task: step.task!,
          ...(step.targets && { targets: step.targets }),
          ...(step.mask && { mask: step.mask }),
        };
        // `way` is the sum of gradients along the way: the weights are `θ − rate · way`.
        let way = mapTensors((w) => tf.zerosLike(w), weights) as Weights;
        for (let i = 0; i < batches; i++) {
          let within = way;
          const steps = [
            ...(remembered === null ? [] : groups(remembered, i * each, (i + 1) * each, rows, null)),
            ...groups(whole, 0, step.x.shape[0]!, rows, step.weight),
          ];
          for (const group of steps) within = plus(within, gradientAlong(step, within, group, rate), 1);
          way = mapTensors((a, b) => tf.add(a, tf.mul(tf.sub(b!, a), beta)), way, within);
        }
        return mapTensors((w, o) => tf.add(tf.mul(w, gamma), o!), way, others);
      },
    };
  },
);

/** Rows of one small step, and their weights. */
type Group = Reference & { readonly weight: tf.Tensor | null };

/** Rows `from` to `to`, so many at a time. */
function groups(
  { x, y, task, targets, mask }: Reference,
  from: number,
  to: number,
  rows: number,
  weight: tf.Tensor | null,
): Group[] {
  return Array.from({ length: Math.ceil((to - from) / rows) }, (_, k) => {
    const [a, b] = [from + k * rows, Math.min(to, from + (k + 1) * rows)];
    return {
      x: between(x, a, b),
      y: between(y, a, b),
      task: task && between(task, a, b),
      ...(targets && { targets: between(targets, a, b) }),
      ...(mask && { mask: mask.shape[0] === 1 ? mask : between(mask, a, b) }),
      weight: weight && between(weight, a, b),
    };
  });
}

/** The gradient of the mean weighted cross-entropy of some rows at `θ − rate · way`. */
function gradientAlong(step: Step, way: Weights, group: Group, rate: tf.Tensor): Weights {
  const { x, task, weight } = group;
  const moved = mapTensors((w) => tf.neg(tf.mul(w, rate)), way);
  return step.gradient((weights) => {
    const { logits } = step.forward(x, { weights: plus(weights, moved, 1), task });
    const each = step.targetLosses(askedOf(group, logits));
    return tf.mean(weight === null ? each : tf.mul(each, weight));
  });
}
