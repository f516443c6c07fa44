import { needOneOf, needWhole } from "../../data/options.ts";
import { tf } from "../../engine/index.ts";
import { onKernels } from "../parts/kernel-change.ts";
import { adapter } from "./adapter.ts";

/**
 * A square trained matrix of as many numbers as LoRA's two have, `side = ⌊√((inputs + units) · rank) + ½⌋`, whose change of a kernel has a
 * high rank: what comes in is made as short as the square's side, and what it gives as long as the layer's units, by nothing trained.
 *
 * What comes in is cut into pieces of that length, the last filled up with the first numbers. `"turn"` turns the numbers of the i-th piece in
 * pairs by i times angles of their own, as places of a sequence are told apart in RoPE, and each piece passes through the square to a piece of
 * the output. `"sum"` adds the pieces up, and what they give is repeated. The square begins as zeros, so that the network begins as it was.
 *
 * Implements: P187 MoRA
 *
 * Jiang et al. 2024, arXiv:2405.12130, section 4.2, equations 5 to 9; pieces, filling and repeats are those of the authors' program.
 *
 * @example
 * ```ts
 * import { mora, vit } from "thalweg";
 * vit().adapt(mora({ rank: 4, on: "block*" }));
 * ```
 */
export const mora = adapter(
  "mora",
  {
    /** The rank of the LoRA that would have as many numbers. */
    rank: 8,
    /** How pieces of the input meet the square. */
    pieces: "turn" as string,
  },
  { kind: "weight" },
  ({ rank, pieces }) => {
    needWhole("mora", "rank", rank);
    needOneOf("mora", "pieces", pieces, ["turn", "sum"]);
    return onKernels({
      init(_rng, { shape: [inputs, units] }) {
        const side = Math.floor(Math.sqrt((inputs + units) * rank) + 0.5);
        const even = pieces === "turn" ? Math.max(2, side - (side % 2)) : side;
        return { square: tf.zeros([even, even]) };
      },
      changed({ square }, kernel) {
        const [inputs, units] = kernel.shape;
        const side = (square as tf.Tensor2D).shape[0];
        const count = Math.ceil(inputs / side);
        const given = (pieces === "turn" ? turned : summed)(square as tf.Tensor2D, count);
        const long = tf.tile(wrapped(given, inputs), [1, Math.ceil(units / given.shape[1]!)]);
        return tf.add(kernel, tf.slice(long, [0, 0], [inputs, units]));
      },
    });
  },
);

/** The first rows, to which those that follow are added from the first on: what was filled up has the first numbers again. */
function wrapped(given: tf.Tensor, rows: number): tf.Tensor {
  const [all, columns] = given.shape as [number, number];
  let sum: tf.Tensor = tf.zeros([rows, columns]);
  for (let from = 0; from < all; from += rows) {
    const count = Math.min(rows, all - from);
    const part = tf.slice(given, [from, 0], [count, columns]);
    sum = tf.add(
      sum,
      tf.pad(part, [
        [0, rows - count],
        [0, 0],
      ]),
    );
  }
  return sum;
}

/** `[count · side, side]`: each piece to the same square. */
function summed(square: tf.Tensor2D, count: number): tf.Tensor {
  return tf.tile(square, [count, 1]);
}

/** `[count · side, count · side]`: the i-th piece, turned, through the square to the i-th piece. */
function turned(square: tf.Tensor2D, count: number): tf.Tensor {
  const side = square.shape[0];
  const half = side / 2;
  const parts = Array.from({ length: count }, (_, i) => {
    const angles = Float32Array.from({ length: side }, (_, j) => i / 10000 ** ((2 * (j % half)) / side));
    const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)].map((of) => tf.tensor2d(of, [side, 1]));
    // x cos + (−x₂, x₁) sin, so that the row of x₁ meets that of the square's second half, and that of x₂ the first's with a minus
    const [first, second] = [tf.slice(square, [0, 0], [half, side]), tf.slice(square, [half, 0], [half, side])];
    const mixed = tf.add(tf.mul(square, cos!), tf.mul(tf.concat([second, tf.neg(first)], 0), sin!));
    return tf.pad(mixed, [
      [0, 0],
      [i * side, (count - 1 - i) * side],
    ]);
  });
  return tf.concat(parts, 0);
}
