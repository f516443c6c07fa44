import { bottlenecks } from "../parts/bottlenecks.ts";
import { adapter } from "./adapter.ts";

/**
 * A bottleneck after each layer: `y + U φ(D y + b) + c` of what the layer gives, with D to a few units and U back from them.
 *
 * By default after the two products that end the halves of a transformer block, before what passes by is added: Houlsby et al. 2019,
 * arXiv:1902.00751, section 2.1. After the second alone (`on: "*down"`): Pfeiffer et al. 2021, arXiv:2005.00247, section 3.2.2. On images it is
 * a 1×1 convolution. It cannot be merged into the layer's weights.
 *
 * Differs from the paper: U begins as 0, so that the network begins exactly as it was.
 *
 * @example
 * ```ts
 * import { bottleneck, net } from "thalweg";
 * net().embedding(26, 16).transformer(2).last().adapt(bottleneck({ units: 4 }));
 * ```
 */
export const bottleneck = adapter(
  "bottleneck",
  {
    /** Units of the bottleneck. */
    units: 8,
    /** What is done within it. */
    activation: "relu" as string,
  },
  ["*/out", "*/down"],
  ({ units, activation }) => {
    const own = bottlenecks("bottleneck", units, activation);
    return {
      init: (rng, { output }) => own.init(rng, output.at(-1)!),
      output: (params, _input, output) => own.added(output, own.hidden(output, params), params),
    };
  },
);
