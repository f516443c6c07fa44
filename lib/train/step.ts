/** The training step: forward, backward, strategies and optimizer as one traced function. */

import type { Target } from "../data/dataset.ts";
import { type Compiled, mapTensors, type Rng, steps, sumTree, type Tree, tf } from "../engine/index.ts";
import type { Params, Tap } from "../models/model.ts";
import { crossEntropies, masked, type Network, type Weights } from "../models/network.ts";
import { heldStill } from "../models/parts/held-still.ts";
import type { Stem } from "../models/parts/stem.ts";
import { applyUpdates, type Optimizer } from "../optim/optimizer.ts";
import type { Batch, Change, Passed, PassOptions, State, Step, Strategy } from "../strategies/strategy.ts";
import { crossEntropy, targetLoss, targetLosses } from "./objective.ts";
import { type Maps, resized } from "./parts/resolution.ts";
import { probesFor, probing, seenIn } from "./parts/seen.ts";
import { trainedGrad } from "./parts/trained.ts";
import { type Left, passed } from "./pass.ts";

/** What a step changes. A type, not an interface, so that it is a tree of tensors. */
export type Learner = {
  readonly weights: Weights;
  readonly statistics: Params;
  readonly optimizer: Tree;
  /** `carried` tensors of the strategies, by name. */
  readonly carried: { readonly [strategy: string]: Tree };
  /** Within an update of several batches: what their gradients come to so far. */
  readonly gathered?: Weights;
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
  /** Where gradients are gathered: the batch's share of the update, and 1 where it is the last of it, else 0. */
  readonly share?: tf.Tensor;
  readonly last?: tf.Tensor;
  /** What the frozen beginning of the network gives for `x`, where that is known. */
  readonly known?: tf.Tensor;
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
  /** For those who listen: the squared norms of the batch's gradient and of what is gathered, and `[n]` losses. */
  readonly heard?: { readonly square?: tf.Tensor; readonly whole?: tf.Tensor; readonly losses?: tf.Tensor };
};

/** The constant tensors of the strategies, by name. */
export type Constants = { readonly [strategy: string]: Tree };

/** What a step gives back for those who listen. */
export type Hears = { readonly norm: boolean; readonly losses: boolean };

/** Which rows of a batch come from where, and what they ask for. A type, not an interface, so that it is part of a signature. */
export type RowLayout = {
  readonly current: number;
  readonly rows: Batch["rows"];
  readonly target: Target;
  readonly hears?: Hears;
};

/** Where the constants hold the size that images are brought to. */
export const resolutionName = "(resolution)";

/** A batch's examples as they pass through the network. */
export function passing({ x }: Pick<Inputs, "x">, constants: Constants): tf.Tensor {
  const maps = constants[resolutionName];
  return maps === undefined ? x : resized(x, maps as unknown as Maps);
}

/** A compiled step for batches of one layout. The given state stays the caller's. */
export type TrainStep = Compiled<
  [state: Learner, inputs: Inputs, rngs: readonly Rng[] | null, constants: Constants, layout: RowLayout],
  [Learner, Outputs]
>;

/** The names of a step's terms, in order; where there is one more of them, it is what the layers have added to the loss. */
export function termNames(strategies: readonly Strategy[], count: number): string[] {
  const names = ["task", ...strategies.filter((s) => s.hooks.loss !== undefined).map((s) => s.spec.name)];
  return count > names.length ? [...names, "layers"] : names;
}

/** Compiles the training step of an experiment; inputs have a leading axis over steps. */
export function trainStep(
  network: Network,
  optimizer: Optimizer,
  strategies: readonly Strategy[],
  stem: Stem | null = null,
): TrainStep {
  return steps(
    (
      state: Learner,
      inputs: Inputs,
      rng: Rng | null,
      constants: Constants,
      layout: RowLayout,
    ): readonly [Learner, Outputs] =>
      oneStep(network, optimizer, strategies, stem, state, inputs, rng, constants, layout),
    { name: "step", keep: true },
  ) as TrainStep;
}

function oneStep(
  network: Network,
  optimizer: Optimizer,
  strategies: readonly Strategy[],
  stem: Stem | null,
  state: Learner,
  inputs: Inputs,
  rng: Rng | null,
  constants: Constants,
  layout: RowLayout,
): readonly [Learner, Outputs] {
  const known = stem === null || inputs.known === undefined ? undefined : { stem, values: inputs.known };
  const tensorsOf = ({ spec: { name } }: Strategy): State => ({
    tensors: constants[name],
    carried: state.carried[name],
  });
  const passer = strategies.find((s) => s.hooks.forward !== undefined);
  const { statistics } = state;
  const x = passing(inputs, constants);
  const task = inputs.task ?? null;
  let step: Step | undefined;

  const noise = (name: string): Rng | null => (rng === null ? null : rng.at(name));
  const through = (weights: Weights, training: boolean, tap: Tap | undefined): Passed & Left =>
    passed(network, passer, tensorsOf, {
      weights,
      statistics,
      x,
      task,
      training,
      rng: training ? noise("model") : null,
      within: { tap },
      known,
      extra: inputs.extra,
    });
  const passAt = (
    weights: Weights,
    tap?: Tap,
    y = inputs.y,
  ): { readonly loss: tf.Tensor; readonly added: tf.Tensor[]; readonly step: Step; readonly written: Params } => {
    const { features, logits, aside = {}, written, cost } = through(weights, true, tap);
    let passes = 0;
    const forward = (rows: tf.Tensor, options: PassOptions = {}): Passed => {
      const { frozen } = options;
      return passed(network, passer, tensorsOf, {
        weights: options.weights ?? weights,
        statistics: frozen ?? statistics,
        x: rows,
        task: options.task === undefined ? task : options.task,
        training: frozen === undefined,
        rng: frozen === undefined ? noise(`again ${passes++}`) : null,
        within: options,
        ...(rows === x &&
          (options.weights ?? weights) === weights &&
          (frozen === undefined || stem?.bare) && { known }),
      });
    };
    const now: Omit<Step, "extra"> = {
      network,
      weights,
      x,
      y,
      targets: inputs.targets ?? null,
      mask: inputs.mask ?? null,
      weight: inputs.weight ?? null,
      ...layout,
      task,
      statistics,
      rate: inputs.rate,
      features,
      logits,
      aside,
      rng,
      forward,
      crossEntropy,
      targetLoss: (of = now) => targetLoss(layout.target, of),
      targetLosses: (of = now) => targetLosses(layout.target, of),
      gradient: (loss) => trainedGrad(loss, weights, network.frozen).grads,
    };
    const stepFor = (s: Strategy): Step => ({ ...now, extra: inputs.extra[s.spec.name] ?? {} });
    const own = strategies.find((s) => s.hooks.taskLoss !== undefined);
    const loss = own === undefined ? targetLoss(layout.target, now) : own.hooks.taskLoss!(tensorsOf(own), stepFor(own));
    const added = strategies.flatMap((s) =>
      s.hooks.loss === undefined ? [] : [s.hooks.loss(tensorsOf(s), stepFor(s))],
    );
    if (cost !== null) added.push(cost);
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

  const after: Step = { ...step!, features: aux.features, logits: aux.logits, aside: {} };
  const stepFor = (s: Strategy): Step => ({ ...after, extra: inputs.extra[s.spec.name] ?? {} });
  const slope: Weights = gathered(state, grads, inputs);
  let gradient: Weights = slope;
  const projected: Record<string, tf.Tensor> = {};
  for (const s of strategies) {
    if (s.hooks.gradient === undefined) continue;
    const given = gradient;
    gradient = s.hooks.gradient(tensorsOf(s), gradient, stepFor(s));
    if (s.hooks.role === "projection")
      projected[s.spec.name] = gradient === given ? tf.scalar(0) : shareChanged(given, gradient);
  }
  const lossAt = (weights: Weights): tf.Tensor => {
    const { loss, added } = passAt(weights);
    return totalOf(loss, added);
  };
  const slopeAt = (of: (weights: Weights) => tf.Tensor, at: Weights): Weights =>
    trainedGrad(of, at, network.frozen).grads;
  const seen = seenIn(optimizer, task, aux.met, slopes, noise("optimizer"), {
    gradient: (at) => slopeAt(lossAt, at),
    loss: lossAt,
    drawn(at) {
      if (layout.target !== "class")
        throw new TypeError(
          `${optimizer.spec.name}: a stream that asks for classes is required to draw labels, got one that asks for "${layout.target}"`,
        );
      const y = drawnLabels(masked(aux.logits, inputs.mask ?? null), noise("drawn labels"));
      return { gradient: slopeAt((weights) => passAt(weights, undefined, y).loss, at), labels: y.size };
    },
  });
  const [updates, optimizerState] = optimizer.update(gradient, state.optimizer, state.weights, inputs.rate, seen);
  let weights = applyUpdates<Weights>(state.weights, updates as unknown as Weights);
  const changed = (): Change => ({ before: state.weights, after: weights, slope, gradient });
  for (const s of strategies)
    if (s.hooks.weights !== undefined) weights = s.hooks.weights(tensorsOf(s), changed(), stepFor(s));
  weights = heldStill(weights, state.weights, network.frozen);

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
  const heard = heardIn(layout, grads, slope, aux.logits, inputs);
  const next = {
    weights,
    statistics: mapTensors((t) => t, aux.statistics as Params),
    optimizer: optimizerState,
    carried,
  };
  return [
    state.gathered === undefined ? next : onceGathered(state, next, slope, inputs),
    {
      terms: aux.terms,
      projected,
      ...chosenBefore(strategies, aux.logits, inputs, layout),
      seen: shown,
      ...(heard && { heard }),
    },
  ];
}

/** Labels drawn from what logits predict (by Gumbel's noise); the most likely ones where nothing may be random. */
function drawnLabels(logits: tf.Tensor, rng: Rng | null): tf.Tensor {
  if (rng === null) return tf.argMax(logits, -1);
  const uniform = rng.uniforms(logits.shape, 1e-6, 1 - 1e-6);
  return tf.argMax(tf.sub(logits, tf.log(tf.neg(tf.log(uniform)))), -1);
}

/** The gradient of an update up to this batch: its own, or the mean over the rows of the batches so far. */
function gathered({ gathered: before }: Learner, grads: Weights, { share }: Inputs): Weights {
  if (before === undefined) return grads;
  return mapTensors((sum: tf.Tensor, g: tf.Tensor) => tf.add(sum, tf.mul(g, share!)), before, grads);
}

/** What a step leaves where gradients are gathered: only the last batch of an update moves anything but running statistics. */
function onceGathered(before: Learner, after: Learner, slope: Weights, { last }: Inputs): Learner {
  const moves = tf.greater(last!, 0);
  const chosen = <T>(was: T, now: T): T => mapTensors((a: tf.Tensor, b: tf.Tensor) => tf.where(moves, b, a), was, now);
  return {
    weights: chosen(before.weights, after.weights),
    statistics: after.statistics,
    optimizer: chosen(before.optimizer, after.optimizer),
    carried: chosen(before.carried, after.carried),
    gathered: mapTensors((g: tf.Tensor) => tf.mul(g, tf.sub(1, last!)), slope),
  };
}

/** What those who listen asked for. */
function heardIn(
  { hears, current }: RowLayout,
  grads: Weights,
  slope: Weights,
  logits: tf.Tensor,
  { y, mask }: Inputs,
): Outputs["heard"] {
  if (hears === undefined) return undefined;
  const square = (of: Weights): tf.Tensor => sumTree((g) => tf.sum(tf.square(g)) as tf.Scalar, of);
  const losses = (): tf.Tensor => tf.slice(crossEntropies(masked(logits, mask ?? null), y), [0], [current]);
  return {
    ...(hears.norm && { square: square(grads), whole: square(slope) }),
    ...(hears.losses && { losses: losses() }),
  };
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
