/** Networks made larger, or their layers shared and put into another order: functions from a network to a network. */
import type { Json } from "../data/dataset.ts";
import type { TrainedNetwork } from "../models/trained.ts";

/** What became of a network. */
export interface ExpandReport {
  readonly rule: string;
  readonly options: Json;
  /** Trained numbers before and after. */
  readonly parameters: readonly [before: number, after: number];
  /** Multiplications and additions for one example, before and after. */
  readonly flops: readonly [before: number, after: number];
}

/** A network that was made of another one. */
export interface Expanded {
  readonly network: TrainedNetwork;
  readonly report: ExpandReport;
}

/**
 * A network with what became of it by a rule.
 *
 * @example
 * ```ts
 * import { expand, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [4] });
 * const made = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * expand.expanded("nothing", {}, made, made).report.parameters; // [26, 26]
 * ```
 */
export function expanded(rule: string, options: Json, before: TrainedNetwork, network: TrainedNetwork): Expanded {
  return {
    network,
    report: {
      rule,
      options,
      parameters: [before.parameters, network.parameters],
      flops: [before.flops, network.flops],
    },
  };
}
