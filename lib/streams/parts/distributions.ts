/** Random numbers that are neither uniform nor normal. */
import type { Rng } from "../../engine/random.ts";

/** A number from the gamma distribution of the given shape and scale 1 (Marsaglia and Tsang 2000; shapes below 1 by Stuart's boost). */
export function gamma(shape: number, rng: Rng): number {
  if (!(shape > 0)) throw new RangeError(`gamma: a shape above 0 is required, got ${shape}`);
  if (shape < 1) return gamma(shape + 1, rng) * (1 - rng.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - rng.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Shares that add up to 1, from the symmetric Dirichlet distribution. */
export function dirichlet(n: number, concentration: number, rng: Rng): number[] {
  const weights = Array.from({ length: n }, () => gamma(concentration, rng));
  const total = weights.reduce((a, b) => a + b, 0);
  return total > 0 ? weights.map((w) => w / total) : weights.map((_, i) => (i === 0 ? 1 : 0));
}

/** A whole number from the Poisson distribution (Knuth's product below 30, above it a rounded normal). */
export function poisson(mean: number, rng: Rng): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * rng.normal()));
  const limit = Math.exp(-mean);
  let [count, product] = [0, rng.uniform()];
  while (product > limit) {
    count++;
    product *= rng.uniform();
  }
  return count;
}
