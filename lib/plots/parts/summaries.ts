/** Summaries of values as figures show them. */

/** The five numbers of a box plot: quartiles by linear interpolation at n·p + 1/2, whiskers at the last value within 1.5 of the box. */
export function quartiles(values: readonly number[]): {
  low: number;
  lower: number;
  middle: number;
  upper: number;
  high: number;
} {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = Math.min(sorted.length - 1, Math.max(0, sorted.length * share - 0.5));
    const below = Math.floor(place);
    const next = sorted[Math.min(sorted.length - 1, below + 1)]!;
    return sorted[below]! + (place - below) * (next - sorted[below]!);
  };
  const [lower, middle, upper] = [at(0.25), at(0.5), at(0.75)];
  const reach = 1.5 * (upper - lower);
  return {
    low: sorted.find((value) => value >= lower - reach) ?? lower,
    lower,
    middle,
    upper,
    high: sorted.findLast((value) => value <= upper + reach) ?? upper,
  };
}
