import { tf } from "../../../engine/index.ts";
import { drawBias, drawWeights } from "../../initial.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Params } from "../../model.ts";

/** Options of `multigrid`. */
export interface MultigridOptions {
  /** Grids, each of half the size of the one before. Default 3. */
  readonly levels?: number;
  /** Steps of smoothing on each grid on the way down, and on the way up. Default [1, 1]. */
  readonly smoothing?: readonly [down: number, up: number];
}

/**
 * A linear operator on images as one V-cycle of multigrid, beside a 1×1 convolution with a bias: `[height, width, channels]` becomes `[height, width, units]`.
 *
 * On each grid `u ← u + S(f − A u)`, from u = 0 on the finest; then `f ← R(f − A u)` and `u ← Π u` go to the next grid; on the way back `u ← u + P u_coarse`, and again `u ← u + S(f − A u)`. A, S,
 * R, Π are trained convolutions of 3×3, P transposed ones of 4×4. So a few small filters reach over the whole image. Behind it goes an activation.
 *
 * He, Liu and Xu 2024, "MgNO: efficient parameterization of linear operators via multigrid", arXiv:2310.19809, algorithm 1, and the authors' program.
 *
 * Implements: P391 MgNO
 * Differs from the paper: images are bordered by zeros alone.
 *
 * @throws RangeError where the grids cannot be halved.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().multigrid(8, { levels: 3 }).gelu().multigrid(8, { levels: 3 }).gelu().conv(1, 1).features([16, 16, 2]); // [16, 16, 1]
 * ```
 */
export const multigrid = layer(
  "multigrid",
  { accepts: ["image"], gives: "image" },
  (units: number, { levels = 3, smoothing = [1, 1] }: MultigridOptions = {}) => {
    requireCount("multigrid", "units", units);
    requireCount("multigrid", "levels", levels);
    const [down, up] = smoothing;
    requireCount("multigrid", "smoothing on the way down", down);
    requireCount("multigrid", "smoothing on the way up", up, 0);
    const grids = Array.from({ length: levels }, (_, i) => i);
    const steps = [
      ...Array.from({ length: down }, (_, i) => `down${i + 1}`),
      ...Array.from({ length: up }, (_, i) => `up${i + 1}`),
    ];
    return {
      options: { units, levels, smoothing },
      shape(input) {
        const [height, width] = input;
        const least = 2 ** (levels - 1);
        if (input.length !== 3 || height! % least !== 0 || width! % least !== 0)
          throw new RangeError(
            `multigrid: an image whose sides are multiples of ${least} is required for ${levels} levels, got shape [${input}]; take fewer levels`,
          );
        return [height!, width!, units];
      },
      init(rng, [, , channels]): Params {
        const filter = (at: typeof rng, window: number, from: number, to: number): tf.Tensor =>
          drawWeights("torch", at, [window, window, from, to], window * window * from, window * window * to);
        const grid = (i: number): Params => {
          const at = rng.at("grid", i);
          const smoothers = steps.map((step, k) => {
            const smooth = filter(at.at(step, 0), 3, channels!, units);
            // the first step begins at 0, where A u is
            return [
              step,
              i === 0 && k === 0 ? { smooth } : { smooth, operator: filter(at.at(step, 1), 3, units, channels!) },
            ] as const;
          });
          const isLast = i === levels - 1;
          return {
            ...Object.fromEntries(smoothers.filter(([step]) => !(isLast && step.startsWith("up")))),
            ...(!isLast && {
              operator: filter(at.at("operator"), 3, units, channels!),
              restrict: filter(at.at("restrict"), 3, channels!, channels!),
              inject: filter(at.at("inject"), 3, units, units),
              prolong: filter(at.at("prolong"), 4, units, units),
            }),
          };
        };
        return {
          ...Object.fromEntries(grids.map((i) => [`grid${i + 1}`, grid(i)])),
          beside: {
            kernel: filter(rng.at("beside"), 1, channels!, units),
            bias: drawBias("torch", rng.at("bias"), units, channels!),
          },
        };
      },
      apply(x, params) {
        const smoothed = (u: tf.Tensor | null, f: tf.Tensor, own: Params): tf.Tensor => {
          const { smooth, operator } = own as { readonly smooth: tf.Tensor; readonly operator?: tf.Tensor };
          return u === null ? conv(f, smooth) : tf.add(u, conv(tf.sub(f, conv(u, operator!)), smooth));
        };
        let [u, f]: [tf.Tensor | null, tf.Tensor] = [null, x];
        const met: { readonly u: tf.Tensor; readonly f: tf.Tensor; readonly own: Params }[] = [];
        for (const i of grids) {
          const own = params[`grid${i + 1}`] as Params;
          for (const step of steps.slice(0, down)) u = smoothed(u, f, own[step] as Params);
          met.push({ u: u!, f, own });
          if (i === levels - 1) break;
          const { operator, restrict, inject } = own as { readonly [name: string]: tf.Tensor };
          f = conv(tf.sub(f, conv(u!, operator!)), restrict!, 2);
          u = conv(u!, inject!, 2);
        }
        let coarse = u!;
        for (const { u, f, own } of met.slice(0, -1).reverse()) {
          const shape = u.shape as [number, number, number, number];
          const up = tf.conv2dTranspose(coarse as tf.Tensor4D, own.prolong as tf.Tensor4D, shape, 2, "same");
          coarse = tf.add(u, up);
          for (const step of steps.slice(down)) coarse = smoothed(coarse, f, own[step] as Params);
        }
        const { kernel, bias } = params.beside as { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
        return tf.add(tf.add(coarse, conv(x, kernel)), bias);
      },
    };
  },
);

/** A convolution bordered by zeros so that its window lies in the middle. */
function conv(x: tf.Tensor, filter: tf.Tensor, stride = 1): tf.Tensor {
  const pad = (filter.shape[0]! - 1) / 2;
  return tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, stride, pad, "NHWC", 1, "floor");
}
