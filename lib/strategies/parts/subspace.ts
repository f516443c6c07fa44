/** Subspaces of layer inputs that past tasks have used. */
import { tf } from "../../engine/index.ts";
import { principal } from "../../engine/linear-algebra.ts";
import type { LayerPath } from "./layers.ts";

/** Orthonormal directions of each layer's inputs; as plain data. */
export type Bases = ReadonlyMap<LayerPath, readonly Float64Array[]>;

/**
 * The directions with those added that are needed for `share` of the squared length of the rows to lie in their span (Saha et al. 2021,
 * eq. 8–9).
 */
export function withRows(
  basis: readonly Float64Array[],
  rows: Float32Array,
  width: number,
  share: number,
): Float64Array[] {
  const left = rows.slice();
  const total = rows.reduce((sum, v) => sum + v * v, 0);
  for (let i = 0; i < rows.length / width; i++) {
    const row = left.subarray(i * width, (i + 1) * width);
    for (const direction of basis) {
      let along = 0;
      for (let j = 0; j < width; j++) along += row[j]! * direction[j]!;
      for (let j = 0; j < width; j++) row[j]! -= along * direction[j]!;
    }
  }
  const rest = left.reduce((sum, v) => sum + v * v, 0);
  const out = [...basis];
  let held = total - rest;
  if (held >= share * total || out.length >= width) return out;
  const { directions, shares } = principal(left, width);
  for (let k = 0; k < directions.length && held < share * total && out.length < width; k++) {
    out.push(directions[k]!);
    held += shares[k]! * rest;
  }
  return out;
}

/** Bases as tensors `[width, directions]` by layer; layers without directions are left out. */
export function basisTensors(bases: Bases): Record<LayerPath, tf.Tensor> {
  const out: Record<LayerPath, tf.Tensor> = {};
  for (const [path, directions] of bases) {
    if (directions.length === 0) continue;
    const width = directions[0]!.length;
    const data = new Float32Array(width * directions.length);
    directions.forEach((direction, k) => {
      for (let j = 0; j < width; j++) data[j * directions.length + k] = direction[j]!;
    });
    out[path] = tf.tensor2d(data, [width, directions.length]);
  }
  return out;
}

/** What to say of layers that may hardly move any more, from the share of the space of its inputs that each still has. */
export function exhausted(shares: Iterable<readonly [path: LayerPath, share: number]>): string[] {
  return [...shares].flatMap(([path, share]) =>
    share >= 0.01
      ? []
      : [
          `${path} may move in ${(100 * share).toFixed(2)} % of its inputs' directions; it learns nothing more. Protect less of the past`,
        ],
  );
}

/** *Traced.* A matrix without its part in the span of a basis, column by column. */
export function outside(matrix: tf.Tensor2D, basis: tf.Tensor): tf.Tensor {
  const m = basis as tf.Tensor2D;
  return tf.sub(matrix, tf.matMul(m, tf.matMul(m, matrix, true, false)));
}
