/** The scales and shifts of the layers that normalise. */
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";

/** Scales and shifts by the path of their layer, joined by "/". A type, not an interface, so that it is a tree of tensors. */
export type Norms = { readonly [path: string]: Params };

/** The scale and shift of every layer of the model that has both, by its path. */
export function normsOf({ model }: Pick<Weights, "model">): Norms {
  const found: Record<string, Params> = {};
  const visit = (node: Params, path: string): void => {
    const { scale, shift } = node;
    if (scale !== undefined && shift !== undefined) found[path] = { scale, shift };
    else
      for (const [name, inner] of Object.entries(node))
        if (!("dataId" in inner)) visit(inner as Params, path === "" ? name : `${path}/${name}`);
  };
  visit(model, "");
  return found;
}

/** Weights with other scales and shifts. */
export function withNorms(weights: Weights, norms: Norms): Weights {
  const visit = (node: Params, path: string): Params => {
    const own = norms[path];
    if (own !== undefined) return { ...node, ...own };
    return Object.fromEntries(
      Object.entries(node).map(([name, inner]) => [
        name,
        "dataId" in inner ? inner : visit(inner as Params, path === "" ? name : `${path}/${name}`),
      ]),
    );
  };
  return { ...weights, model: visit(weights.model, "") };
}
