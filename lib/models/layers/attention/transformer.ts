import { nn, tf } from "../../../engine/index.ts";
import { drawWeights } from "../../initial.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { lookBack } from "../../parts/look-back.ts";
import { type GeluForm, requireGelu } from "../../parts/options.ts";
import { normParams, product, productParams } from "../../parts/product.ts";
import { dropout } from "../basic/dropout.ts";

/** Options of `transformer`. */
export interface TransformerOptions {
  /** Width of the inner layer, in widths of the sequence. Default 4. */
  readonly widen?: number;
  /** Whether a place sees those before it and itself alone, as predicting the next token needs. Default true. */
  readonly causal?: boolean;
  /** Whether what enters attention and the dense layers is normalised, or what leaves their sums. Default "before". */
  readonly norm?: "before" | "after";
  /** The form of the Gaussian error linear unit. Default "tanh". */
  readonly gelu?: GeluForm;
  /** Added to the variance where it is normalised. Default 1e-5. */
  readonly epsilon?: number;
  /** Share of numbers set to 0 in training at the end of attention and of the dense layers. Default 0. */
  readonly dropout?: number;
  /** Whether queries, keys and values have biases. Default true. */
  readonly bias?: boolean;
}

/**
 * One block of a transformer: attention of `heads` heads and two dense layers, each normalised before and added to what came in.
 *
 * `x + A(norm(x))`, then `x + W₂ gelu(W₁ norm(x))`; with `norm: "after"` it is `norm(x + A(x))`, then `norm(x + W₂ gelu(W₁ x))`. Vaswani et
 * al. 2017, section 3; normalised before as in GPT-2 (Radford et al. 2019).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 48).transformer(4).transformer(4).layerNorm().features([32]); // [32, 48]
 * ```
 */
export const transformer = sameLayer(
  "transformer",
  (
    heads: number,
    {
      widen = 4,
      causal = true,
      norm: place = "before",
      gelu = "tanh",
      epsilon = 1e-5,
      dropout: share = 0,
      bias = true,
    }: TransformerOptions = {},
  ) => {
    requireCount("transformer", "heads", heads);
    if (!(widen > 0 && Number.isFinite(widen)))
      throw new RangeError(`transformer: a widen above 0 is required, got ${widen}`);
    if (place !== "before" && place !== "after")
      throw new RangeError(`transformer: norm "before" or "after" is required, got ${JSON.stringify(place)}`);
    requireGelu("transformer", gelu);
    const drop = dropout(share);
    // what is not used does not stand in records: they are those of before
    const rarer = {
      ...(place !== "before" && { norm: place }),
      ...(gelu !== "tanh" && { gelu }),
      ...(epsilon !== 1e-5 && { epsilon }),
      ...(share !== 0 && { dropout: share }),
      ...(!bias && { bias }),
    };
    /** What is attended to, and what is added to the scores. */
    type Attend = (
      query: tf.Tensor,
      key: tf.Tensor,
      value: tf.Tensor,
    ) => readonly [keys: tf.Tensor, values: tf.Tensor, mask: tf.Tensor | undefined];
    function block(x: tf.Tensor, params: Params, mode: Mode, attend: Attend): tf.Tensor {
      const [n, length, units] = x.shape as [number, number, number];
      const norm = (of: tf.Tensor, part: string): tf.Tensor => {
        const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
        return nn.layerNormalise(of, scale, shift, epsilon);
      };
      const split = (of: tf.Tensor): tf.Tensor =>
        tf.transpose(tf.reshape(of, [n, of.shape[1]!, heads, units / heads]), [0, 2, 1, 3]);
      const attention = (of: tf.Tensor): tf.Tensor => {
        const [query, key, value] = ["query", "key", "value"].map((part) => product(of, params, part, mode));
        const [keys, values, mask] = attend(query!, key!, value!);
        const seen = nn.attention(split(query!), split(keys), split(values), mask);
        const joined = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [n, length, units]);
        return drop.apply(product(joined, params, "out", mode), {}, mode.at("attention"));
      };
      const dense = (of: tf.Tensor): tf.Tensor => {
        const inner = nn.gelu(product(of, params, "up", mode), gelu);
        return drop.apply(product(inner, params, "down", mode), {}, mode.at("dense"));
      };
      if (place === "after") {
        const attended = norm(tf.add(x, attention(x)), "before");
        return norm(tf.add(attended, dense(attended)), "between");
      }
      const attended = tf.add(x, attention(norm(x, "before")));
      return tf.add(attended, dense(norm(attended, "between")));
    }
    return {
      options: { heads, widen, causal, ...rarer },
      shape(input) {
        if (input.length !== 2 || input[1]! % heads !== 0)
          throw new RangeError(
            `transformer: a sequence whose width is a multiple of ${heads} heads is required, got shape [${input}]; put embedding(tokens, units) before it`,
          );
        return input;
      },
      init(rng, [, units]): Params {
        const inner = Math.round(widen * units!);
        const drawn = (part: string, inputs: number, outputs: number): Params =>
          productParams(rng.at(part), inputs, outputs);
        const projection = (part: string): Params => {
          if (bias) return drawn(part, units!, units!);
          return { kernel: drawWeights("torch", rng.at(part).at("kernel"), [units!, units!], units!, units!) };
        };
        return {
          before: normParams(units!),
          ...Object.fromEntries(["query", "key", "value"].map((part) => [part, projection(part)])),
          out: drawn("out", units!, units!),
          between: normParams(units!),
          up: drawn("up", units!, inner),
          down: drawn("down", inner, units!),
        };
      },
      apply: (x, params, mode) =>
        block(x, params, mode, (query, key, value) => {
          const [keys, values] = mode.attended(key, value);
          return [keys, values, causal ? before(query.shape[1]!, keys.shape[1]!) : undefined];
        }),
      ...(causal && {
        recurs(x: tf.Tensor, params: Params, mode: Mode, states: readonly tf.Tensor[] | null, keep: tf.Tensor) {
          let after: readonly tf.Tensor[] = [];
          const y = block(x, params, mode, (_query, key, value) => {
            const remembered = lookBack(key, value, states, keep, mode.piece!.context);
            after = remembered.states;
            const [keys, values] = mode.attended(remembered.keys, remembered.values);
            // what others put before is seen from every place
            const others = keys.shape[1]! - remembered.keys.shape[1]!;
            return [
              keys,
              values,
              tf.pad(remembered.hidden, [
                [0, 0],
                [0, 0],
                [0, 0],
                [others, 0],
              ]),
            ];
          });
          return [y, after] as const;
        },
      }),
    };
  },
  ["sequence"],
);

/** `[length, keys]`: what is added to the score of a place that comes later. The last `length` keys are the places' own. */
function before(length: number, keys: number): tf.Tensor {
  const hidden = Float32Array.from({ length: length * keys }, (_, i) =>
    (i % keys) - (keys - length) > Math.floor(i / keys) ? -1e9 : 0,
  );
  return tf.tensor2d(hidden, [length, keys]);
}
