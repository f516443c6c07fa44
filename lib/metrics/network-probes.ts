/** What to measure of a network while it learns: one call for all the quantities of plasticity. */
import type { Matrix } from "./parts/linear-algebra.ts";
import { dormantUnits, effectiveRank, stableRank, weightMagnitude } from "./plasticity.ts";

/** A measurement, as a `probed` event carries it. */
export interface NetworkProbe {
  readonly name: "dormantUnits" | "effectiveRank" | "stableRank" | "weightMagnitude";
  readonly layer: string;
  readonly value: number;
}

/** What a network shows of itself. */
export interface NetworkView {
  /** By layer: the responses of its units to some examples, after the nonlinearity; a row per example. */
  readonly activations?: Readonly<Record<string, Matrix>>;
  /** By layer: its weights as a table. */
  readonly weights?: Readonly<Record<string, Matrix>>;
}

/**
 * Measures dormant units and effective rank of each layer's activations, and stable rank and magnitude of each layer's weights.
 *
 * Ranks are taken of at most `rows` examples (128 by default), evenly chosen, so that a measurement costs milliseconds; no rank can
 * be larger than that. Units are dormant below `threshold` times the layer's mean response (0.025 by default, as in Sokar et al. 2023).
 *
 * @example
 * ```ts
 * import { networkProbes } from "thalweg";
 * const hidden = { data: [1, 0, 2, 0], rows: 2, columns: 2 };
 * networkProbes({ activations: { hidden } }); // dormantUnits 0.5, effectiveRank 1
 * ```
 */
export function networkProbes(
  { activations = {}, weights = {} }: NetworkView,
  { rows = 128, threshold = 0.025 }: { rows?: number; threshold?: number } = {},
): NetworkProbe[] {
  return [
    ...Object.entries(activations).flatMap(([layer, matrix]): NetworkProbe[] => [
      { name: "dormantUnits", layer, value: dormantUnits(matrix, { threshold }) },
      { name: "effectiveRank", layer, value: effectiveRank(someRows(matrix, rows)) },
    ]),
    ...Object.entries(weights).flatMap(([layer, matrix]): NetworkProbe[] => [
      { name: "stableRank", layer, value: stableRank(matrix) },
      { name: "weightMagnitude", layer, value: weightMagnitude(matrix.data) },
    ]),
  ];
}

function someRows(matrix: Matrix, most: number): Matrix {
  if (matrix.rows <= most) return matrix;
  const { data, rows, columns } = matrix;
  const kept = new Float64Array(most * columns);
  for (let row = 0; row < most; row++) {
    const from = Math.floor((row * rows) / most) * columns;
    for (let column = 0; column < columns; column++) kept[row * columns + column] = data[from + column]!;
  }
  return { data: kept, rows: most, columns };
}
