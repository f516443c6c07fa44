/** What studies share: values with seeds as figures, and the outcome that a difference has. */
import { type Study as Experiment, tInterval } from "../../../lib/index.ts";
import { recordStudy, type Study } from "../../support/reference.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A mean with its 95% interval, rounded for the record. */
export function band(values: readonly number[]): {
  readonly mean: number;
  readonly interval: readonly [number, number];
} {
  const { mean, low, high } = tInterval(values);
  const round = (value: number): number => Number(value.toPrecision(4));
  return { mean: round(mean), interval: [round(low), round(high)] };
}

/** The average accuracies over all tasks at the end, seed by seed. */
export async function accuracies(study: Experiment<never>, seeds: number): Promise<number[]> {
  const run = await (study as unknown as Experiment).run({ seeds, quiet: true, record: false });
  return Array.from({ length: seeds }, (_, seed) => mean(run.matrix({ seed }).values.at(-1)!));
}

/** The learning rate at which a study reaches most, on a seed that is not among those that are reported. */
export async function bestRate(rates: readonly number[], make: (lr: number) => unknown): Promise<number> {
  const options = { seeds: [100], quiet: true, record: false };
  const tried: { readonly lr: number; readonly value: number }[] = [];
  for (const lr of rates) {
    const run = await (make(lr) as Experiment).run(options);
    tried.push({ lr, value: mean(run.matrix({ seed: 100 }).values.at(-1)!) });
  }
  return tried.reduce((a, b) => (b.value > a.value ? b : a)).lr;
}

/** Differences seed by seed. */
export function apart(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value - b[i]!);
}

/** Whether some values are above a bound for certain, below it for certain, or neither. */
export function outcomeOf(values: readonly number[], bound = 0): Study["outcome"] {
  const [low, high] = band(values).interval;
  return low > bound ? "holds" : high < bound ? "does not hold here" : "undecided";
}

/** Of several conditions the worst outcome. */
export function allOf(...outcomes: readonly Study["outcome"][]): Study["outcome"] {
  if (outcomes.includes("does not hold here")) return "does not hold here";
  return outcomes.includes("undecided") ? "undecided" : "holds";
}

/** Shows and records a study. */
export function study(id: string, found: Study): void {
  console.log(id, JSON.stringify(found, null, 1));
  recordStudy(id, found);
}
