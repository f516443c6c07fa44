/** A few units between two products, which change nothing at the beginning. */
import { needOneOf, needWhole } from "../../data/options.ts";
import { nn, type Rng, tf } from "../../engine/index.ts";
import { drawBias, drawWeights } from "../initial.ts";
import type { Params } from "../model.ts";

const bends = { relu: tf.relu, gelu: nn.gelu, tanh: tf.tanh };

/** What bottlenecks of so many units begin as and do; throws for options that there are not. */
export function bottlenecks(where: string, units: number, activation: string) {
  needWhole(where, "units", units);
  needOneOf(where, "activation", activation, Object.keys(bends));
  const bent = bends[activation as keyof typeof bends];
  return {
    init(rng: Rng, width: number) {
      return {
        down: drawWeights("torch", rng.at("down"), [width, units], width, units),
        downBias: drawBias("torch", rng.at("bias"), units, width),
        up: tf.zeros([units, width]),
        upBias: tf.zeros([width]),
      };
    },
    /** *Traced.* What the units are of each vector on the last axis, `[vectors, units]`. */
    hidden(x: tf.Tensor, { down, downBias }: Params): tf.Tensor {
      const width = x.shape.at(-1)!;
      const rows = tf.reshape(x, [x.size / width, width]) as tf.Tensor2D;
      return bent(tf.add(tf.matMul(rows, down as tf.Tensor2D), downBias as tf.Tensor));
    },
    /** *Traced.* What a layer gives, with what the units make of it added. */
    added(output: tf.Tensor, hidden: tf.Tensor, { up, upBias }: Params): tf.Tensor {
      const back = tf.add(tf.matMul(hidden as tf.Tensor2D, up as tf.Tensor2D), upBias as tf.Tensor);
      return tf.add(output, tf.reshape(back, output.shape));
    },
  };
}
