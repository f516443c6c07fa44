import type { Json } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import type { Params } from "../models/model.ts";
import { networkOf, type Piece, piecesOf, tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Expanded, expanded } from "./expanded.ts";

/**
 * A network of any depth out of one whose stages each share their layers: the layers of stage k stand `depths[k]` times, with weights of their own from now on.
 *
 * The small network is one with `shared(times, …)` for each stage, which learns from a large one by `distil`: its shared layers have learnt to stand several times at
 * their stage. Each network that is made of it begins from them and is tuned. With as many times as they were shared the answers stay the same.
 *
 * Implements: P424 Learngene SWS
 * Xia et al. 2024, "Exploring learngene via stage-wise weight sharing for initializing variable-sized models", arXiv:2404.16897, section 3.
 * Differs from the paper: none known.
 *
 * @throws RangeError where there are not as many depths as stages; TypeError for a network without shared layers.
 *
 * @example
 * ```ts
 * import { expand, net, network, random, trained } from "thalweg";
 * const model = net().dense(4).shared(2, (n) => n.dense(4).tanh()).shared(2, (n) => n.dense(4).tanh());
 * const small = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * expand.stages(small, [1, 3]).report.parameters; // [66, 106]
 * ```
 */
export function stages(network: TrainedNetwork, depths: readonly number[]): Expanded {
  for (const depth of depths) needWhole("expand.stages", "a depth", depth);
  return tidied(() => {
    const pieces = piecesOf("expand.stages", network);
    const count = pieces.filter(({ layer }) => layer.name === "shared").length;
    if (count === 0)
      throw new TypeError(
        "expand.stages: a network with shared layers is required, got one without; see layers.shared",
      );
    if (count !== depths.length)
      throw new RangeError(`expand.stages: a depth for each of ${count} stages is required, got [${depths}]`);
    let stage = 0;
    const own = pieces.flatMap((piece): Piece[] => {
      if (piece.layer.name !== "shared") return [piece];
      const { stack, names } = piece.layer.parts![0]!.model;
      const inside = stack!.map(
        (layer, i): Piece => ({
          layer,
          params: (piece.params[names![i]!] ?? {}) as Params,
          statistics: (piece.statistics[names![i]!] ?? {}) as Params,
        }),
      );
      return Array.from({ length: depths[stage++]! }, () => inside).flat();
    });
    return expanded("stages", { depths } as Json, network, networkOf(network, own));
  });
}
