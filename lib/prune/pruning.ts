/** Networks made smaller: how a rule of pruning is declared, and what it gives. */
import type { Examples, Json } from "../data/dataset.ts";
import type { Options, Widened } from "../data/options.ts";
import { disposeTree, type Tree } from "../engine/index.ts";
import { flopsByLayer } from "../models/parts/flops.ts";
import {
  type Answers,
  answersOf,
  changedInTurn,
  type KernelLayer,
  type KernelPlace,
  kernelAt,
  type LayerChange,
  type Matrix,
} from "../models/parts/kernel-layers.ts";
import { type RuleOptions, ruled, savable } from "../models/parts/kernel-rules.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Amount, needAmount, sparsityOf } from "./parts/masks.ts";

export type { KernelLayer, Matrix } from "../models/parts/kernel-layers.ts";

/** What every function that prunes can be told. */
export type PruneOptions = RuleOptions;

/** What became of one layer. */
export interface PrunedLayer extends Omit<LayerChange, "inputs" | "units"> {
  /** The numbers of its kernel, and the share of them that are 0. */
  readonly numbers: number;
  readonly sparsity: number;
}

/** What pruning did. */
export interface PruneReport extends Partial<Answers> {
  readonly rule: string;
  readonly options: Json;
  /** The share of the pruned kernels' numbers that are 0. */
  readonly sparsity: number;
  readonly layers: readonly PrunedLayer[];
  /** Trained numbers that are not 0. */
  readonly parameters: { readonly before: number; readonly after: number };
  /** Bytes of all numbers, those of a kernel as numbers with their places where that is less: what `saveOnnx` writes. */
  readonly bytes: { readonly before: number; readonly after: number };
  /** Multiplications and additions for one example, those with a 0 left out. */
  readonly flops: { readonly before: number; readonly after: number };
}

/** A network with fewer numbers. */
export interface Pruned {
  readonly network: TrainedNetwork;
  readonly report: PruneReport;
  /**
   * The network as an ONNX model for any batch size that has of kernels with many zeros only the other numbers with their places (sparse
   * initializers, which ONNX Runtime reads).
   */
  toOnnx(): Uint8Array;
  saveOnnx(file: string): void;
}

/** How a rule makes kernels with zeros. */
export interface How<O> {
  /** Whether it looks at examples. */
  readonly needsData: boolean;
  /** One layer after the other, each with what comes from those before. */
  layer?(layer: KernelLayer, options: O): Matrix;
  /** All at once. One of the two is required. */
  all?(kernels: readonly (KernelPlace & { readonly kernel: Matrix })[], options: O): readonly Matrix[];
}

/** A function that prunes a network. */
export interface PruneFactory<O extends Options> {
  /** With a table of examples, on which layers are measured and the report tells errors. */
  (network: TrainedNetwork, data: Examples, options?: Partial<Widened<O>> & PruneOptions): Pruned;
  /** Without examples, for rules that need none. */
  (network: TrainedNetwork, options?: Partial<Widened<O>> & PruneOptions): Pruned;
  readonly pruning: string;
  readonly defaults: O;
  readonly how: How<Widened<O>>;
}

/**
 * Declares a rule of pruning: its name, its options with their defaults, and what becomes of each kernel. Layers are pruned in the order of
 * the weights, each with what comes from those pruned before. What is 0 stays 0 in further training with `keepZeros()`.
 *
 * @example
 * ```ts
 * import { prune } from "thalweg";
 * const nothing = prune.pruning("nothing", { sparsity: 0, pattern: "" }, { needsData: false, layer: ({ kernel }) => kernel });
 * nothing.defaults.sparsity; // 0
 * ```
 */
export function pruning<O extends Options & Amount>(name: string, defaults: O, how: How<Widened<O>>): PruneFactory<O> {
  const where = `prune.${name}`;
  type Given = Partial<Widened<O>> & PruneOptions;
  const make = (network: TrainedNetwork, second: Examples | Given = {}, third: Given = {}): Pruned => {
    const rule = {
      where,
      defaults,
      needsData: how.needsData,
      need: (own: Widened<O>) => needAmount(where, own as Amount),
    };
    return ruled(rule, network, second, third, ({ options, data, places, x }) => {
      const kernels = () => places.map((place) => ({ ...place, kernel: kernelAt(network.weights, place) }));
      const all = how.all?.(kernels(), options);
      const { weights, changes } = changedInTurn(where, network, places, x, (layer, i) => ({
        kernel: all?.[i] ?? how.layer!(layer, options),
      }));
      return pruned(name, options as unknown as Json, network, weights, changes, data);
    });
  };
  return Object.assign(make as PruneFactory<O>, { pruning: name, defaults, how });
}

/** A pruned network and its report, from weights that are its own from then on. */
export function pruned(
  rule: string,
  options: Json,
  before: TrainedNetwork,
  weights: TrainedNetwork["weights"],
  changes: readonly (LayerChange & { readonly kernel: Matrix })[],
  data: Examples | null,
): Pruned {
  const network = before.with({ weights });
  disposeTree(weights as unknown as Tree);
  const layers = changes.map(({ path, error, kernel }): PrunedLayer => {
    return { path, error, numbers: kernel.length, sparsity: sparsityOf(kernel) };
  });
  const zeros = layers.reduce((sum, { numbers, sparsity }) => sum + numbers * sparsity, 0);
  const numbers = layers.reduce((sum, layer) => sum + layer.numbers, 0);
  const saved = layers.reduce((sum, layer) => sum + savedBytes(layer.numbers, layer.sparsity), 0);
  const toOnnx = (): Uint8Array =>
    network.toOnnx({ packing: (own) => (savedBytes(own.length, sparsityOf(own)) > 0 ? { as: "sparse" } : undefined) });
  return {
    network,
    ...savable(toOnnx),
    report: {
      rule,
      options,
      sparsity: zeros / Math.max(1, numbers),
      layers,
      parameters: { before: before.parameters, after: before.parameters - Math.round(zeros) },
      bytes: { before: before.bytes, after: network.bytes - saved },
      flops: { before: before.flops, after: Math.round(flopsLeft(network, layers)) },
      ...(data !== null && data.length > 0 && answersOf(before, network, data)),
    },
  };
}

/** What a kernel takes less as numbers with their places, which have two bytes, of large kernels four. */
function savedBytes(numbers: number, sparsity: number): number {
  return Math.max(0, 4 * numbers - Math.round(numbers * (1 - sparsity)) * (numbers <= 0x7fff ? 6 : 8));
}

function flopsLeft({ structure, weights }: TrainedNetwork, layers: readonly PrunedLayer[]): number {
  const by = new Map(layers.map(({ path, sparsity }) => [path, sparsity]));
  return [...flopsByLayer(structure, weights)].reduce(
    (sum, [path, flops]) => sum + flops * (1 - (by.get(path) ?? 0)),
    0,
  );
}
