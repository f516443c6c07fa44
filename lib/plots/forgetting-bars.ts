/** How much of each task was forgotten, method by method. */
import { forgettingByTask } from "../metrics/forgetting.ts";
import { tInterval } from "../metrics/statistics.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure } from "./figure.ts";
import { colourAt } from "./parts/colour.ts";
import type { Bar } from "./parts/plotly.ts";

/**
 * Draws Chaudhry's forgetting of each task at the end of the run, a group of bars per task and a colour per method.
 *
 * `methods` has the event logs of each method's runs, one per seed; error bars are 95% t-intervals over seeds. `tasks` names the tasks.
 * The last task has not had time to be forgotten and is left out.
 *
 * @example
 * ```ts
 * import { forgettingBars } from "thalweg";
 * const evaluated = (after: number, on: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "experience", step: after, after, on, accuracy, examples: 9, loss: 1, taskAware: 1, taskAgnostic: 1 }) as const;
 * const run = [evaluated(0, 0, 0.9), evaluated(1, 0, 0.5), evaluated(1, 1, 0.8)];
 * forgettingBars({ naive: [run] }).data[0]; // one bar of 0.4
 * ```
 */
export function forgettingBars(
  methods: Readonly<Record<string, readonly (readonly TrainEvent[])[]>>,
  { tasks }: { readonly tasks?: readonly string[] } = {},
): Figure {
  const data = Object.entries(methods).map(([name, runs], index): Bar => {
    const byTask = new Map<number, number[]>();
    for (const { task, forgetting } of runs.flatMap((events) => forgettingByTask(events))) {
      byTask.set(task, [...(byTask.get(task) ?? []), forgetting]);
    }
    const found = [...byTask].sort(([a], [b]) => a - b);
    const intervals = found.map(([, values]) => tInterval(values));
    return {
      type: "bar",
      name,
      x: found.map(([task]) => tasks?.[task] ?? `task ${task}`),
      y: intervals.map(({ mean }) => mean),
      marker: { color: colourAt(index) },
      ...(runs.length > 1
        ? {
            error_y: { type: "data", array: intervals.map(({ mean, high }) => (Number.isNaN(high) ? 0 : high - mean)) },
          }
        : {}),
    };
  });
  return figure({
    data,
    layout: {
      title: {
        text: "Forgetting of each task",
        subtitle: { text: "best accuracy since learning − accuracy at the end" },
      },
      barmode: "group",
      showlegend: data.length > 1,
      xaxis: { type: "category" },
      yaxis: { title: { text: "forgetting" }, tickformat: ".0%" },
    },
  });
}
