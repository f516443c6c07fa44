import { tf, tfLayers } from "../../../engine/index.ts";
import { layer, put, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { product } from "../../parts/product.ts";
import { placesBefore, rowsAt } from "../../parts/recurrence.ts";

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** Whether each place has a vector of its own that is added: layers that look at all places at once need it. Default true. */
  readonly positions?: boolean;
  /** For how many places there are vectors: no sequence may be longer. Default: for as many as the sequences have. */
  readonly context?: number;
}

/**
 * Gives every token of a sequence a trained vector: `[length]` whole numbers from 0 to `tokens` − 1 become `[length, units]`.
 *
 * Weights begin normal with deviation 0.02, as in GPT-2. Of data from a text, `tokens` is `data.classes.length`.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(26, 32).transformer(4).features([16]); // [16, 32]
 * ```
 */
export const embedding = layer(
  "embedding",
  { accepts: ["sequence"], gives: "sequence" },
  (tokens: number, units: number, { positions = true, context }: EmbeddingOptions = {}) => {
    requireCount("embedding", "tokens", tokens);
    requireCount("embedding", "units", units);
    if (context !== undefined) requireCount("embedding", "context", context);
    const vectors = (x: tf.Tensor, params: Params, mode: Mode): tf.Tensor => {
      // a product with ones and zeros: its gradient is another, and no rows have to be added up one by one
      const chosen = tf.cast(tf.oneHot(tf.cast(x, "int32"), tokens), "float32");
      return product(chosen, params, "tokens", mode);
    };
    return {
      options: { tokens, units, positions, ...(context !== undefined && { context }) },
      kindOf: () => "embedding",
      shape(input) {
        if (input.length !== 1)
          throw new RangeError(`embedding: a sequence of tokens is required, got shape [${input}]; put it first`);
        if (context !== undefined && input[0]! > context)
          throw new RangeError(
            `embedding: sequences of at most ${context} places are required, got ${input[0]}; widen the context`,
          );
        return [input[0]!, units];
      },
      init: (rng, [length]) => ({
        tokens: { kernel: rng.at("kernel").normals([tokens, units], 0, 0.02) },
        ...(positions && { places: { kernel: rng.at("places").normals([context ?? length!, units], 0, 0.02) } }),
      }),
      apply(x, params, mode) {
        const given = vectors(x, params, mode);
        if (!positions) return given;
        const { kernel } = params.places as { readonly kernel: tf.Tensor };
        const length = x.shape[1]!;
        return tf.add(given, length === kernel.shape[0] ? kernel : tf.slice(kernel, [0, 0], [length, units]));
      },
      ...(positions
        ? {
            reach: (params: Params) => ((params.places as Params).kernel as tf.Tensor).shape[0]!,
            recurs(x: tf.Tensor, params: Params, mode: Mode, states: readonly tf.Tensor[] | null, keep: tf.Tensor) {
              const { kernel } = params.places as { readonly kernel: tf.Tensor };
              const [at, after] = placesBefore(states, keep);
              return [tf.add(vectors(x, params, mode), rowsAt(kernel, at)), [after]] as const;
            },
          }
        : { byPlace: true }),
      counterpart(x, name, params) {
        if (positions)
          throw new TypeError(
            "layersModel: layers that tf.layers has too are required, got embedding with positions; save the network as ONNX, or make it with { positions: false }",
          );
        const options = { name, inputDim: tokens, outputDim: units, embeddingsInitializer: "zeros" } as const;
        return put(tfLayers.layers.embedding(options), x, [(params.tokens as Params).kernel]);
      },
    };
  },
);
