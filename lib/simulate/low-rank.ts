import { needWhole } from "../data/options.ts";
import type { Rng } from "../engine/index.ts";
import { type Coded, codec } from "./codec.ts";
import type { Layer } from "./parts/trainer.ts";
import { byLayer } from "./quantised.ts";

/**
 * Matrices as products of two thin ones, found by one step of the power method from the factor of the time before: PowerSGD.
 *
 * A layer of shape `[…, m]` is a matrix of `n × m`; with the last `Q` of `m × r` it goes out as `P = orth(M Q)` and `Q = Mᵀ P`, which stand
 * for `P Qᵀ`. Vectors, and matrices that the factors would not make smaller, go out as they are.
 *
 * Vogels, Karimireddy and Jaggi 2019, arXiv:1905.13727, algorithm 1. Differs from the paper: each machine's own vector is coded, where its
 * scheme averages `P` before it makes `Q`.
 *
 * @example
 * ```ts
 * import { random, simulate } from "thalweg";
 * const layers = [{ from: 0, size: 60, shape: [10, 6] }];
 * simulate.lowRank({ rank: 2 }).coder(layers, random(0))(new Float32Array(60)).bytes; // 128
 * ```
 */
export const lowRank = codec(
  "lowRank",
  {
    /** Columns of the factors. */
    rank: 2,
  },
  ({ rank }) => {
    needWhole("lowRank", "rank", rank);
    return (layers, rng) => {
      const code = factored(rng);
      return (vector) => byLayer(layers, vector, (part, layer) => code(part, layer, rank));
    };
  },
);

/** A coder of single layers, which keeps a factor for each; the rank may change. */
export function factored(rng: Rng): (part: Float32Array, layer: Layer, rank: number) => Coded {
  const kept = new Map<number, Float64Array[]>();
  return (part, { from, shape }, rank) => {
    const m = shape.at(-1) ?? 1;
    const n = part.length / m;
    const bytes = 4 * rank * (n + m);
    if (shape.length < 2 || bytes >= 4 * part.length) return { vector: part.slice(), bytes: 4 * part.length };
    const before = kept.get(from) ?? [];
    const q = Array.from({ length: rank }, (_, r) => before[r] ?? drawn(rng.at(from, r), m));
    const p = orthonormal(q.map((column) => times(part, n, m, column)));
    const next = p.map((column) => timesTransposed(part, n, m, column));
    kept.set(from, next);
    const vector = new Float32Array(part.length);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let r = 0; r < rank; r++) sum += p[r]![i]! * next[r]![j]!;
        vector[i * m + j] = sum;
      }
    return { vector, bytes };
  };
}

function drawn(rng: Rng, m: number): Float64Array {
  return Float64Array.from({ length: m }, () => rng.normal());
}

function times(a: Float32Array, n: number, m: number, x: Float64Array): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[i]! += a[i * m + j]! * x[j]!;
  return out;
}

function timesTransposed(a: Float32Array, n: number, m: number, x: Float64Array): Float64Array {
  const out = new Float64Array(m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j]! += a[i * m + j]! * x[i]!;
  return out;
}

/** Columns made orthonormal one after the other; one that is nothing but the others becomes 0. */
function orthonormal(columns: readonly Float64Array[]): Float64Array[] {
  const out: Float64Array[] = [];
  for (const column of columns) {
    const own = column.slice();
    const whole = Math.hypot(...own);
    for (const other of out) {
      let along = 0;
      for (let i = 0; i < own.length; i++) along += own[i]! * other[i]!;
      for (let i = 0; i < own.length; i++) own[i]! -= along * other[i]!;
    }
    const norm = Math.sqrt(own.reduce((sum, x) => sum + x * x, 0));
    out.push(norm <= 1e-7 * whole || norm === 0 ? own.fill(0) : own.map((x) => x / norm));
  }
  return out;
}
