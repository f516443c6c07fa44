/** Where two runs part. */
import { averageAccuracy } from "../metrics/average-accuracy.ts";
import type { Figure } from "../plots/figure.ts";
import { methodCurves } from "../plots/method-curves.ts";
import { runDifference } from "../plots/run-difference.ts";
import type { TrainEvent } from "../train/events.ts";
import type { Run } from "./run.ts";
import { shown } from "./run.ts";

/** Two runs beside each other. It shows itself as the difference of their accuracy matrices. */
export interface Diff {
  /** For each seed that both have: the first step at which they differ, or null when they never do. */
  readonly parting: readonly { readonly seed: number; readonly step: number | null }[];
  /** The accuracy matrix of the first minus that of the second, in points. */
  readonly figure: Figure;
  /** The average accuracy so far of both. */
  curves(): Figure;
  toText(): string;
}

/**
 * Compares two runs seed by seed: where they part, and how far they are apart from there on.
 *
 * @example
 * ```ts
 * import { blobs, classes, diff, mlp, naive, replay, task } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).split(2).learn(mlp({ hidden: [16] }));
 * const run = await study.by(naive()).run({ quiet: true, record: false });
 * const fork = await run.at(task(1)).fork({ strategies: [replay({ capacity: 50 })] });
 * diff(fork, run).parting[0]!.step; // 21: the first step of task 1
 * ```
 */
export function diff(first: Run, second: Run): Diff {
  const seeds = first.logs.map(({ seed }) => seed).filter((seed) => second.logs.some((log) => log.seed === seed));
  if (seeds.length === 0) throw new RangeError("diff: two runs with a seed in common are required, got none in common");
  const of = (run: Run) => seeds.map((seed) => run.logs.find((log) => log.seed === seed)!.events);
  const [a, b] = [of(first), of(second)];
  const names = first.name === second.name ? (["first", "second"] as const) : ([first.name, second.name] as const);
  const figure = runDifference(a, b, { names, tasks: first.tasks });
  const parting = seeds.map((seed, i) => ({ seed, step: partingStep(a[i]!, b[i]!) }));
  const made: Diff = {
    parting,
    figure,
    curves: () => methodCurves({ [names[0]]: a, [names[1]]: b }, { title: `${names[0]} and ${names[1]}` }),
    toText() {
      const lines = parting.map(({ seed, step }, i) => {
        const change = (averageAccuracy(a[i]!).value ?? Number.NaN) - (averageAccuracy(b[i]!).value ?? Number.NaN);
        const where = step === null ? "never part" : `part at step ${step}`;
        return `seed ${seed}: the runs ${where}; final average accuracy ${change < 0 ? "−" : "+"}${Math.abs(100 * change).toFixed(1)} points`;
      });
      return [figure.toText(), ...lines].join("\n");
    },
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => ({ ...shown(figure), "text/plain": made.toText() }),
      [Symbol.for("nodejs.util.inspect.custom")]: () => made.toText(),
    }),
  );
}

/** The step of the first event in which two logs differ, wall-clock times left out. */
function partingStep(a: readonly TrainEvent[], b: readonly TrainEvent[]): number | null {
  const text = (event: TrainEvent | undefined): string =>
    JSON.stringify(event, (key, value: unknown) => (key === "seconds" ? 0 : value)) ?? "";
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (text(a[i]) !== text(b[i]))
      return Math.min(a[i]?.step ?? Number.POSITIVE_INFINITY, b[i]?.step ?? Number.POSITIVE_INFINITY);
  }
  return null;
}
