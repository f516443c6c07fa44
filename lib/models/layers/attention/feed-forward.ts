import { needOneOf } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { type GeluForm, requireGelu } from "../../parts/options.ts";
import { kernelParams, product, productParams } from "../../parts/product.ts";
import { dropout } from "../basic/dropout.ts";

/** What is done between the two products: a function of each number, or one product gated by a function of another. */
export type Activation = "gelu" | "relu" | "silu" | Gated;
type Gated = "glu" | "bilinear" | "reglu" | "geglu" | "swiglu";

/** Options of `feedForward`. */
export interface FeedForwardOptions {
  /** Width of the inner layer, in widths of the sequence; of gated ones two thirds of that, for as many parameters. Default 4. */
  readonly widen?: number;
  /** What is done between the two products. Default "gelu". */
  readonly activation?: Activation;
  /** The form of the Gaussian error linear unit. Default "tanh". */
  readonly gelu?: GeluForm;
  /** Whether the products have biases. Default true. */
  readonly bias?: boolean;
  /** Share of numbers set to 0 in training at its end. Default 0. */
  readonly dropout?: number;
}

/** What a gate is opened by: of "bilinear" by the numbers themselves. */
const gates = {
  glu: tf.sigmoid,
  bilinear: (x: tf.Tensor) => x,
  reglu: tf.relu,
  geglu: nn.gelu,
  swiglu: nn.silu,
} as const satisfies Record<Gated, (x: tf.Tensor, gelu: GeluForm) => tf.Tensor>;

const activations = { gelu: nn.gelu, relu: tf.relu, silu: nn.silu } as const;

/**
 * Two products at each place of a sequence with an activation between them, or, where it is gated, `(f(x W) ∘ x V) W₂`.
 *
 * The gate is opened by the sigmoid ("glu"), by nothing ("bilinear"), the rectifier ("reglu"), the Gaussian error linear unit ("geglu") or the sigmoid
 * linear unit ("swiglu"). The three products of a gated layer have as many parameters as the two of another: their inner width is two thirds of
 * it, rounded. W is `gate`, V `up`, W₂ `down`.
 *
 * Implements: P245 GLU variants (SwiGLU, GEGLU...)
 * Shazeer 2020, "GLU variants improve transformer", arXiv:2002.05202, equations 5 and 6. Differs from the paper: products have biases unless `bias` is false.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().rmsNorm().feedForward({ activation: "swiglu", bias: false }).summary([10, 48])[1]!.parameters; // 18432
 * ```
 */
export const feedForward = sameLayer(
  "feedForward",
  ({ widen = 4, activation = "gelu", gelu = "tanh", bias = true, dropout: share = 0 }: FeedForwardOptions = {}) => {
    if (!(widen > 0 && Number.isFinite(widen)))
      throw new RangeError(`feedForward: a widen above 0 is required, got ${widen}`);
    needOneOf("feedForward", "activation", activation, [...Object.keys(activations), ...Object.keys(gates)]);
    requireGelu("feedForward", gelu);
    const drop = dropout(share);
    const gate = activation in gates ? gates[activation as Gated] : undefined;
    return {
      options: {
        widen,
        activation,
        ...(gelu !== "tanh" && { gelu }),
        ...(!bias && { bias }),
        ...(share !== 0 && { dropout: share }),
      },
      byPlace: true,
      shape(input) {
        if (input.length !== 2)
          throw new RangeError(
            `feedForward: a sequence of vectors is required, got shape [${input}]; put embedding(tokens, units) before it`,
          );
        return input;
      },
      init(rng, [, units]): Params {
        const inner = Math.round((widen * units! * (gate === undefined ? 3 : 2)) / 3);
        const drawn = (part: string, inputs: number, outputs: number): Params =>
          (bias ? productParams : kernelParams)(rng.at(part), inputs, outputs);
        return {
          ...(gate !== undefined && { gate: drawn("gate", units!, inner) }),
          up: drawn("up", units!, inner),
          down: drawn("down", inner, units!),
        };
      },
      apply(x, params, mode) {
        const up = product(x, params, "up", mode);
        const inner =
          gate === undefined
            ? activations[activation as keyof typeof activations](up, gelu)
            : tf.mul(gate(product(x, params, "gate", mode), gelu), up);
        return drop.apply(product(inner, params, "down", mode), {}, mode);
      },
    };
  },
  ["sequence"],
);
