/** The kernels of a network by their paths, and networks that run with others in their place. */
import { paths, type Tree, type tf } from "../../engine/index.ts";
import { type Filter, selects } from "../../models/filter.ts";
import type { Params } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { withSubset } from "../../optim/parts/subset.ts";

/** Kernels of a model by where they lie in its tree, `2-dense/kernel`. A type, so that it is a tree of tensors. */
export type Kernels = { readonly [path: string]: tf.Tensor };

/** The kernels that a filter selects. */
export function kernelsIn({ kindOf }: Network, { model }: Weights, on: Filter): Kernels {
  const all = paths(model as Tree).filter(
    ([path, { rank, shape }]) => rank > 1 && selects(on, { path, kind: kindOf(`model/${path}`), shape }),
  );
  return Object.fromEntries(all.filter(([path]) => kindOf(`model/${path}`) === "weight"));
}

/** Weights with other kernels at some paths; the rest is as it was. */
export function withKernels(weights: Weights, kernels: Kernels): Weights {
  const model = withSubset(weights.model as Tree, kernels, (leaf) => leaf) as unknown as Params;
  return { ...weights, model };
}
