import { scan, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { delaySteps } from "../../parts/delay-steps.ts";
import { product, productParams } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";

/** Options of `lmu`. */
export interface LmuOptions {
  /** Coefficients of each memory. Default 16. */
  readonly order?: number;
  /** Places that a memory keeps. Default 128. */
  readonly window?: number;
  /** Signals that are remembered. Default 1. */
  readonly memories?: number;
}

/** Places of a chunk. */
const chunk = 32;

/**
 * Legendre memory units, all places at once: `[length, inputs]` becomes `[length, units]`.
 *
 * Of each place come `memories` numbers, `u = relu(U x)`; of the past `window` places of each a memory keeps `order` coefficients of Legendre polynomials, `m ← Ā m + B̄ u`, with
 * matrices that nothing trains; what comes out is `relu(W [m, x])`. Nothing that comes out goes in again, so that the recurrence is linear: chunks of 32 places are products with the
 * matrix of its responses, and between chunks goes m.
 *
 * Voelker, Kajić and Eliasmith 2019, "Legendre memory units: continuous-time representation in recurrent neural networks" (the memory, equations 1 and 2, zero-order hold); in parallel as
 * Chilkuri and Eliasmith 2021, "Parallelizing Legendre memory unit training", arXiv:2102.11417, equations 18 to 20.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().lmu(16, { order: 8, window: 50 }).last().features([100, 2]); // [16]
 * ```
 */
export const lmu = layer(
  "lmu",
  { accepts: ["sequence"], gives: "sequence" },
  (units: number, { order = 16, window = 128, memories = 1 }: LmuOptions = {}) => {
    for (const [name, value] of Object.entries({ units, order, window, memories })) requireCount("lmu", name, value);
    const heard = (x: tf.Tensor, params: Params, mode: Mode): tf.Tensor => tf.relu(product(x, params, "input", mode));
    const said = (memory: tf.Tensor, x: tf.Tensor, params: Params, mode: Mode): tf.Tensor =>
      tf.relu(product(tf.concat([memory, x], 2), params, "out", mode));
    return {
      options: { units, order, window, memories },
      shape(input) {
        requireVectors("lmu", input);
        return [input[0]!, units];
      },
      init: (rng, [, inputs]): Params => ({
        input: productParams(rng.at("input"), inputs!, memories),
        out: productParams(rng.at("out"), memories * order + inputs!, units),
      }),
      apply(x, params, mode) {
        const [n, length] = x.shape as [number, number];
        const size = Math.min(length, chunk);
        const count = Math.ceil(length / size);
        const { responses, carried, whole } = delaySteps(order, window, size);
        const u = tf.pad(heard(x, params, mode), [
          [0, 0],
          [0, count * size - length],
          [0, 0],
        ]);
        const rows = tf.reshape(tf.transpose(tf.reshape(u, [n, count, size, memories]), [0, 1, 3, 2]), [-1, size]);
        // m at every place of a chunk, [n · chunks · memories, size · order], as if nothing was before
        const own = tf.matMul(rows as tf.Tensor2D, tf.tensor2d(responses, [size, size * order]));
        let all = own;
        if (count > 1) {
          const ends = tf.reshape(tf.slice(own, [0, (size - 1) * order], [-1, order]), [n, count, memories, order]);
          const [, before] = scan(
            (m: tf.Tensor, end: tf.Tensor, whole: tf.Tensor) => {
              const moved = tf.matMul(tf.reshape(m, [-1, order]), whole as tf.Tensor2D);
              return [tf.add(tf.reshape(moved, m.shape), end), m] as const;
            },
            tf.zeros([n, memories, order]) as tf.Tensor,
            tf.transpose(ends, [1, 0, 2, 3]),
            tf.tensor2d(whole, [order, order]) as tf.Tensor,
          );
          const had = tf.reshape(tf.transpose(before, [1, 0, 2, 3]), [-1, order]) as tf.Tensor2D;
          all = tf.add(own, tf.matMul(had, tf.tensor2d(carried, [order, size * order])));
        }
        const memory = tf.transpose(tf.reshape(all, [n, count, memories, size, order]), [0, 1, 3, 2, 4]);
        const flat = tf.reshape(memory, [n, count * size, memories * order]);
        return said(tf.slice(flat, [0, 0, 0], [n, length, memories * order]), x, params, mode);
      },
      recurs(x, params, mode, states, keep) {
        const [n, length] = x.shape as [number, number];
        const { responses, whole } = delaySteps(order, window, 1);
        const [a, b] = [tf.tensor2d(whole, [order, order]), tf.tensor2d(responses, [1, order])];
        const u = heard(x, params, mode);
        let m: tf.Tensor = states?.[0] ?? tf.zeros([n, memories, order]);
        const all = Array.from({ length }, (_, t) => {
          const goes = tf.reshape(tf.slice(keep, [0, t], [n, 1]), [n, 1, 1]);
          const had = tf.reshape(tf.mul(m, goes), [n * memories, order]) as tf.Tensor2D;
          const given = tf.reshape(tf.slice(u, [0, t, 0], [n, 1, memories]), [n * memories, 1]);
          m = tf.reshape(tf.add(tf.matMul(had, a), tf.mul(given, b)), [n, memories, order]);
          return tf.reshape(m, [n, memories * order]);
        });
        return [said(tf.stack(all, 1), x, params, mode), [m]];
      },
    };
  },
);
