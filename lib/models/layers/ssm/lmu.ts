import { scan, tf } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params } from "../../model.ts";
import { delaySteps } from "../../parts/delay-steps.ts";
import { product, productParams } from "../../parts/product.ts";
import { goOn, requireVectors } from "../../parts/recurrence.ts";
import { spikes } from "../../parts/spikes.ts";

/** Options of `lmu`. */
export interface LmuOptions {
  /** Coefficients of each memory. Default 16. */
  readonly order?: number;
  /** Places that a memory keeps. Default 128. */
  readonly window?: number;
  /** Signals that are remembered. Default 1. */
  readonly memories?: number;
  /** Whether what enters a memory, what it says and what comes out are spikes of leaky neurons (`lif`). Default false. */
  readonly spiking?: boolean;
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
  (units: number, { order = 16, window = 128, memories = 1, spiking = false }: LmuOptions = {}) => {
    for (const [name, value] of Object.entries({ units, order, window, memories })) requireCount("lmu", name, value);
    type Some = readonly tf.Tensor[];
    /** What is not below 0, or spikes, and the charges behind them. */
    const act = (x: tf.Tensor, charge: tf.Tensor | null, keep: tf.Tensor | null): readonly [tf.Tensor, Some] => {
      if (!spiking) return [tf.relu(x), []];
      const [y, after] = spikes(x, charge, keep, { tau: 2, threshold: 1 });
      return [y, [after]];
    };
    const heard = (x: tf.Tensor, params: Params, mode: Mode, charge: tf.Tensor | null, keep: tf.Tensor | null) =>
      act(product(x, params, "input", mode), charge, keep);
    const said = (
      memory: tf.Tensor,
      x: tf.Tensor,
      params: Params,
      mode: Mode,
      charges: Some,
      keep: tf.Tensor | null,
    ) => {
      const [known, first] = spiking ? act(memory, charges[0] ?? null, keep) : [memory, []];
      const [y, second] = act(product(tf.concat([known, x], 2), params, "out", mode), charges[1] ?? null, keep);
      return [y, [...first, ...second]] as const;
    };
    return {
      options: { units, order, window, memories, ...(spiking && { spiking }) },
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
        const u = tf.pad(heard(x, params, mode, null, null)[0], [
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
        return said(tf.slice(flat, [0, 0, 0], [n, length, memories * order]), x, params, mode, [], null)[0];
      },
      recurs(x, params, mode, states, keep) {
        const n = x.shape[0]!;
        const { responses, whole } = delaySteps(order, window, 1);
        const [u, charge] = heard(x, params, mode, states?.[1] ?? null, keep);
        const [memory, [m]] = goOn(
          ([m], given, own) => {
            const { a, b } = own as { readonly a: tf.Tensor2D; readonly b: tf.Tensor };
            const moved = tf.matMul(tf.reshape(m!, [n * memories, order]), a);
            const after = tf.add(moved, tf.mul(tf.reshape(given, [n * memories, 1]), b));
            return [tf.reshape(after, [n, memories * order]), [tf.reshape(after, [n, memories, order])]];
          },
          [states?.[0] ?? tf.zeros([n, memories, order])],
          u,
          { a: tf.tensor2d(whole, [order, order]), b: tf.tensor2d(responses, [1, order]) },
          keep,
        );
        const [y, rest] = said(memory, x, params, mode, states?.slice(2) ?? [], keep);
        return [y, [m!, ...charge, ...rest]];
      },
    };
  },
);
