/** The training step: forward, backward, strategies and optimizer as one traced function. */
import { mapTensors, type Rng, steps, type Tree, tf, valueAndGrad } from "../engine/index.ts";
import { type Params, tape } from "../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../models/network.ts";
import { applyUpdates, type Optimizer } from "../optim/optimizer.ts";
import type { State, Step, Strategy } from "../strategies/strategy.ts";

/** What a step changes. A type, not an interface, so that it is a tree of tensors. */
export type Learner = {
  readonly weights: Weights;
  readonly statistics: Params;
  readonly optimizer: Tree;
  /** `carried` tensors of the strategies, by name. */
  readonly carried: { readonly [strategy: string]: Tree };
};

/** A batch as tensors. */
export type Inputs = {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  /** The learning rate of this step. */
  readonly rate: tf.Tensor;
  readonly mask?: tf.Tensor;
  readonly weight?: tf.Tensor;
  readonly extra: { readonly [strategy: string]: { readonly [name: string]: tf.Tensor } };
};

/** What a step gives back: `[1 + losses]` terms (the task's first), and what strategies asked to see. */
export type Outputs = {
  readonly terms: tf.Tensor;
  readonly seen: { readonly [strategy: string]: { readonly [name: string]: tf.Tensor } };
};

/** The constant tensors of the strategies, by name. */
export type Constants = { readonly [strategy: string]: Tree };

/** A compiled step for batches with `current` rows from the stream. */
export type TrainStep = (
  state: Learner,
  inputs: Inputs,
  rngs: readonly Rng[] | null,
  constants: Constants,
  current: number,
) => [Learner, Outputs];

/** The names of a step's terms, in order. */
export function termNames(strategies: readonly Strategy[]): string[] {
  return ["task", ...strategies.filter((s) => s.hooks.loss !== undefined).map((s) => s.spec.name)];
}

/** Compiles the training step of an experiment; inputs have a leading axis over steps. */
export function trainStep(network: Network, optimizer: Optimizer, strategies: readonly Strategy[]): TrainStep {
  return steps(
    (
      state: Learner,
      inputs: Inputs,
      rng: Rng | null,
      constants: Constants,
      current: number,
    ): readonly [Learner, Outputs] => oneStep(network, optimizer, strategies, state, inputs, rng, constants, current),
    { name: "step" },
  ) as TrainStep;
}

function oneStep(
  network: Network,
  optimizer: Optimizer,
  strategies: readonly Strategy[],
  state: Learner,
  inputs: Inputs,
  rng: Rng | null,
  constants: Constants,
  current: number,
): readonly [Learner, Outputs] {
  const tensorsOf = ({ spec: { name } }: Strategy): State => ({
    tensors: constants[name],
    carried: state.carried[name],
  });
  let statistics: Params = state.statistics;
  let step: Step | undefined;

  const passAt = (weights: Weights): { readonly task: tf.Tensor; readonly added: tf.Tensor[]; readonly step: Step } => {
    const run = tape(true, rng === null ? null : rng.at("model"), state.statistics);
    const features = network.features(weights, inputs.x, run.mode);
    const now: Omit<Step, "extra"> = {
      network,
      weights,
      x: inputs.x,
      y: inputs.y,
      mask: inputs.mask ?? null,
      weight: inputs.weight ?? null,
      current,
      features,
      logits: network.logits(weights, features),
      rng,
      forward(x, at = weights) {
        const inner = network.features(at, x, tape(true, rng === null ? null : rng.at("again"), state.statistics).mode);
        return { features: inner, logits: network.logits(at, inner) };
      },
      crossEntropy,
      gradient: (loss) => valueAndGrad(loss, weights).grads,
    };
    const stepFor = (s: Strategy): Step => ({ ...now, extra: inputs.extra[s.spec.name] ?? {} });
    const own = strategies.find((s) => s.hooks.taskLoss !== undefined);
    const task =
      own === undefined
        ? crossEntropy(now.logits, now.y, now.mask, now.weight)
        : own.hooks.taskLoss!(tensorsOf(own), stepFor(own));
    const added = strategies.flatMap((s) =>
      s.hooks.loss === undefined ? [] : [s.hooks.loss(tensorsOf(s), stepFor(s))],
    );
    statistics = run.written();
    return { task, added, step: { ...now, extra: {} } };
  };

  const { grads, aux } = valueAndGrad((weights: Weights) => {
    const { task, added, step: now } = passAt(weights);
    step = now;
    const total = added.reduce((sum, term) => tf.add(sum, term), task);
    return [
      total,
      {
        terms: tf.stack([task, ...added].map((t) => tf.reshape(t, []))),
        statistics,
        features: now.features,
        logits: now.logits,
      },
    ] as const;
  }, state.weights);

  const after: Step = { ...step!, features: aux.features, logits: aux.logits };
  const stepFor = (s: Strategy): Step => ({ ...after, extra: inputs.extra[s.spec.name] ?? {} });
  let gradient: Weights = grads;
  for (const s of strategies)
    if (s.hooks.gradient !== undefined) gradient = s.hooks.gradient(tensorsOf(s), gradient, stepFor(s));
  const [updates, optimizerState] = optimizer.update(gradient, state.optimizer, state.weights, inputs.rate);
  const weights = applyUpdates<Weights>(state.weights, updates as unknown as Weights);

  const carried: Record<string, Tree> = {};
  for (const s of strategies) {
    const held = state.carried[s.spec.name];
    if (held === undefined) continue;
    carried[s.spec.name] =
      s.hooks.update?.(tensorsOf(s), { before: state.weights, after: weights, gradient }, stepFor(s)) ?? held;
  }
  const seen: Record<string, { readonly [name: string]: tf.Tensor }> = {};
  for (const s of strategies)
    if (s.hooks.outputs !== undefined) seen[s.spec.name] = s.hooks.outputs(tensorsOf(s), stepFor(s));
  return [
    { weights, statistics: mapTensors((t) => t, aux.statistics as Params), optimizer: optimizerState, carried },
    { terms: aux.terms, seen },
  ];
}

/** The mean cross-entropy of rows under a mask, weighted if weights are given. */
export function crossEntropy(
  logits: tf.Tensor,
  y: tf.Tensor,
  mask: tf.Tensor | null,
  weight: tf.Tensor | null = null,
): tf.Scalar {
  const each = crossEntropies(masked(logits, mask), y);
  return (weight === null ? tf.mean(each) : tf.div(tf.sum(tf.mul(each, weight)), tf.sum(weight))) as tf.Scalar;
}
