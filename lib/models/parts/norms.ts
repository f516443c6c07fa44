/** The normalisations that a block of a transformer can have, by name. */
import { needOneOf } from "../../data/options.ts";
import type { Layer } from "../layer.ts";
import { elementwiseNorm } from "../layers/norm/elementwise-norm.ts";
import { layerNorm } from "../layers/norm/layer-norm.ts";
import { rmsNorm } from "../layers/norm/rms-norm.ts";

/** Layer normalisation, that by the root mean square, or an elementwise one: by a hyperbolic tangent or an inverse square root. */
export type NormName = "layer" | "rms" | "tanh" | "isru";

const known = {
  layer: (epsilon) => layerNorm({ epsilon }),
  rms: (epsilon) => rmsNorm({ epsilon }),
  tanh: () => elementwiseNorm({ form: "tanh" }),
  isru: () => elementwiseNorm({ form: "isru" }),
} as const satisfies Record<NormName, (epsilon: number) => Layer>;

/** A layer that normalises. `epsilon` is for those that divide by a statistic. */
export function normLayer(where: string, name: NormName, epsilon: number): Layer {
  needOneOf(where, "normalisation", name, Object.keys(known));
  return known[name](epsilon);
}
