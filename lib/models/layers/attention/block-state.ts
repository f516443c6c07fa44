import { needOneOf } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { requireHeads } from "../../parts/hopfield.ts";
import { normParams, product, productParams } from "../../parts/product.ts";
import { joinHeads, splitHeads } from "../../parts/split-heads.ts";
import { sightBias } from "../../parts/visible.ts";
import { s4d } from "../ssm/s4d.ts";
import { feedForward } from "./feed-forward.ts";

/** Options of `blockState`. */
export interface BlockStateOptions {
  /** Places of a block, which divides the length. Default 16. */
  readonly block?: number;
  /** Vectors that tell a block of all before it. Default 8. */
  readonly states?: number;
  /** Where they come from: the state space's answers at the last places of the block before ("single"), or at its last place alone, of so many state spaces ("filters"). Default "single". */
  readonly variant?: "single" | "filters";
  /** Numbers of the state of each channel of the state space, even. Default 16. */
  readonly stateSize?: number;
  /** Width of the inner dense layer, in widths. Default 4. */
  readonly widen?: number;
}

/**
 * A block of a transformer for pieces of a sequence, all at once, that a state space tells what was before each piece.
 *
 * Within a piece of `block` places tokens see those before them and themselves, and beside that `states` vectors of what a diagonal state space (`s4d`) made of everything
 * up to the end of the piece before; for the first piece these are zeros. `[length, units]` keeps its shape; no piece waits for another.
 *
 * Implements: P226 Block-State Transformer
 * Fathi et al. 2023, "Block-state transformers", arXiv:2306.09539, section 3: the variants single-head and multi-filter. Differs from the paper: the state space is S4D, theirs S4 and
 * convolutions of free filters; the multi-head variant is not here, nor biases for the places of a piece: give tokens `positions` before.
 *
 * @throws RangeError when the block does not divide the length, or is shorter than there are states of "single".
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 32).blockState(4, { block: 8, states: 4 }).features([32]); // [32, 32]
 * ```
 */
export const blockState = sameLayer(
  "blockState",
  (
    heads: number,
    { block = 16, states = 8, variant = "single", stateSize = 16, widen = 4 }: BlockStateOptions = {},
  ) => {
    requireCount("blockState", "heads", heads);
    requireCount("blockState", "block", block, 2);
    requireCount("blockState", "states", states);
    needOneOf("blockState", "variant", variant, ["single", "filters"]);
    if (variant === "single" && states > block)
      throw new RangeError(
        `blockState: at most as many states as a block of ${block} has places are required, got ${states}`,
      );
    const feed = feedForward({ widen });
    const space = s4d(stateSize, { mix: "none" });
    const filters = variant === "filters" ? states : 1;
    const sight = { heads, causal: true, window: 0, shards: 0, shardSize: 1, alibi: false };
    return {
      options: { heads, block, states, variant, stateSize, widen },
      shape(input) {
        requireHeads("blockState", heads, input);
        if (input[0]! % block !== 0)
          throw new RangeError(
            `blockState: a length that is a multiple of the block of ${block} is required, got ${input[0]}`,
          );
        return input;
      },
      init(rng, input): Params {
        const [length, units] = input as readonly [number, number];
        const drawn = (part: string, inputs: number = units): Params => productParams(rng.at(part), inputs, units);
        return {
          ...Object.fromEntries(["before", "ofStates", "between"].map((part) => [part, normParams(units)])),
          ...Object.fromEntries(
            ["query", "key", "value", "recall", "stateKey", "stateValue"].map((part) => [part, drawn(part)]),
          ),
          out: drawn("out", 2 * units),
          space: space.init!(rng.at("space"), [length, filters * units]),
          ...feed.init!(rng, input),
        };
      },
      apply(x, params, mode) {
        const [n, length, units] = x.shape as [number, number, number];
        const pieces = length / block;
        const own = normal(x, params, "before");
        const told = space.apply(
          filters === 1 ? own : tf.tile(own, [1, 1, filters]),
          params.space as Params,
          mode.at("space"),
        );
        const ofPieces = tf.reshape(told, [n, pieces, block, filters * units]);
        const taken = filters === 1 ? states : 1;
        const ends = tf.reshape(tf.slice(ofPieces, [0, 0, block - taken, 0], [n, pieces, taken, filters * units]), [
          n,
          pieces,
          states,
          units,
        ]);
        // what was before a piece is what is told at the end of the one before it
        const earlier = tf.concat(
          [tf.zeros([n, 1, states, units]), tf.slice(ends, [0, 0, 0, 0], [n, pieces - 1, states, units])],
          1,
        );
        const known = normal(tf.reshape(earlier, [n * pieces, states, units]), params, "ofStates");
        const tokens = tf.reshape(own, [n * pieces, block, units]);
        const heard = (part: string, of: tf.Tensor): tf.Tensor => splitHeads(product(of, params, part, mode), heads);
        const seen = nn.attention(
          heard("query", tokens),
          heard("key", tokens),
          heard("value", tokens),
          sightBias(sight, block, block),
        );
        const recalled = nn.attention(heard("recall", tokens), heard("stateKey", known), heard("stateValue", known));
        const beside = tf.reshape(tf.concat([joinHeads(seen), joinHeads(recalled)], 2), [n, length, 2 * units]);
        const between = tf.add(x, product(beside, params, "out", mode));
        return tf.add(between, feed.apply(normal(between, params, "between"), params, mode));
      },
    };
  },
  ["sequence"],
);

function normal(x: tf.Tensor, params: Params, part: string): tf.Tensor {
  const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
  return nn.layerNormalise(x, scale, shift);
}
