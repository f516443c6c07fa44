/** How the strategies of an experiment predict, for networks that are taken out of it. */
import type { Shape } from "../data/dataset.ts";
import type { Model } from "../models/model.ts";
import { network } from "../models/network.ts";
import type { Predicting } from "../models/trained.ts";
import type { Strategy } from "../strategies/strategy.ts";
import { evaluator, type Frozen } from "./evaluate.ts";

/** How those of the strategies that predict or make the pass do it; undefined where they leave it to the network. */
export function predicting(
  model: Model,
  input: Shape,
  strategies: readonly Strategy[],
): Omit<Predicting, "states"> | undefined {
  const own = strategies.filter(({ hooks }) => hooks.forward !== undefined || hooks.predict !== undefined);
  if (own.length === 0) return undefined;
  const judge = evaluator(network(model, input), own);
  return {
    strategies: own.map((s) => s.toJSON()),
    predict: (weights, statistics, states, x, task) =>
      judge.predict({ weights, statistics, states: states as unknown as Frozen["states"] }, x, task),
  };
}
