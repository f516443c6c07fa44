import { needOneOf } from "../../../data/options.ts";
import { nn, tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { requireHeads } from "../../parts/hopfield.ts";
import { normParams, product, productParams } from "../../parts/product.ts";
import { joinHeads, splitHeads } from "../../parts/split-heads.ts";
import { sightBias } from "../../parts/visible.ts";
import { feedForward } from "./feed-forward.ts";

/** Options of `blockRecurrent`. */
export interface BlockRecurrentOptions {
  /** Places of a block. A place sees itself and `block − 1` before it, and by way of the states everything before. Default 16. */
  readonly block?: number;
  /** Vectors that go on from block to block. Default 8. */
  readonly states?: number;
  /** How states change: by a trained share for each channel ("fixed"), or by gates of what comes ("lstm"). Default "fixed". */
  readonly gate?: "fixed" | "lstm";
  /** Width of the inner dense layer, in widths. Default 4. */
  readonly widen?: number;
}

/**
 * A block of a transformer that goes along a sequence block by block, with state vectors that read the tokens and are read by them.
 *
 * Tokens attend to the window of tokens before them and to the states; the states attend to themselves and to the tokens of the block; keys and values of
 * both are shared by the two directions. What the states get goes through a gate: `c ← g ∘ c + (1 − g) ∘ z` with `g = σ(b)`, or as in an LSTM `c ← f ∘ c + i ∘ tanh(z)`, i and f being
 * logistic functions of what is attended to, with biases of −1 and 1 more. States begin as trained vectors. `[length, units]` keeps its shape; the cost is linear in the length.
 *
 * Implements: P221 Block-Recurrent Transformer
 * Hutchins et al. 2022, "Block-recurrent transformers", arXiv:2203.07852, sections 3.1 and 3.2, in the form without dense layers for the states ("skip").
 * Differs from the paper: places of a window have no biases of their own, give tokens `positions` before; nothing is carried from one sequence to the next.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().embedding(65, 32).transformer(4).blockRecurrent(4, { block: 8, states: 4 }).features([32]); // [32, 32]
 * ```
 */
export const blockRecurrent = sameLayer(
  "blockRecurrent",
  (heads: number, { block = 16, states = 8, gate = "fixed", widen = 4 }: BlockRecurrentOptions = {}) => {
    requireCount("blockRecurrent", "heads", heads);
    requireCount("blockRecurrent", "block", block, 2);
    requireCount("blockRecurrent", "states", states);
    needOneOf("blockRecurrent", "gate", gate, ["fixed", "lstm"]);
    const feed = feedForward({ widen });
    const sight = { heads, causal: true, window: block, shards: 0, shardSize: 1, alibi: false };
    return {
      options: { heads, block, states, gate, widen },
      shape(input) {
        requireHeads("blockRecurrent", heads, input);
        return input;
      },
      init(rng, input): Params {
        const units = input[1]!;
        const drawn = (part: string, inputs = units): Params => productParams(rng.at(part), inputs, units);
        return {
          ...Object.fromEntries(["before", "ofStates", "between"].map((part) => [part, normParams(units)])),
          ...Object.fromEntries(["key", "value", "stateKey", "stateValue"].map((part) => [part, drawn(part)])),
          ...Object.fromEntries(["query", "stateQuery", "fromStates", "fromTokens"].map((part) => [part, drawn(part)])),
          out: drawn("out", 2 * units),
          change: drawn("change", 2 * units),
          ...(gate === "lstm"
            ? { enter: drawn("enter", 2 * units), stay: drawn("stay", 2 * units) }
            : { keep: tf.fill([units], 2) }),
          begin: rng.at("begin").normals([states, units], 0, 0.02),
          names: rng.at("names").normals([states, units], 0, 0.02),
          ...feed.init!(rng, input),
        };
      },
      apply(x, params, mode) {
        const [n, length, units] = x.shape as [number, number, number];
        const given: tf.Tensor[] = [];
        let state = tf.add(tf.zeros([n, states, units]), params.begin as tf.Tensor);
        let before: readonly [key: tf.Tensor, value: tf.Tensor] | undefined;
        for (let from = 0; from < length; from += block) {
          const count = Math.min(block, length - from);
          const tokens = tf.slice(x, [0, from, 0], [n, count, units]);
          const [own, named] = [normal(tokens, params, "before"), tf.add(state, params.names as tf.Tensor)];
          const of = normal(named, params, "ofStates");
          const heard = (part: string, y: tf.Tensor): tf.Tensor => splitHeads(product(y, params, part, mode), heads);
          const [key, value] = [heard("key", own), heard("value", own)];
          const [stateKey, stateValue] = [heard("stateKey", of), heard("stateValue", of)];
          const [keys, values] =
            before === undefined ? [key, value] : [tf.concat([before[0], key], 2), tf.concat([before[1], value], 2)];
          const past = keys.shape[2]! - count;
          const seen = nn.attention(heard("query", own), keys, values, sightBias(sight, count, past + count, past));
          const recalled = nn.attention(heard("fromStates", own), stateKey, stateValue);
          const between = tf.add(tokens, product(beside(seen, recalled), params, "out", mode));
          given.push(tf.add(between, feed.apply(normal(between, params, "between"), params, mode)));
          const kept = nn.attention(heard("stateQuery", of), stateKey, stateValue);
          const read = nn.attention(heard("fromTokens", of), key, value);
          state = gated(state, beside(kept, read), params, mode);
          before = [key, value];
        }
        return given.length === 1 ? given[0]! : tf.concat(given, 1);
      },
    };

    function gated(state: tf.Tensor, given: tf.Tensor, params: Params, mode: Mode): tf.Tensor {
      const change = product(given, params, "change", mode);
      if (gate === "fixed") {
        const stay = tf.sigmoid(params.keep as tf.Tensor);
        return tf.add(tf.mul(stay, state), tf.mul(tf.sub(1, stay), change));
      }
      const enter = tf.sigmoid(tf.sub(product(given, params, "enter", mode), 1));
      const stay = tf.sigmoid(tf.add(product(given, params, "stay", mode), 1));
      return tf.add(tf.mul(stay, state), tf.mul(enter, tf.tanh(change)));
    }
  },
  ["sequence"],
);

function normal(x: tf.Tensor, params: Params, part: string): tf.Tensor {
  const { scale, shift } = params[part] as { readonly scale: tf.Tensor; readonly shift: tf.Tensor };
  return nn.layerNormalise(x, scale, shift);
}

/** Two results of heads, one beside the other at each place. */
function beside(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.concat([joinHeads(a), joinHeads(b)], 2);
}
