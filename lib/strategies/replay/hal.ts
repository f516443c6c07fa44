import { disposeTree, jit, tf, valueAndGrad } from "../../engine/index.ts";
import { type Params, tape } from "../../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../../models/network.ts";
import { draw as drawn, recall } from "../parts/buffer.ts";
import { dropped } from "../parts/forgetting.ts";
import { type OnlineMemory, replayed } from "../parts/online.ts";
import { plus } from "../parts/projection.ts";
import { type Reference, referenceTensors } from "../parts/reference.ts";
import { type Context, requireNumber, requireWhole, strategy } from "../strategy.ts";

/** Anchors as rows on the host. */
interface Anchors {
  readonly x: Float32Array;
  readonly y: Int32Array;
  readonly task: Int32Array;
}

interface Memory extends OnlineMemory {
  readonly anchors: Anchors;
  readonly tensors: { readonly anchors?: Reference };
  /** The running mean of the features of the experience's examples, and whether it has begun. */
  readonly carried: { readonly mean: tf.Tensor; readonly begun: tf.Tensor };
}

/**
 * Hindsight anchor learning: what the network says of one anchor per class, where it is likeliest to forget, must not change at a step.
 *
 * Batches are joined by examples drawn from a reservoir. A step `θ̃ = θ − rate · g` is made on trial, then the gradient of
 * `lambda · mean (f_θ(a) − f_θ̃(a))²` over the anchors a of past experiences and all columns is added to g, θ̃ held fixed. After an
 * experience an anchor for each of its classes climbs, for `anchorSteps` steps of `anchorRate` from uniform noise, to where
 * `CE(f_θM(a)) − CE(f_θ(a)) − gamma · ‖φ(a) − φ̄‖²` is large: θM is θ after one pass over the memory, φ the features, φ̄ their running mean
 * over the experience. Memory and work per step grow with the number of classes times experiences: one anchor each.
 *
 * Chaudhry et al. 2020, arXiv:2002.08165, eq. 4–7 and algorithm 1.
 * Differs from the paper: a reservoir in place of a ring for each class; the mean over anchors and columns in place of a sum over anchors;
 * the running mean takes the features before the step.
 *
 * @example
 * ```ts
 * import { hal } from "thalweg";
 * hal({ capacity: 200, lambda: 0.1, gamma: 0.1 });
 * ```
 */
export const hal = strategy(
  "hal",
  {
    /** Examples kept. */
    capacity: 200,
    /** Examples drawn for each batch; 0 draws as many as the batch has. */
    draw: 0,
    /** Strength with which anchors keep their logits. */
    lambda: 0.1,
    /** What the running mean of the features keeps of itself at a step, in [0, 1]. */
    beta: 0.5,
    /** Strength with which an anchor's features are held to their mean. */
    gamma: 0.1,
    /** Steps an anchor climbs, and their length. */
    anchorSteps: 100,
    anchorRate: 0.1,
    /** The learning rate of the pass over the memory that shows what would be forgotten. */
    hindsightRate: 0.1,
  },
  ({ capacity, draw, lambda, beta, gamma, anchorSteps, anchorRate, hindsightRate }) => {
    requireWhole("hal", "capacity", capacity, 1);
    requireWhole("hal", "draw", draw, 0);
    requireWhole("hal", "anchorSteps", anchorSteps, 0);
    for (const [what, value] of Object.entries({ lambda, gamma, anchorRate, hindsightRate }))
      requireNumber("hal", what, value, 0);
    requireNumber("hal", "beta", beta, 0, 1);
    return {
      tokens: "it keeps or compares examples by their class, and a sequence has one at each place",
      classes: true,
      init: ({ network }): Memory => ({
        buffer: null,
        anchors: { x: new Float32Array(0), y: new Int32Array(0), task: new Int32Array(0) },
        tensors: {},
        carried: { mean: tf.zeros([...network.width]), begun: tf.scalar(0) },
      }),
      beforeExperience: (memory: Memory, _experience, context): Memory => ({
        ...memory,
        tensors: memory.anchors.y.length === 0 ? {} : { anchors: referenceTensors(memory.anchors, context) },
        carried: { mean: tf.zeros([...context.network.width]), begun: tf.scalar(0) },
      }),
      batch: (memory: Memory, batch, context) =>
        replayed(memory, batch, { name: "hal", capacity, draw, weight: 1 }, context),
      gradient({ tensors }, gradient, step) {
        if (tensors?.anchors === undefined) return gradient;
        const { x, task } = tensors.anchors;
        const trial = plus(step.weights, gradient, tf.neg(step.rate));
        const meant = step.forward(x, { weights: trial, task }).logits;
        const pull = step.gradient((weights) =>
          tf.mul(tf.mean(tf.squaredDifference(step.forward(x, { weights, task }).logits, meant)), lambda),
        );
        return plus(gradient, pull, 1);
      },
      update({ carried }, _change, { features, current }) {
        const mean = tf.mean(
          tf.slice(
            features,
            features.shape.map(() => 0),
            [current, ...features.shape.slice(1)],
          ),
          0,
        );
        const keep = tf.mul(carried.begun, beta);
        return {
          mean: tf.add(tf.mul(carried.mean, keep), tf.mul(mean, tf.sub(1, keep))),
          begun: tf.onesLike(carried.begun),
        };
      },
      afterExperience(memory: Memory, { train, task, index }, context): Memory {
        if (memory.buffer === null || train.length === 0) return memory;
        const labels = [...new Set(train.labels)].filter((label) => label >= 0).sort((a, b) => a - b);
        const hindsight = afterMemory(memory, hindsightRate, context);
        const start = context.rng.at("anchors", index).uniforms([labels.length, ...context.stream.shape]);
        const climbed = climb(start, labels, task, hindsight, memory.carried.mean, context, {
          gamma,
          rate: anchorRate,
          steps: anchorSteps,
        });
        disposeTree(hindsight);
        const { anchors } = memory;
        const joined = {
          x: Float32Array.of(...anchors.x, ...climbed),
          y: Int32Array.of(...anchors.y, ...labels),
          task: Int32Array.of(...anchors.task, ...labels.map(() => task)),
        };
        return { ...memory, anchors: joined };
      },
      forget(memory: Memory, columns): Memory {
        if (memory.buffer !== null) dropped(memory.buffer, columns);
        const { x, y, task } = memory.anchors;
        const stay = [...y.keys()].filter((i) => !columns.has(y[i]!));
        const size = x.length / Math.max(1, y.length);
        const anchors = {
          x: Float32Array.from(stay.flatMap((i) => [...x.subarray(i * size, (i + 1) * size)])),
          y: Int32Array.from(stay, (i) => y[i]!),
          task: Int32Array.from(stay, (i) => task[i]!),
        };
        return { ...memory, anchors };
      },
    };
  },
  ["boundary"],
);

/** The weights after one pass of plain descent over the memory in random order. */
function afterMemory({ buffer }: Memory, rate: number, context: Context): Weights {
  const { network, statistics, batch, experience, columns } = context;
  const descend = jit(
    (weights: Weights, x: tf.Tensor, y: tf.Tensor, mask: tf.Tensor | null): Weights => {
      const loss = (at: Weights): tf.Tensor =>
        tf.mean(crossEntropies(masked(passOf(network, at, statistics, x).logits, mask), y));
      return plus(weights, valueAndGrad(loss, weights).grads, -rate);
    },
    { name: "hindsight" },
  );
  const order = drawn(buffer!, buffer!.size, context.rng.at("hindsight", experience));
  let weights = context.weights;
  for (let from = 0; from < order.length; from += batch) {
    const { x, y, task } = recall(buffer!, order.subarray(from, from + batch));
    const open = context.mask(task);
    const mask = open === null ? null : tf.tensor(open.data, [open.shape[0]!, columns], "float32");
    const given = [tf.tensor(x, [y.length, ...network.input]), tf.tensor1d(y, "int32")] as const;
    const next = descend(weights, ...given, mask);
    disposeTree(mask === null ? [...given] : [...given, mask]);
    if (weights !== context.weights) disposeTree(weights);
    weights = next;
  }
  return weights;
}

/** Anchors from where they start to where forgetting is large. */
function climb(
  start: tf.Tensor,
  labels: readonly number[],
  task: number,
  hindsight: Weights,
  mean: tf.Tensor,
  context: Context,
  { gamma, rate, steps }: { readonly gamma: number; readonly rate: number; readonly steps: number },
): Float32Array {
  const { network, weights, statistics, columns } = context;
  const open = context.mask(Int32Array.from(labels, () => task));
  const mask = open === null ? null : tf.tensor(open.data, [open.shape[0]!, columns], "float32");
  const y = tf.tensor1d(labels as number[], "int32");
  const up = jit(
    (a: tf.Tensor, now: Weights, then: Weights, wanted: tf.Tensor, centre: tf.Tensor, closed: tf.Tensor | null) => {
      const forgetting = ({ x }: { x: tf.Tensor }): tf.Tensor => {
        const [here, there] = [passOf(network, now, statistics, x), passOf(network, then, statistics, x)];
        const loss = (logits: tf.Tensor): tf.Tensor => tf.sum(crossEntropies(masked(logits, closed), wanted));
        const apart = tf.mul(tf.sum(tf.squaredDifference(here.features, centre)), gamma);
        return tf.sub(tf.sub(loss(there.logits), loss(here.logits)), apart);
      };
      return tf.add(a, tf.mul(valueAndGrad(forgetting, { x: a }).grads.x, rate));
    },
    { name: "anchors" },
  );
  let at = start;
  for (let k = 0; k < steps; k++) {
    const next = up(at, weights, hindsight, y, mean, mask);
    at.dispose();
    at = next;
  }
  const climbed = at.dataSync() as Float32Array;
  disposeTree(mask === null ? [at, y] : [at, y, mask]);
  return climbed;
}

function passOf(
  network: Network,
  weights: Weights,
  statistics: Params,
  x: tf.Tensor,
): { features: tf.Tensor; logits: tf.Tensor } {
  const features = network.features(weights, x, tape(false, null, statistics).mode);
  return { features, logits: network.logits(weights, features) };
}
