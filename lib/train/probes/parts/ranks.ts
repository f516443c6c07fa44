/** Ranks from singular values, so that one decomposition gives several. */

/** `exp(−Σ p ln p)` of the shares `p = σ / Σσ`, those that are rounding left out; 0 when all are 0. */
export function entropyRank(values: readonly number[]): number {
  const kept = values.filter((value) => value > 1e-7 * (values[0] ?? 0));
  const total = kept.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  return Math.exp(-kept.reduce((sum, value) => sum + (value / total) * Math.log(value / total), 0));
}

/** `Σσ² / σ₁²` of values from the largest down; 0 when all are 0. */
export function squaredRank(values: readonly number[]): number {
  const largest = values[0] ?? 0;
  return largest === 0 ? 0 : values.reduce((sum, value) => sum + value * value, 0) / largest ** 2;
}
