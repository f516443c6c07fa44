/** Low-rank changes of the products of attention in a frozen network, as strategies train, keep and exchange them. */
import { type Rng, tf } from "../../engine/index.ts";
import { drawWeights } from "../../models/initial.ts";
import type { Tap } from "../../models/model.ts";
import type { Network } from "../../models/network.ts";
import { blocksOf } from "./blocks.ts";

/** Which product of a block: the name of its number and of its part, "0-key". */
export type ProductName = string;

/** `down · up`, `[width, rank]` and `[rank, width]`. A type, so that it is a tree of tensors. */
export type LowRank = { readonly down: tf.Tensor; readonly up: tf.Tensor };

/** The names of some products in all blocks, or in those from one to another (not included). */
export function productsOf(
  network: Pick<Network, "model" | "input">,
  parts: readonly string[],
  [from, to]: readonly [from: number, to: number] = [0, Number.POSITIVE_INFINITY],
): ProductName[] {
  const numbers = [...blocksOf(network).paths.keys()].filter((block) => block >= from && block < to);
  return numbers.flatMap((block) => parts.map((part) => `${block}-${part}`));
}

/** New changes, which change nothing: the way up is 0. */
export function drawLowRank(
  network: Network,
  rng: Rng,
  rank: number,
  parts: readonly string[],
  between?: readonly [from: number, to: number],
): { readonly [name: ProductName]: LowRank } {
  const { width } = blocksOf(network);
  const drawn = (name: ProductName): LowRank => ({
    down: drawWeights("torch", rng.at(name), [width, rank], width, rank),
    up: tf.zeros([rank, width]),
  });
  return Object.fromEntries(productsOf(network, parts, between).map((name) => [name, drawn(name)]));
}

/** Adds to the output of products what a function makes of their input, `[places, width]`; of those it gives null for nothing. */
export function productsWith(
  network: Pick<Network, "model" | "input">,
  added: (name: ProductName, rows: tf.Tensor2D) => tf.Tensor | null,
): { readonly tap: Tap } {
  const { paths } = blocksOf(network);
  return {
    tap(path, input, output) {
      const block = paths.indexOf(path.slice(0, -1).join("/"));
      const change = block < 0 ? null : added(`${block}-${path.at(-1)}`, input as tf.Tensor2D);
      return change === null ? output : tf.add(output, change);
    },
  };
}

/** `rows · down · up`. */
export function changed(rows: tf.Tensor2D, { down, up }: LowRank): tf.Tensor2D {
  return tf.matMul(tf.matMul(rows, down as tf.Tensor2D), up as tf.Tensor2D);
}
