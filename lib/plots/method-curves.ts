/** The average accuracy of several methods as experiences arrive. */
import { type AccuracyMatrix, accuracyMatrix, type Rule } from "../metrics/accuracy-matrix.ts";
import { mean } from "../metrics/parts/summaries.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Layout } from "./figure.ts";
import { bandTraces, type Curve, overSeeds } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";

/** What can be said of method curves. */
export interface MethodCurvesOptions {
  readonly rule?: Rule;
  readonly title?: string;
}

/**
 * Draws, for each method, the mean test accuracy over the tasks met so far after every experience, with a band over seeds.
 *
 * `methods` has the event logs of each method's runs, one per seed. A method that is evaluated only once, at the end (joint training), is drawn as a level line to compare with.
 *
 * @example
 * ```ts
 * import { methodCurves } from "thalweg";
 * const run = (accuracy: number) =>
 *   [{ type: "evaluated", at: "experience", step: 9, after: 0, on: 0, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }] as const;
 * methodCurves({ naive: [run(0.2)], replay: [run(0.8)] }).data.length; // 2
 * ```
 */
export function methodCurves(
  methods: Readonly<Record<string, readonly (readonly TrainEvent[])[]>>,
  { rule = "stream", title = "Average accuracy so far" }: MethodCurvesOptions = {},
): Figure {
  const names = Object.keys(methods);
  const seeds = Math.max(0, ...Object.values(methods).map((runs) => runs.length));
  const told = ["test accuracy over the tasks met so far", overSeeds(seeds)].filter((part) => part !== "").join(", ");
  const curves = names.map((name) => methods[name]!.map((events) => averages(accuracyMatrix(events, { rule }))));
  const last = Math.max(1, ...curves.flat(1).flatMap(({ x }) => x));
  return figure({
    data: curves.flatMap((runs, index) => {
      const once = last > 1 && runs.length > 0 && runs.every(({ x }) => x.length === 1);
      const style = { name: names[index]!, colour: colourAt(index), width: 2.2, limits: [0, 1] as const };
      if (!once) return bandTraces(runs, { ...style, markers: true });
      return bandTraces(
        runs.map(({ y }) => ({ x: [1, last], y: [y[0]!, y[0]!] })),
        { ...style, dash: "dash" },
      );
    }),
    layout: {
      title: { text: title, subtitle: { text: told } },
      xaxis: { title: { text: "experiences learned" }, dtick: 1 },
      yaxis: { title: { text: "accuracy" }, tickformat: ".0%", range: [0, 1.02] },
    } satisfies Layout,
  });
}

function averages({ values, experiences, learnedAt }: AccuracyMatrix): Curve {
  return {
    x: experiences.map((experience) => experience + 1),
    y: values.map((row, at) => mean(row.filter((_, task) => learnedAt[task]! >= 0 && learnedAt[task]! <= at))),
  };
}
