/** Networks of which parts are cut out, with what became of them. */
import type { Examples, Json } from "../../data/dataset.ts";
import { answersOf } from "../../models/parts/kernel-layers.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import type { Pruned } from "../pruning.ts";

/** A network of another shape, and its report. */
export type Cut = Omit<Pruned, "toOnnx" | "saveOnnx">;

/** A network with its report, beside what it was made of; with examples also how their answers differ. */
export function cut(
  rule: string,
  options: object,
  before: TrainedNetwork,
  network: TrainedNetwork,
  data: Examples | null,
): Cut {
  return {
    network,
    report: {
      rule,
      options: options as Json,
      sparsity: 1 - network.parameters / before.parameters,
      layers: [],
      parameters: { before: before.parameters, after: network.parameters },
      bytes: { before: before.bytes, after: network.bytes },
      flops: { before: before.flops, after: network.flops },
      ...(data !== null && data.length > 0 && answersOf(before, network, data)),
    },
  };
}
