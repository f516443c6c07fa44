/** One program of a run: passes of one form through the network, and what comes back of them. */
import type { Target } from "../../data/dataset.ts";
import { disposeTree, type Rng, type Tree } from "../../engine/index.ts";
import type { Network } from "../../models/network.ts";
import type { Strategy } from "../../strategies/strategy.ts";
import { constantsOf, type States } from "../held.ts";
import type { Group } from "../stacked.ts";
import { type Learner, resolutionName, type TrainStep, termNames } from "../step.ts";
import { onHost, stepEvents } from "../stepped.ts";
import { type Asking, ask } from "./asking.ts";
import { culprit, type Taken } from "./culprit.ts";
import { type Done, doneOf, stepsOf } from "./laying.ts";
import { mapsOf } from "./resolution.ts";

/** What is the same for all programs of a run. */
export interface Program {
  readonly step: TrainStep;
  readonly network: Network;
  readonly strategies: readonly Strategy[];
  readonly target: Target;
  /** The noise of all steps. */
  readonly noise: Rng;
}

/**
 * Runs a group; frees the learner and the inputs it is given. `seen` is what strategies that have an `afterStep` asked to see.
 *
 * @throws RangeError when a loss is not finite.
 */
export function* ran(
  { step, network, strategies, target, noise }: Program,
  learner: Learner,
  states: States,
  { passes, inputs }: Group,
): Asking<{
  readonly learner: Learner;
  readonly done: Done[];
  readonly seen: Readonly<Record<string, Readonly<Record<string, Float32Array>>>>;
}> {
  const [{ batch, moment, hears, resolution }] = passes as [Group["passes"][number]];
  const rngs = passes.map(({ moment: { taken }, part }) => {
    const own = noise.at(taken);
    return part === 0 ? own : own.at("part", part);
  });
  const layout = { current: batch.current, rows: batch.rows, target, ...(hears && { hears }) };
  const maps = resolution && { [resolutionName]: mapsOf(resolution) as Tree };
  const taken: Taken = { before: learner, inputs, rngs, constants: { ...constantsOf(states), ...maps }, layout };
  const [next, out] = yield* ask(step, learner, inputs, rngs, taken.constants, layout);
  const before = out.chosen && { batches: passes.map((pass) => pass.batch), chosen: out.chosen.dataSync() };
  const why = culprit(step, network, strategies, taken, moment.taken, [next, out]);
  const terms = out.terms.dataSync();
  const names = termNames(strategies, terms.length / passes.length);
  const events = stepEvents(names, terms, stepsOf(passes), before, why, onHost(out.projected));
  const done = doneOf(passes, events, out.heard);
  const asking = strategies.filter(({ hooks }) => hooks.afterStep !== undefined);
  const seen = Object.fromEntries(asking.map(({ spec: { name } }) => [name, onHost(out.seen[name] ?? {})]));
  disposeTree([learner, inputs, maps ?? {}, out] as unknown as Tree);
  return { learner: next, done, seen };
}
