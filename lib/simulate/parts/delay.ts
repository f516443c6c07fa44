/** Seconds that are drawn. */
import { needOneOf } from "../../data/options.ts";
import type { Rng } from "../../engine/index.ts";

/** Random seconds: their distribution and its mean; `shape` is the index of a Pareto distribution, which must be above 1 (default 2). */
export interface Delay {
  readonly kind: "constant" | "uniform" | "exponential" | "pareto";
  readonly mean: number;
  readonly shape?: number;
}

/** Throws where a delay is none. */
export function requireDelay(where: string, delay: Delay | undefined): void {
  if (delay === undefined) return;
  needOneOf(where, "delay", delay.kind, ["constant", "uniform", "exponential", "pareto"]);
  if (!(delay.mean >= 0 && Number.isFinite(delay.mean)))
    throw new RangeError(`${where}: a mean delay of 0 seconds or more is required, got ${delay.mean}`);
  if (!((delay.shape ?? 2) > 1))
    throw new RangeError(
      `${where}: a shape above 1, where a mean is, is required of a Pareto delay, got ${delay.shape}`,
    );
}

/** A draw; none takes no time. */
export function delayOf(delay: Delay | undefined, rng: Rng): number {
  if (delay === undefined) return 0;
  const { kind, mean, shape = 2 } = delay;
  if (kind === "constant") return mean;
  const u = rng.uniform();
  if (kind === "uniform") return 2 * mean * u;
  if (kind === "exponential") return -mean * Math.log(1 - u);
  return (mean * (shape - 1)) / shape / (1 - u) ** (1 / shape);
}
