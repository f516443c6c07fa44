/** What strategies hold: their states, the part of them that steps change, and what they ask of the run. */
import { disposeTree, type Rng, scoped, type Tree } from "../engine/index.ts";
import type { Network, Weights } from "../models/network.ts";
import { type Optimizer, zeros } from "../optim/optimizer.ts";
import type { State, Strategy } from "../strategies/strategy.ts";
import type { Frozen } from "./evaluate.ts";
import { keptStill } from "./parts/trained.ts";
import type { Constants, Learner } from "./step.ts";
import { widenedState } from "./widen.ts";

/** The states of a run's strategies without their carried tensors, by name. */
export type States = { readonly [strategy: string]: State };

/** A network and an optimizer before the first step. */
export function freshLearner(network: Network, optimizer: Optimizer, rng: Rng, columns: number): Learner {
  const weights = network.init(rng, columns);
  return {
    weights,
    statistics: network.statistics(),
    optimizer: scoped(() => optimizer.init(weights as Tree)),
    carried: {},
  };
}

/** What the traced hooks read and do not change, by strategy. */
export function constantsOf(states: States): Constants {
  const held = Object.entries(states).flatMap(([name, { tensors }]) =>
    tensors === undefined ? [] : [[name, tensors]],
  );
  return Object.fromEntries(held);
}

/** The network with what strategies that predict or make the pass hold, for evaluation. */
export function frozenOf(strategies: readonly Strategy[], states: States, learner: Learner, weights: Weights): Frozen {
  const own = strategies.filter(({ hooks }) => hooks.predict ?? hooks.forward ?? hooks.adapt);
  const held = own.map(({ spec: { name } }) => {
    return [name, { tensors: states[name]?.tensors, carried: learner.carried[name] }];
  });
  return { weights, statistics: learner.statistics, states: Object.fromEntries(held) };
}

/** A strategy's state as its hooks see it. */
export function stateOf(name: string, states: States, learner: Learner): State {
  const carried = learner.carried[name];
  return carried === undefined ? states[name]! : { ...states[name]!, carried };
}

/**
 * Takes the state that a hook returned: what steps change goes to the learner, the rest to the states, and new weights take the place of
 * the network's. Frees the tensors that are no longer held.
 *
 * @throws TypeError where these would change what is frozen.
 */
export function hold(
  name: string,
  returned: State,
  optimizer: Optimizer,
  states: States,
  learner: Learner,
  frozen: Network["frozen"],
): { readonly states: States; readonly learner: Learner; readonly notes: readonly string[] } {
  const { carried, weights: given, restart = false, notes = [], ...rest } = returned;
  const weights = keptStill(name, given, learner.weights, frozen);
  disposeTree(states[name]?.tensors, rest.tensors);
  let next = learner;
  if (carried !== undefined) {
    disposeTree(learner.carried[name], carried);
    next = { ...next, carried: { ...next.carried, [name]: carried } };
  }
  if (weights !== undefined && weights !== learner.weights) {
    const state = restart
      ? scoped(() => optimizer.init(weights as unknown as Tree))
      : widenedState(optimizer, learner.optimizer, weights);
    disposeTree(learner.optimizer, state);
    disposeTree(learner.weights, weights);
    next = { ...next, weights, optimizer: state };
  } else if (restart) {
    const state = scoped(() => optimizer.init(learner.weights as unknown as Tree));
    disposeTree(learner.optimizer, state);
    next = { ...next, optimizer: state };
  }
  return { states: { ...states, [name]: rest }, learner: next, notes };
}

/** A learner with an empty sum of gradients, for updates that gather several. */
export function gathering(learner: Learner): Learner {
  return { ...learner, gathered: scoped(() => zeros(learner.weights as unknown as Tree)) as unknown as Weights };
}

/** The learner without that sum, which is freed. */
export function gatheredNoMore({ gathered, ...learner }: Learner): Learner {
  disposeTree(gathered);
  return learner;
}
