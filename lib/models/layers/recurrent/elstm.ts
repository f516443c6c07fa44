import { needOneOf } from "../../../data/options.ts";
import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Params } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import {
  atRest,
  inRealTime,
  momentStatistics,
  readMoment,
  throughTime,
  type UnitwiseCell,
  type UnitwiseParams,
  unitwiseParams,
  writeMoment,
} from "../../parts/real-time.ts";

/** Options of `elstm`. */
export interface ElstmOptions {
  /**
   * How the gradient goes: forward with the state ("realTime"), for which nothing of the past is kept, or back over the places ("throughTime"). Of the weights it is
   * the same. Default "realTime".
   */
  readonly gradient?: "realTime" | "throughTime";
}

/**
 * Long short-term memory whose units meet their own state alone, and whose exact gradient can therefore go forward with it.
 *
 * `f = σ(F x + w_f ∘ c)`, `z = tanh(Z x + w_z ∘ c)`, `c ← f ∘ c + (1 − f) ∘ z`, `h = σ(O x + W c) ∘ c`, with biases. Sequences `[length, inputs]` become `[length, units]`, each
 * from c = 0. **Vectors are moments of one stream**: the rows of a batch in their order, and batch after batch, in batches of 1 an update at every moment; where the
 * stream is, and how that depends on the weights, are the layer's running statistics. An evaluation goes on from where training is.
 *
 * Implements: P274 RTRL element-wise recurrence
 * Irie, Gopalakrishnan and Schmidhuber 2023, "Exploring the promise and limits of real-time recurrent learning", arXiv:2305.19044, section 3.1, and the authors'
 * program. In real time the layers below get what each moment does at once, not what it does later, as there: exact in one layer.
 * Differs from the paper: a layer for any stream, not its actor and critic.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().elstm(16).last().features([20, 3]); // [16]
 * net().elstm(16).features([3]); // [16], of the moments of a stream
 * ```
 */
export const elstm = sameLayer(
  "elstm",
  (units: number, { gradient = "realTime" }: ElstmOptions = {}) => {
    requireCount("elstm", "units", units);
    needOneOf("elstm", "gradient", gradient, ["realTime", "throughTime"]);
    return {
      options: { units, gradient },
      shape(input) {
        if (input.length > 2 || (input.length === 1 && gradient === "throughTime"))
          throw new RangeError(
            `elstm: a sequence of vectors${gradient === "realTime" ? ", or vectors of one stream," : ""} is required, got shape [${input}]`,
          );
        return [...input.slice(0, -1), units];
      },
      init: (rng, input): Params => ({
        memory: unitwiseParams(rng.at("memory"), cell, input.at(-1)!, units),
        input: productParams(rng.at("input"), input.at(-1)!, units),
        state: productParams(rng.at("state"), units, units),
      }),
      statistics: (input) => (input.length === 1 ? momentStatistics(cell, input[0]!, units) : {}),
      apply(x, params, mode) {
        const isStream = x.rank === 2;
        const given = isStream ? tf.expandDims(x, 0) : x;
        const memory = params.memory as unknown as UnitwiseParams;
        const out = (c: tf.Tensor): tf.Tensor => {
          const gate = tf.sigmoid(tf.add(product(given, params, "input", mode), product(c, params, "state", mode)));
          return tf.reshape(tf.mul(gate, c), [...x.shape.slice(0, -1), units]);
        };
        if (!isStream) {
          const { states } = atRest(cell, x.shape[0]!, x.shape[2]!, units);
          if (gradient === "throughTime") return out(throughTime(cell, given, memory, states));
          return out(inRealTime(cell, given, memory, { states, slopes: null }).y);
        }
        const { y, last } = inRealTime(cell, given, memory, readMoment(cell, mode));
        if (mode.training) writeMoment(last, mode);
        return out(y);
      },
    };
  },
  ["vector", "sequence"],
);

const cell: UnitwiseCell = {
  states: 1,
  gates: 2,
  next([c], [f, z]) {
    const keep = tf.sigmoid(f!);
    const fresh = tf.tanh(z!);
    return [tf.add(fresh, tf.mul(keep, tf.sub(c!, fresh)))];
  },
};
