/** The part of the weights that is trained: only it has gradients and optimizer state, and all else stays bit for bit. */
import { cloneTree, disposeTree, leaves, paths, scoped, type Tree, tf, valueAndGrad } from "../../engine/index.ts";
import type { Network, Weights } from "../../models/network.ts";
import { heldStill } from "../../models/parts/held-still.ts";
import type { Optimizer } from "../../optim/optimizer.ts";
import { type Flat, seenOf, subset, withSubset } from "../../optim/parts/subset.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import type { Asking } from "./asking.ts";

type Frozen = Network["frozen"];

/** The paths that are trained. */
const trainedBy =
  (frozen: Frozen) =>
  (path: string): boolean =>
    frozen === null || !frozen(path);

/** A tree like the weights' with other tensors where it is trained, and elsewhere what `other` makes of the one there. */
function whole(weights: Weights, trained: Flat, other: (leaf: tf.Tensor) => tf.Tensor): Weights {
  return withSubset(weights as Tree, trained, other) as unknown as Weights;
}

/**
 * `valueAndGrad` for the trained part of the weights; the gradients of the others are zeros that nothing computes. Further tensors may be
 * given whose gradients are wanted too.
 */
export function trainedGrad<A extends Tree | undefined = undefined>(
  fn: (weights: Weights, more: Flat) => tf.Scalar | tf.Tensor | readonly [tf.Scalar | tf.Tensor, A],
  weights: Weights,
  frozen: Frozen,
  more: Flat = {},
): { readonly aux: A; readonly grads: Weights; readonly more: Flat } {
  if (frozen === null && Object.keys(more).length === 0) {
    const { aux, grads } = valueAndGrad((at: Weights) => fn(at, {}), weights);
    return { aux, grads, more: {} };
  }
  const trained = subset(weights as Tree, trainedBy(frozen));
  const { aux, grads } = valueAndGrad(
    (at: { readonly trained: Flat; readonly more: Flat }) =>
      fn(
        whole(weights, at.trained, (leaf) => leaf),
        at.more,
      ),
    { trained, more },
  );
  return { aux, grads: whole(weights, grads.trained, (leaf) => tf.zerosLike(leaf)), more: grads.more };
}

/**
 * An optimizer for the weights of one network, which knows of their trained part alone. Of a network and head that are all frozen there may be none
 * where strategies have parameters of their own, until these are there.
 */
export function fitted(
  optimizer: Optimizer,
  { frozen, kindOf }: Network,
  strategies: readonly Strategy[] = [],
): Optimizer {
  const own = optimizer.over?.(kindOf) ?? optimizer;
  if (frozen === null) return own;
  const keep = trainedBy(frozen);
  return {
    ...own,
    init(params) {
      const trained = subset(params, keep);
      const awaited =
        !("added" in (params as object)) && strategies.some(({ hooks }) => hooks.parameters !== undefined);
      if (Object.keys(trained).length > 0 || awaited) return own.init(trained);
      throw new RangeError(
        "freeze: at least one parameter that is trained is required, got none; leave the head to train",
      );
    },
    update(grads, state, params, rate, seen) {
      const ofTrained = seenOf(seen, params, keep);
      const [updates, next] = own.update(subset(grads, keep), state, subset(params, keep), rate, ofTrained);
      return [withSubset(params, updates as Flat, (leaf) => tf.zerosLike(leaf)), next];
    },
    ...(own.shown && {
      shown: (params: Tree, state: Tree) =>
        withSubset(params, own.shown!(subset(params, keep), state) as Flat, (leaf) => leaf),
    }),
  };
}

/** A network of which only what the strategies train is trained. */
export function limited(network: Network, strategies: readonly Strategy[]): Network {
  const limits = strategies.flatMap(({ hooks }) => (hooks.trains === undefined ? [] : [hooks.trains]));
  if (limits.length === 0) return network;
  const { frozen } = network;
  return { ...network, frozen: (path) => frozen?.(path) === true || !limits.every((trains) => trains(path)) };
}

/** The weights that predict: those that an optimizer shows, which `free` frees again, or those that are trained. */
function shownBy({ shown }: Optimizer, weights: Weights, state: Tree): { readonly weights: Weights; free(): void } {
  if (shown === undefined) return { weights, free() {} };
  const own = scoped(() => cloneTree(shown(weights as unknown as Tree, state))) as unknown as Weights;
  return { weights: own, free: () => disposeTree(own) };
}

/** Does something with the weights that predict. */
export function withShown<R>(optimizer: Optimizer, weights: Weights, state: Tree, use: (weights: Weights) => R): R {
  const own = shownBy(optimizer, weights, state);
  try {
    return use(own.weights);
  } finally {
    own.free();
  }
}

/** Does work with the weights that predict that asks for programs on its way. */
export function* askingShown<R>(
  optimizer: Optimizer,
  weights: Weights,
  state: Tree,
  use: (weights: Weights) => Asking<R>,
): Asking<R> {
  const own = shownBy(optimizer, weights, state);
  try {
    return yield* use(own.weights);
  } finally {
    own.free();
  }
}

/** The optimizer. @throws TypeError where learning at test time would take the place of weights that do not predict. */
export function requireShown(optimizer: Optimizer, strategies: readonly Strategy[]): Optimizer {
  const { shown, spec } = optimizer;
  const adapting = strategies.find(({ hooks }) => hooks.adapt !== undefined && hooks.adapting?.reset === "never");
  if (shown !== undefined && adapting !== undefined)
    throw new TypeError(
      `${adapting.spec.name}: an optimizer whose weights predict is required where nothing is reset, got ${spec.name}, which predicts with an average; reset "round"`,
    );
  return optimizer;
}

/** Whether a step is to know the task of each row. */
export function tellsTask(strategies: readonly Strategy[], { sees }: Optimizer): boolean {
  return sees?.includes("task") === true || strategies.some(({ hooks }) => hooks.forward !== undefined);
}

/**
 * Weights that a hook gave on the host, with the frozen tensors as they were; what takes no place is freed.
 *
 * @throws TypeError where a frozen one came with other numbers, more than rounding apart: what the strategy does would not be done.
 */
export function keptStill(
  name: string,
  given: Weights | undefined,
  before: Weights,
  frozen: Frozen,
): Weights | undefined {
  if (given === undefined || frozen === null || given === before) return given;
  const changed = changedAmong(given, before, frozen);
  const kept = heldStill(given, before, frozen);
  const held = new Set([...leaves((changed.length > 0 ? before : kept) as Tree), ...leaves(before as Tree)]);
  disposeTree(leaves(given as Tree).filter((leaf) => !held.has(leaf)));
  if (changed.length === 0) return kept;
  throw new TypeError(
    `${name}: parameters that are trained are required where it puts others in their place, got ${changed.join(", ")}, frozen by the model or by what another strategy trains; leave them to train`,
  );
}

/** The frozen paths whose numbers are not those from before, but for rounding. */
function changedAmong(given: Weights, before: Weights, frozen: NonNullable<Frozen>): string[] {
  const old = new Map(paths(before as Tree));
  return paths(given as Tree).flatMap(([path, leaf]) => {
    const was = old.get(path);
    if (was === undefined || was === leaf || !frozen(path)) return [];
    return String(was.shape) === String(leaf.shape) && near(leaf, was) ? [] : [path];
  });
}

/** Whether two tensors are the same to 1e-5 of the largest number. */
function near(a: tf.Tensor, b: tf.Tensor): boolean {
  if (a.size === 0) return true;
  const [apart, size] = tf.tidy(() =>
    tf.stack([tf.max(tf.abs(tf.sub(a, b))), tf.max(tf.abs(b))].map((t) => tf.cast(t, "float32"))).dataSync(),
  );
  return apart! <= 1e-5 * size!;
}
