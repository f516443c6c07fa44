import { needShare, needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";
import { adapter } from "./adapter.ts";

/**
 * Low-rank adaptation: to the kernel W of each layer a product of two narrow matrices is added, `W + alpha / rank · D U`, D drawn and U zero,
 * so that the network begins as it was. Of a layer on vectors or places, W itself is never touched; a convolution runs with the sum.
 *
 * By default on all kernels but those of embeddings; `on: ["*query", "*value"]` is the paper's choice in a transformer. With `dropout` a share of
 * what comes into D is left out in training; convolutions take none.
 *
 * Hu et al. 2022, "LoRA: low-rank adaptation of large language models", arXiv:2106.09685, section 4.1; the defaults and the uniform draw of D
 * in ±1/√inputs are peft's.
 *
 * @example
 * ```ts
 * import { lora, resnet18 } from "thalweg";
 * resnet18().adapt(lora({ rank: 4, on: "stage4*" }));
 * ```
 */
export const lora = adapter(
  "lora",
  {
    /** Width of the two matrices. */
    rank: 8,
    /** The product is multiplied by `alpha / rank`. */
    alpha: 8,
    /** Share of what comes in that the adapter does not see, in training. */
    dropout: 0,
  },
  { kind: "weight" },
  ({ rank, alpha, dropout }) => {
    needWhole("lora", "rank", rank);
    needShare("lora", "dropout", dropout);
    const times = alpha / rank;
    const [down, up] = [(own: Params) => own.down as tf.Tensor, (own: Params) => own.up as tf.Tensor2D];
    const added = (own: Params, kernel: tf.Tensor): tf.Tensor => {
      const rows = tf.reshape(down(own), [down(own).size / rank, rank]) as tf.Tensor2D;
      return tf.add(kernel, tf.mul(tf.reshape(tf.matMul(rows, up(own)), kernel.shape), times));
    };
    return {
      init(rng, { layer: { kernel } }) {
        if (kernel === undefined) return {};
        const shape = (kernel as tf.Tensor).shape;
        const fanIn = shape.slice(0, -1).reduce((a, b) => a * b, 1);
        return {
          down: drawWeights("torch", rng.at("down"), [...shape.slice(0, -1), rank], fanIn, rank),
          up: tf.zeros([rank, shape.at(-1)!]),
        };
      },
      output(own, input, output, { training, rng }) {
        if (down(own).rank > 2) return output;
        const [inputs] = down(own).shape as [number, number];
        let rows = tf.reshape(input, [input.size / inputs, inputs]) as tf.Tensor2D;
        if (training && dropout > 0 && rng !== null) {
          const kept = tf.cast(tf.greaterEqual(rng.at("lora").uniforms(rows.shape), dropout), "float32");
          rows = tf.mul(rows, tf.mul(kept, 1 / (1 - dropout)));
        }
        const change = tf.matMul(tf.matMul(rows, down(own) as tf.Tensor2D), up(own));
        return tf.add(output, tf.reshape(tf.mul(change, times), output.shape));
      },
      weights: (own, layer) =>
        down(own).rank > 2 ? { ...layer, kernel: added(own, layer.kernel as tf.Tensor) } : layer,
      merge: (own, layer) => ({ ...layer, kernel: added(own, layer.kernel as tf.Tensor) }),
    };
  },
);
