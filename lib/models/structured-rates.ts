/** The rates at which the factors of structured matrices are to be moved. */
import type { Shape } from "../data/dataset.ts";
import type { ModelParts } from "./model.ts";
import { type Parameter, parameters } from "./parameters.ts";

/**
 * What the rate of a dense layer is multiplied by for each factor of the `structured` layers of a model: the path of its tensor, and d / 2f for d inputs of
 * the layer and f of the factor. Then a step of adam changes what the layer gives about as much as that of a dense layer would.
 *
 * Qiu et al. 2024, arXiv:2406.06248, section 4 and its program.
 *
 * @example
 * ```ts
 * import { adam, groups, net, structuredRates } from "thalweg";
 * const model = net().structured(64).relu();
 * structuredRates(model, [64]); // [["1-structured/first", 4], ["1-structured/second", 4]]
 * groups(...structuredRates(model, [64]).map(([on, by]) => [on, adam({ lr: by * 0.001 })] as const), adam({ lr: 0.001 }));
 * ```
 */
export function structuredRates(
  model: ModelParts,
  input: Shape,
): readonly (readonly [path: string, multiple: number])[] {
  const all = parameters(model, input);
  return structuredIn(model).flatMap(({ path: layer, rank }) => {
    const factors = all.filter(({ path, kind }) => path.startsWith(`${layer}/`) && kind !== "bias");
    const [{ shape: first }, { shape: second }] = factors as [Parameter, Parameter];
    const inputs =
      first.length === 3 ? first[0]! * first[1]! : rank === null ? first[0]! : (first[0]! * second[0]!) / rank;
    return factors.map(({ path, shape }) => [path, inputs / (2 * shape.at(-2)!)] as const);
  });
}

/** The `structured` layers of a model, wherever they lie, with the rank of those that are sums of Kronecker products. */
function structuredIn(
  { stack = [], names = [] }: ModelParts,
  at = "",
): readonly { readonly path: string; readonly rank: number | null }[] {
  return stack.flatMap(({ name, options, parts = [] }, i) => {
    const path = `${at}${names[i]}`;
    const { kind, rank = 1 } = (options ?? {}) as { readonly kind?: string; readonly rank?: number };
    return [
      ...(name === "structured" ? [{ path, rank: kind === "kronecker" ? rank : null }] : []),
      ...parts.flatMap((part) => structuredIn(part.model, part.name === "" ? `${path}/` : `${path}/${part.name}/`)),
    ];
  });
}
