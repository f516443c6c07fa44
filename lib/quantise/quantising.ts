/** Networks in fewer bits: how a rule of quantising is declared, and what it gives. */
import type { Examples, Json } from "../data/dataset.ts";
import type { Options, Widened } from "../data/options.ts";
import { disposeTree, type Tree } from "../engine/index.ts";
import {
  type Answers,
  answersOf,
  changedInTurn,
  type KernelLayer,
  type LayerChange,
} from "../models/parts/kernel-layers.ts";
import { type RuleOptions, ruled, savable } from "../models/parts/kernel-rules.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { bytesOf, type Codes, decoded, type Grid, needGrid } from "./parts/codes.ts";
import { withRoundedInputs } from "./parts/inputs.ts";
import { packedOnnx } from "./parts/packed-onnx.ts";

export type { KernelLayer, Matrix } from "../models/parts/kernel-layers.ts";
export type { Codes } from "./parts/codes.ts";

/** What every function that quantises can be told. */
export type QuantiseOptions = RuleOptions;

/** What became of one layer. */
export interface QuantisedLayer extends Pick<LayerChange, "path" | "error"> {
  readonly bits: number;
}

/** What quantising did. */
export interface QuantiseReport extends Partial<Answers> {
  readonly rule: string;
  readonly options: Json;
  /** The mean bits of a number of the kernels, without their scales. */
  readonly bits: number;
  readonly layers: readonly QuantisedLayer[];
  /** Bytes of all numbers; of the kernels codes, scales and zeros. */
  readonly bytes: { readonly before: number; readonly after: number };
}

/** A network whose kernels are whole numbers times a scale. */
export interface Quantised {
  /** It computes with the numbers that the codes stand for. */
  readonly network: TrainedNetwork;
  /** The codes of each layer, by its path: "model/2-dense". */
  readonly codes: ReadonlyMap<string, Codes>;
  readonly report: QuantiseReport;
  /** The network as an ONNX model for any batch size in which kernels are integers of four or eight bits with their scales (opset 21). */
  toOnnx(): Uint8Array;
  saveOnnx(file: string): void;
}

/** How a rule quantises one layer. */
export interface How<O> {
  /** Whether it looks at examples. */
  readonly needsData: boolean;
  layer(layer: KernelLayer, options: O): Codes;
}

/** A function that quantises a network. */
export interface QuantiseFactory<O extends Options> {
  /** With a table of examples, on which layers are measured and the report tells errors. */
  (network: TrainedNetwork, data: Examples, options?: Partial<Widened<O>> & QuantiseOptions): Quantised;
  /** Without examples, for rules that need none. */
  (network: TrainedNetwork, options?: Partial<Widened<O>> & QuantiseOptions): Quantised;
  readonly quantising: string;
  readonly defaults: O;
  readonly how: How<Widened<O>>;
}

/**
 * Declares a rule of quantising: its name, its options with their defaults, and which codes the kernel of a layer gets. Layers are quantised in
 * the order of the weights, each with what comes from those quantised before.
 *
 * @example
 * ```ts
 * import { quantise } from "thalweg";
 * quantise.rtn.defaults; // { bits: 4, group: 0, symmetric: false }
 * ```
 */
export function quantising<O extends Options & Grid>(
  name: string,
  defaults: O,
  how: How<Widened<O>>,
): QuantiseFactory<O> {
  const where = `quantise.${name}`;
  type Given = Partial<Widened<O>> & QuantiseOptions;
  const make = (network: TrainedNetwork, second: Examples | Given = {}, third: Given = {}): Quantised => {
    const rule = { where, defaults, needsData: how.needsData, need: (own: Widened<O>) => needGrid(where, own as Grid) };
    return ruled(rule, network, second, third, ({ options, data, places, x }) => {
      const { weights, changes } = changedInTurn(where, network, places, x, (layer) => {
        const codes = how.layer(layer, options);
        return { codes, kernel: decoded(codes) };
      });
      return quantised(name, options as unknown as Json, network, weights, changes, data);
    });
  };
  return Object.assign(make as QuantiseFactory<O>, { quantising: name, defaults, how });
}

/** A quantised network and its report, from weights that are its own from then on. */
export function quantised(
  rule: string,
  options: Json,
  before: TrainedNetwork,
  weights: TrainedNetwork["weights"],
  changes: readonly (LayerChange & { readonly codes: Codes })[],
  data: Examples | null,
): Quantised {
  const codes = new Map(changes.map((change) => [change.path, change.codes]));
  const network = withRoundedInputs(rule, before, weights, codes);
  disposeTree(weights as unknown as Tree);
  const all = [...codes.values()];
  const numbers = all.reduce((sum, own) => sum + own.codes.length, 0);
  const toOnnx = (): Uint8Array => packedOnnx(network, codes);
  return {
    network,
    codes,
    report: {
      rule,
      options,
      bits: all.reduce((sum, own) => sum + own.codes.length * own.bits, 0) / Math.max(1, numbers),
      layers: changes.map(({ path, error, codes: { bits } }) => ({ path, error, bits })),
      bytes: {
        before: before.bytes,
        after: before.bytes + all.reduce((sum, own) => sum + bytesOf(own), 0) - 4 * numbers,
      },
      ...(data !== null && data.length > 0 && answersOf(before, network, data)),
    },
    ...savable(toOnnx),
  };
}
