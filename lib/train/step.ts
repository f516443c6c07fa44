/** The training step: forward, backward, strategies and optimizer as one traced function. */

import type { Target } from "../data/dataset.ts";
import { mapTensors, type Rng, steps, sumTree, type Tree, tf } from "../engine/index.ts";
import type { Params, Tap } from "../models/model.ts";
import { masked, type Network, type Weights } from "../models/network.ts";
import { applyUpdates, type Optimizer } from "../optim/optimizer.ts";
import type { Batch, Change, Passed, PassOptions, State, Step, Strategy } from "../strategies/strategy.ts";
import { crossEntropy, targetLoss } from "./objective.ts";
import { probesFor, probing, seenIn } from "./parts/seen.ts";
import { still, trainedGrad } from "./parts/trained.ts";
import { passed } from "./pass.ts";

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
  readonly targets?: tf.Tensor;
  /** The learning rate of this step. */
  readonly rate: tf.Tensor;
  readonly task?: tf.Tensor;
  readonly mask?: tf.Tensor;
  readonly weight?: tf.Tensor;
  readonly extra: { readonly [strategy: string]: { readonly [name: string]: tf.Tensor } };
};

/**
 * What a step gives back: `[1 + losses]` terms (the task's first), how much each projection changed the gradient, `[n]` columns that the
 * learner decided for before the update, and what strategies asked to see.
 */
export type Outputs = {
  readonly terms: tf.Tensor;
  readonly projected: { readonly [strategy: string]: tf.Tensor };
  readonly chosen?: tf.Tensor;
  readonly seen: { readonly [strategy: string]: { readonly [name: string]: tf.Tensor } };
};

/** The constant tensors of the strategies, by name. */
export type Constants = { readonly [strategy: string]: Tree };

/** Which rows of a batch come from where, and what they ask for. A type, not an interface, so that it is part of a signature. */
export type RowLayout = { readonly current: number; readonly rows: Batch["rows"]; readonly target: Target };

/** A compiled step for batches of one layout. The given state stays the caller's. */
export type TrainStep = (
  state: Learner,
  inputs: Inputs,
  rngs: readonly Rng[] | null,
  constants: Constants,
  layout: RowLayout,
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
      layout: RowLayout,
    ): readonly [Learner, Outputs] => oneStep(network, optimizer, strategies, state, inputs, rng, constants, layout),
    { name: "step", keep: true },
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
  layout: RowLayout,
): readonly [Learner, Outputs] {
  const tensorsOf = ({ spec: { name } }: Strategy): State => ({
    tensors: constants[name],
    carried: state.carried[name],
  });
  const passing = strategies.find((s) => s.hooks.forward !== undefined);
  const { statistics } = state;
  const task = inputs.task ?? null;
  let step: Step | undefined;

  const noise = (name: string): Rng | null => (rng === null ? null : rng.at(name));
  const through = (weights: Weights, training: boolean, tap: Tap | undefined): Passed & { readonly written: Params } =>
    passed(network, passing, tensorsOf, {
      weights,
      statistics,
      x: inputs.x,
      task,
      training,
      rng: training ? noise("model") : null,
      tap,
    });
  const passAt = (
    weights: Weights,
    tap?: Tap,
  ): { readonly loss: tf.Tensor; readonly added: tf.Tensor[]; readonly step: Step; readonly written: Params } => {
    const { features, logits, written } = through(weights, true, tap);
    let passes = 0;
    const forward = (x: tf.Tensor, options: PassOptions = {}): Passed => {
      const { frozen } = options;
      return passed(network, passing, tensorsOf, {
        weights: options.weights ?? weights,
        statistics: frozen ?? statistics,
        x,
        task: options.task === undefined ? task : options.task,
        training: frozen === undefined,
        rng: frozen === undefined ? noise(`again ${passes++}`) : null,
        tap: options.tap,
      });
    };
    const now: Omit<Step, "extra"> = {
      network,
      weights,
      x: inputs.x,
      y: inputs.y,
      targets: inputs.targets ?? null,
      mask: inputs.mask ?? null,
      weight: inputs.weight ?? null,
      ...layout,
      task,
      statistics,
      rate: inputs.rate,
      features,
      logits,
      rng,
      forward,
      crossEntropy,
      gradient: (loss) => trainedGrad(loss, weights, network.frozen).grads,
    };
    const stepFor = (s: Strategy): Step => ({ ...now, extra: inputs.extra[s.spec.name] ?? {} });
    const own = strategies.find((s) => s.hooks.taskLoss !== undefined);
    const loss = own === undefined ? targetLoss(layout.target, now) : own.hooks.taskLoss!(tensorsOf(own), stepFor(own));
    const added = strategies.flatMap((s) =>
      s.hooks.loss === undefined ? [] : [s.hooks.loss(tensorsOf(s), stepFor(s))],
    );
    return { loss, added, step: { ...now, extra: {} }, written };
  };

  const totalOf = (loss: tf.Tensor, added: readonly tf.Tensor[]): tf.Tensor =>
    added.reduce((sum, term) => tf.add(sum, term), loss);
  const probes = probesFor(optimizer, (tap) => through(state.weights, false, tap));
  const {
    grads,
    aux,
    more: slopes,
  } = trainedGrad(
    (weights: Weights, at) => {
      const { tap, inputs: met } = probing(at);
      const { loss, added, step: now, written } = passAt(weights, tap);
      step = now;
      return [
        totalOf(loss, added),
        {
          met,
          terms: tf.stack([loss, ...added].map((t) => tf.reshape(t, []))),
          statistics: written,
          features: now.features,
          logits: now.logits,
        },
      ] as const;
    },
    state.weights,
    network.frozen,
    probes,
  );

  const after: Step = { ...step!, features: aux.features, logits: aux.logits };
  const stepFor = (s: Strategy): Step => ({ ...after, extra: inputs.extra[s.spec.name] ?? {} });
  let gradient: Weights = grads;
  const projected: Record<string, tf.Tensor> = {};
  for (const s of strategies) {
    if (s.hooks.gradient === undefined) continue;
    const given = gradient;
    gradient = s.hooks.gradient(tensorsOf(s), gradient, stepFor(s));
    if (s.hooks.role === "projection")
      projected[s.spec.name] = gradient === given ? tf.scalar(0) : shareChanged(given, gradient);
  }
  const elsewhere = (at: Weights): Weights =>
    trainedGrad(
      (weights) => {
        const { loss, added } = passAt(weights);
        return totalOf(loss, added);
      },
      at,
      network.frozen,
    ).grads;
  const seen = seenIn(optimizer, task, aux.met, slopes, elsewhere);
  const [updates, optimizerState] = optimizer.update(gradient, state.optimizer, state.weights, inputs.rate, seen);
  let weights = applyUpdates<Weights>(state.weights, updates as unknown as Weights);
  const changed = (): Change => ({ before: state.weights, after: weights, slope: grads, gradient });
  for (const s of strategies)
    if (s.hooks.weights !== undefined) weights = s.hooks.weights(tensorsOf(s), changed(), stepFor(s));
  weights = still(weights, state.weights, network.frozen);

  const carried: Record<string, Tree> = {};
  for (const s of strategies) {
    const held = state.carried[s.spec.name];
    if (held === undefined) continue;
    const next = s.hooks.update?.(tensorsOf(s), changed(), stepFor(s));
    carried[s.spec.name] = next ?? held;
  }
  const shown: Record<string, { readonly [name: string]: tf.Tensor }> = {};
  for (const s of strategies)
    if (s.hooks.outputs !== undefined) shown[s.spec.name] = s.hooks.outputs(tensorsOf(s), stepFor(s));
  return [
    { weights, statistics: mapTensors((t) => t, aux.statistics as Params), optimizer: optimizerState, carried },
    { terms: aux.terms, projected, ...chosenBefore(strategies, aux.logits, inputs, layout), seen: shown },
  ];
}

/** `‖a − b‖ / ‖a‖` of two gradients. */
function shareChanged(a: Weights, b: Weights): tf.Tensor {
  const apart = sumTree((x, y) => tf.sum(tf.squaredDifference(x, y!)) as tf.Scalar, a, b);
  const whole = sumTree((x) => tf.sum(tf.square(x)) as tf.Scalar, a);
  return tf.sqrt(tf.div(apart, tf.maximum(whole, 1e-30)));
}

/** The column that the learner decides for in each row; nothing where it is not asked for one, or does not decide by its logits. */
function chosenBefore(
  strategies: readonly Strategy[],
  logits: tf.Tensor,
  { mask }: Inputs,
  { target }: RowLayout,
): Pick<Outputs, "chosen"> {
  if (target !== "class" || strategies.some((s) => s.hooks.predict !== undefined)) return {};
  return { chosen: tf.argMax(masked(logits, mask ?? null), -1) };
}
