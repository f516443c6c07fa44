/** What to measure of a network while it learns: one call for all the quantities of plasticity. */
import { type Matrix, requireMatrix, singularValues } from "./parts/matrix.ts";
import { entropyRank, squaredRank } from "./parts/ranks.ts";
import { dormantUnits, weightMagnitude } from "./quantities.ts";

/** A measurement, as a `probed` event carries it. */
export interface NetworkProbe {
  readonly name: "dormantUnits" | "effectiveRank" | "stableRank" | "weightMagnitude";
  readonly layer: string;
  readonly value: number;
}

/** What a network shows of itself. */
export interface NetworkView {
  /** By layer: the responses of its units after the nonlinearity; a row per example, and for images per example and place. */
  readonly activations?: Readonly<Record<string, Matrix>>;
  /** By layer: its weights. */
  readonly weights?: Readonly<Record<string, ArrayLike<number>>>;
}

/** Rows by which units are judged dormant. */
const responses = 1024;

/**
 * Measures dormant units, effective rank and stable rank of each layer's activations, and the magnitude of each layer's weights.
 *
 * Ranks are taken of at most `rows` rows (128 by default), evenly chosen, so that a measurement costs milliseconds; no rank can
 * be larger than that. Units are dormant below `threshold` times the layer's mean response (0.025 by default, as in Sokar et al. 2023),
 * by at most 1024 rows.
 *
 * @example
 * ```ts
 * import { networkProbes } from "thalweg";
 * const hidden = { data: [1, 0, 2, 0], rows: 2, columns: 2 };
 * networkProbes({ activations: { hidden } }); // dormantUnits 0.5, effectiveRank 1, stableRank 1
 * ```
 */
export function networkProbes(
  { activations = {}, weights = {} }: NetworkView,
  { rows = 128, threshold = 0.025 }: { rows?: number; threshold?: number } = {},
): NetworkProbe[] {
  return [
    ...Object.entries(activations).flatMap(([layer, matrix]): NetworkProbe[] => {
      requireMatrix("networkProbes", matrix);
      const values = singularValues(someRows(matrix, rows));
      return [
        { name: "dormantUnits", layer, value: dormantUnits(someRows(matrix, responses), { threshold }) },
        { name: "effectiveRank", layer, value: entropyRank(values) },
        { name: "stableRank", layer, value: squaredRank(values) },
      ];
    }),
    ...Object.entries(weights).map(
      ([layer, numbers]): NetworkProbe => ({ name: "weightMagnitude", layer, value: weightMagnitude(numbers) }),
    ),
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
