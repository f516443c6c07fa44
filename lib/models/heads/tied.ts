import { tf } from "../../engine/index.ts";
import type { Params } from "../model.ts";
import type { HeadLayer } from "./linear.ts";

/** Options of `tied`. */
export interface TiedOptions {
  /** Where the embedding lies in the model's tensors. Default "embedding/tokens/kernel", where that of `gpt` and `lstm` does. */
  readonly path?: string;
}

/**
 * A head whose columns are the vectors of the tokens themselves: features that are near to a token's vector say that token.
 *
 * Of its own it trains a bias for each column, which begins as 0; with `.freeze("head")` it stays there, and the model is GPT-2's. The stream
 * must not have more classes than there are tokens, in their order. Press and Wolf 2017, arXiv:1608.05859, section 3.
 *
 * @throws RangeError when there is no such embedding, or it has fewer tokens than the stream has classes.
 *
 * @example
 * ```ts
 * import { gpt, headed, tied } from "thalweg";
 * headed(gpt({ tokens: 65 }), tied()).toJSON().head?.name; // "tied"
 * ```
 */
export function tied({ path = "embedding/tokens/kernel" }: TiedOptions = {}): HeadLayer {
  return {
    spec: { name: "tied", options: { path } },
    init: (_rng, _features, columns) => ({ bias: tf.zeros([columns]) }),
    apply({ bias }, features, model) {
      const vectors = at(model, path);
      const [tokens, units] = vectors.shape as [number, number];
      const columns = bias!.size as number;
      if (columns > tokens || units !== features.shape.at(-1))
        throw new RangeError(
          `tied: an embedding of at least ${columns} tokens with ${features.shape.at(-1)} numbers each is required, got [${vectors.shape}] at "${path}"; make the model with tokens: ${columns}`,
        );
      const own = columns === tokens ? vectors : tf.slice(vectors, [0, 0], [columns, units]);
      const rows = tf.reshape(features, [features.size / units, units]) as tf.Tensor2D;
      const logits = tf.add(tf.matMul(rows, own as tf.Tensor2D, false, true), bias as tf.Tensor);
      return tf.reshape(logits, [...features.shape.slice(0, -1), columns]);
    },
    grow({ bias }, _rng, columns) {
      const had = bias!.size as number;
      if (columns <= had) throw new RangeError(`head: more than ${had} columns are required to grow, got ${columns}`);
      return tf.tidy(() => ({ bias: tf.concat([bias as tf.Tensor, tf.zeros([columns - had])]) }) as never) as Params;
    },
    counterpart() {
      throw new TypeError(
        "layersModel: layers that tf.layers has too are required, got a tied head; save the network as ONNX",
      );
    },
  };
}

/** The tensor at a path of a model's tree. */
function at(model: Params | undefined, path: string): tf.Tensor {
  const found = path
    .split("/")
    .reduce<Params | tf.Tensor | undefined>((node, name) => (node as Params | undefined)?.[name], model);
  if (found instanceof tf.Tensor && found.rank === 2) return found;
  throw new RangeError(
    `tied: an embedding [tokens, units] at "${path}" of the model is required, got ${found instanceof tf.Tensor ? `[${found.shape}]` : "nothing"}; say where it is: tied({ path })`,
  );
}
