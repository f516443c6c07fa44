import { needOneOf } from "../../data/options.ts";
import { requireCount } from "../layer.ts";
import { embedding, last, lstm as lstmLayer } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type ForeignName, turned } from "../parts/foreign-names.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `lstm`. */
export interface LstmOptions {
  /** Numbers in the state of each layer. Default 64. */
  readonly units?: number;
  /** Layers, each of which reads what the one before it gives. Default 1. */
  readonly layers?: number;
  /** Whether each layer reads the sequence from its end too. Default false. */
  readonly bidirectional?: boolean;
  /** How many tokens there are, where the sequences are of tokens, which get trained vectors then. Default: they are of vectors. */
  readonly tokens?: number;
  /** Numbers in the vector of a token. Default 32. */
  readonly width?: number;
  /** Whether it gives the vector of the last place, or of each. Default "places" for tokens, "last" for vectors. */
  readonly gives?: "last" | "places";
}

/**
 * Layers of long short-term memory over a sequence of vectors `[n, length, inputs]`, or of tokens `[n, length]`.
 *
 * Gives `[n, units]`, the state at the last place, or `[n, length, units]`; twice as many numbers if bidirectional. Hochreiter and
 * Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, as PyTorch has it, whose weights `lstmNames` places. A layer of 1,000 places compiles as fast as one of ten.
 *
 * @example
 * ```ts
 * import { lstm } from "thalweg";
 * lstm({ units: 32, layers: 2 }).features([100, 3]); // [32]
 * lstm({ tokens: 65, units: 32 }).features([100]); // [100, 32]
 * ```
 */
export function lstm({
  units = 64,
  layers = 1,
  bidirectional = false,
  tokens,
  width = 32,
  gives = tokens === undefined ? "last" : "places",
}: LstmOptions = {}): Model<"sequence"> {
  requireCount("lstm", "layers", layers);
  needOneOf("lstm", "gives", gives, ["last", "places"]);
  const options = { units, layers, bidirectional, ...(tokens !== undefined && { tokens, width }), gives };
  const stacked = Array.from(
    { length: layers },
    (_, i): NamedPart => [`layer${i + 1}`, lstmLayer(units, { bidirectional })],
  );
  return named("lstm", options, [
    ...(tokens === undefined ? [] : ([["embedding", embedding(tokens, width, { positions: false })]] as NamedPart[])),
    ...stacked,
    ...(gives === "last" ? ([["last", last()]] as NamedPart[]) : []),
  ]);
}

/** Where the tensors of PyTorch's `torch.nn.LSTM` go, whose names begin with `prefix`. */
export function lstmNames(layers: number, bidirectional = false, prefix = ""): readonly ForeignName[] {
  return Array.from({ length: layers }).flatMap((_, i) =>
    [false, ...(bidirectional ? [true] : [])].flatMap((reverse) =>
      (["ih", "hh"] as const).flatMap((which): ForeignName[] => {
        const own = `${which}_l${i}${reverse ? "_reverse" : ""}`;
        const to = `model/layer${i + 1}${reverse ? "/reverse" : ""}/${which === "ih" ? "input" : "state"}`;
        return [
          { from: `${prefix}weight_${own}`, to: `${to}/kernel`, turn: turned },
          { from: `${prefix}bias_${own}`, to: `${to}/bias` },
        ];
      }),
    ),
  );
}
