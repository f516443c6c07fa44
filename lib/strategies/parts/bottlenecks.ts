/** Bottlenecks beside the dense layers of a frozen network's blocks, as strategies train and exchange them. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Tap } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import { blocksOf } from "./blocks.ts";

/** `[width, units]` and back. A type, so that it is a tree of tensors. */
export type Bottleneck = {
  readonly down: tf.Tensor;
  readonly downBias: tf.Tensor;
  readonly up: tf.Tensor;
  readonly upBias: tf.Tensor;
};

/** One for each block, by its number. */
export type Bottlenecks = { readonly [block: string]: Bottleneck };

/** New bottlenecks, which change nothing: the way back is 0. */
export function drawBottlenecks(network: Network, rng: Rng, units: number): Bottlenecks {
  const { paths, width } = blocksOf(network);
  return Object.fromEntries(
    paths.map((_, block) => [
      block,
      {
        down: drawWeights("torch", rng.at("down", block), [width, units], width, units),
        downBias: tf.zeros([units]),
        up: tf.zeros([units, width]),
        upBias: tf.zeros([width]),
      },
    ]),
  );
}

/**
 * Adds `scale · (U relu(D x + b) + c)` to what the dense layers of each block give of x, what comes into them: the parallel form of Chen et
 * al. 2022, "AdaptFormer", arXiv:2205.13535, section 3.2.
 */
export function bottlenecksAt(network: Network, own: Bottlenecks, scale: number): { readonly tap: Tap } {
  const { paths } = blocksOf(network);
  const came = new Map<string, tf.Tensor>();
  return {
    tap(path, input, output) {
      const block = path.slice(0, -1).join("/");
      const bottleneck = own[paths.indexOf(block)];
      if (bottleneck === undefined) return output;
      if (path.at(-1) === "up") came.set(block, input);
      if (path.at(-1) !== "down") return output;
      const { down, downBias, up, upBias } = bottleneck;
      const inner = tf.relu(tf.add(tf.matMul(came.get(block) as tf.Tensor2D, down as tf.Tensor2D), downBias));
      return tf.add(output, tf.mul(tf.add(tf.matMul(inner as tf.Tensor2D, up as tf.Tensor2D), upBias), scale));
    },
  };
}
