/** A recurrent policy that takes one action at each place of a sequence, and learns from what its actions were worth (REINFORCE). */
import {
  disposeTree,
  jit,
  leaves,
  mapTensors,
  type Rng,
  type Tree,
  tf,
  unflatten,
  valueAndGrad,
} from "../../engine/index.ts";
import { type Model, type Params, tape } from "../../models/model.ts";
import { net } from "../../models/net.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { adam } from "../../optim/optimizers/adam.ts";

/** What a policy is. */
export interface PolicyOptions {
  /** Numbers at each place. */
  readonly inputs: number;
  /** Actions to choose from. */
  readonly actions: number;
  /** Whether all places are seen before the first action. */
  readonly bidirectional: boolean;
  /** Units of each of the two layers of long short-term memory. Default 30. */
  readonly units?: number;
  readonly optimizer?: Optimizer;
  /** Numbers of another policy's weights, to go on from. */
  readonly from?: readonly Float32Array[];
}

/** A policy. Sequences are rows of places, `[length · inputs]`. */
export interface Policy {
  /** The probabilities of the actions at each place, `[length][actions]`. */
  chances(places: Float32Array): number[][];
  /** Moves the weights so that actions with a positive advantage become likelier: along the gradient of the mean of `advantage · Σ log p(action)`. */
  reinforce(
    sequences: readonly Float32Array[],
    actions: readonly (readonly number[])[],
    advantages: readonly number[],
  ): void;
  /** The numbers of its weights. */
  save(): Float32Array[];
  dispose(): void;
}

/** A policy with weights as drawn, or those of another one. */
export function policy(
  { inputs, actions, bidirectional, units = 30, optimizer = adam({ lr: 0.003 }), from }: PolicyOptions,
  rng: Rng,
): Policy {
  const model = net().lstm(units, { bidirectional }).lstm(units, { bidirectional }).dense(actions) as unknown as Model;
  let weights = tf.tidy(() => {
    const drawn = model.init(rng, [1, inputs]);
    if (from === undefined) return drawn;
    const own = leaves<tf.Tensor>(drawn);
    if (own.length !== from.length || own.some(({ size }, i) => size !== from[i]!.length))
      throw new RangeError(
        `policy: weights of ${own.map(({ size }) => size).join(", ")} numbers are required, got ${from.map(({ length }) => length).join(", ")}`,
      );
    return unflatten(
      drawn,
      own.map(({ shape }, i) => tf.tensor(from[i]!, shape)),
    ) as Params;
  });
  let state = optimizer.init(weights as Tree);
  const logits = (w: Params, x: tf.Tensor): tf.Tensor => model.apply(w, x, tape(false, null, {}).mode);
  const forward = jit((w: Params, x: tf.Tensor) => tf.softmax(logits(w, x)), { name: "policy" });
  const step = jit(
    (w: Params, held: Tree, x: tf.Tensor, taken: tf.Tensor, worth: tf.Tensor) => {
      const { grads } = valueAndGrad((at: Params) => {
        const log = tf.sum(tf.mul(tf.logSoftmax(logits(at, x)), taken), [1, 2]);
        return tf.neg(tf.mean(tf.mul(log, worth)));
      }, w);
      const [moves, next] = optimizer.update(grads as Tree, held, w as Tree, tf.scalar(optimizer.rate));
      return { weights: mapTensors((a, b) => tf.add(a, b!), w, moves as Params), state: next };
    },
    { name: "reinforce" },
  );
  return {
    chances(places) {
      return tf.tidy(() => {
        const x = tf.tensor(places, [1, places.length / inputs, inputs]);
        const all = forward(weights, x).dataSync() as Float32Array;
        return Array.from({ length: places.length / inputs }, (_, i) => [
          ...all.subarray(i * actions, (i + 1) * actions),
        ]);
      });
    },
    reinforce(sequences, chosen, advantages) {
      const length = sequences[0]!.length / inputs;
      const x = new Float32Array(sequences.length * length * inputs);
      for (const [i, places] of sequences.entries()) x.set(places, i * length * inputs);
      const taken = new Float32Array(sequences.length * length * actions);
      for (const [i, row] of chosen.entries())
        for (const [t, action] of row.entries()) taken[(i * length + t) * actions + action] = 1;
      const given = [
        tf.tensor(x, [sequences.length, length, inputs]),
        tf.tensor(taken, [sequences.length, length, actions]),
        tf.tensor1d([...advantages]),
      ] as const;
      const next = step(weights, state, ...given);
      disposeTree([weights, state, ...given] as unknown as Tree);
      ({ weights, state } = next);
    },
    save: () => leaves<tf.Tensor>(weights).map((leaf) => (leaf.dataSync() as Float32Array).slice()),
    dispose: () => disposeTree([weights, state] as unknown as Tree),
  };
}

/** An action drawn by its probability. */
export function drawnAction(chances: readonly number[], rng: Rng): number {
  let left = rng.uniform() * chances.reduce((a, b) => a + b, 0);
  const at = chances.findIndex((chance) => (left -= chance) < 0);
  return at < 0 ? chances.length - 1 : at;
}
