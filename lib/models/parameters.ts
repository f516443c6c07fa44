/** What the trained tensors of a model are: where each lies, and what it is for. */
import type { Shape } from "../data/dataset.ts";
import { paths, random, type Tree, tf } from "../engine/index.ts";
import type { ModelParts } from "./model.ts";

/** Every kind of parameter. */
export const parameterKinds = ["weight", "bias", "norm", "embedding", "adapter", "prompt", "gate"] as const;

/**
 * What a trained tensor is for: the kernel of a product or convolution, what is added to one, the scale and shift of a normalisation, the
 * vectors of tokens and places, what an adapter brings, vectors put before a sequence, switches.
 */
export type ParameterKind = (typeof parameterKinds)[number];

/** A trained tensor of a model: its path in the model's tree, what it is for, its shape. */
export interface Parameter {
  readonly path: string;
  readonly kind: ParameterKind;
  readonly shape: Shape;
}

/** The kinds of tensors by their own names; what has another name is a weight unless its layer says otherwise. */
const byName: Readonly<Record<string, ParameterKind>> = {
  kernel: "weight",
  direction: "weight",
  bias: "bias",
  scale: "norm",
  shift: "norm",
  prompt: "prompt",
  gate: "gate",
};

/** Under a node of this name are the tensors that adapters bring, by adapter. */
export const adaptersNode = "adapters";

/** The name under which the tensors of a model's n-th adapter of a kind lie: "lora", "lora2", … */
export function adapterName(name: string, time: number): string {
  return time === 1 ? name : `${name}${time}`;
}

/**
 * The kind of a parameter of a model or of a network (`model/…`, `head/…`, `added/…`): what its layer declares, else what its name says.
 * This is the one place that knows.
 */
export function kindOf(model: Pick<ModelParts, "kindOf">, path: string): ParameterKind {
  const [first, ...rest] = path.split("/");
  const own = first === "model" ? rest : [first!, ...rest];
  const named = byName[own.at(-1)!];
  if (own.includes(adaptersNode)) return named === "prompt" || named === "gate" ? named : "adapter";
  return (first === "head" || first === "added" ? undefined : model.kindOf?.(own)) ?? named ?? "weight";
}

/**
 * The trained tensors of a model for examples of a shape, in order: path, kind and shape of each. Filters select by these.
 *
 * The head is not among them: the scenario adds it, and its paths begin with "head/".
 *
 * @example
 * ```ts
 * import { net, parameters } from "thalweg";
 * parameters(net().dense(3).layerNorm(), [2]).map(({ path, kind }) => `${path}: ${kind}`);
 * // ["1-dense/kernel: weight", "1-dense/bias: bias", "2-layerNorm/scale: norm", "2-layerNorm/shift: norm"]
 * ```
 */
export function parameters(model: ModelParts, input: Shape): readonly Parameter[] {
  return tf.tidy(() => {
    const made = paths(model.init(random(0), input) as Tree);
    return made.map(([path, { shape }]) => ({ path, kind: kindOf(model, path), shape })) as never;
  }) as unknown as Parameter[];
}

/**
 * The tensors of a network's weights, or of any tree like them, as filters see them: paths are "model/…", "head/…", "added/…".
 *
 * `kindOf` is that of the network they belong to; without it names alone say what a tensor is for.
 *
 * @example
 * ```ts
 * import { mlp, network, parametersOf, random, selected } from "thalweg";
 * const net = network(mlp({ hidden: [4] }), [3]);
 * const all = parametersOf(net.init(random(0), 2), net.kindOf);
 * selected("here", { kind: "bias" }, all).map(({ path }) => path); // ["model/2-dense/bias", "head/bias"]
 * ```
 */
export function parametersOf(
  weights: object,
  kind: (path: string) => ParameterKind = (path) => kindOf({}, path),
): readonly Parameter[] {
  return paths(weights as Tree).map(([path, { shape }]) => ({ path, kind: kind(path), shape }));
}
