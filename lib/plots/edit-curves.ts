/** What sequential edits come to: what is written, what of it holds in other words, and what else is still known. */
import { type EditRow, editTable } from "../metrics/edit-table.ts";
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Layout } from "./figure.ts";
import { bandTraces, overSeeds } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";

/** What can be said of edit curves. */
export interface EditCurvesOptions {
  readonly title?: string;
  /** Experiences that are trained before the first edit. Default 1. */
  readonly learnt?: number;
}

const scores = [
  { of: "kept", name: "edits kept", dash: "solid" },
  { of: "generality", name: "in other words", dash: "dash" },
  { of: "locality", name: "the rest", dash: "dot" },
] as const satisfies readonly { of: keyof EditRow; name: string; dash: string }[];

/**
 * Draws, for each way of editing, after every edit: the share of all edits so far that hold (line), that hold when they are asked for in
 * other phrases (dashes), and of the facts never edited that are still known (dots), with a band over seeds.
 *
 * `methods` has the event logs of each way's runs on an `edits` stream, one per seed.
 *
 * @example
 * ```ts
 * import { editCurves } from "thalweg";
 * const look = (after: number, on: number, accuracy: number) =>
 *   ({ type: "evaluated", at: "experience", step: 9, after, on, examples: 9, accuracy, taskAware: 1, taskAgnostic: 1, loss: 1 }) as const;
 * editCurves({ memit: [[look(0, 0, 1), look(0, 1, 0), look(1, 0, 0.9), look(1, 1, 1)]] }).data.length; // 2
 * ```
 */
export function editCurves(
  methods: Readonly<Record<string, readonly (readonly TrainEvent[])[]>>,
  { title = "Edits one after the other", learnt = 1 }: EditCurvesOptions = {},
): Figure {
  const seeds = Math.max(0, ...Object.values(methods).map((runs) => runs.length));
  const told = ["line: edits that hold", "dashes: in other words", "dots: the rest", overSeeds(seeds)];
  return figure({
    data: Object.entries(methods).flatMap(([method, runs], index) => {
      const tables = runs.map((events) => editTable(events, { learnt }));
      return scores.flatMap(({ of, name, dash }) => {
        const curves = tables.map((rows) => ({ x: rows.map(({ edits }) => edits), y: rows.map((row) => row[of]) }));
        if (curves.every(({ y }) => y.every(Number.isNaN))) return [];
        const style = { name: `${method}: ${name}`, colour: colourAt(index), width: 2.2, limits: [0, 1] as const };
        return bandTraces(curves, { ...style, dash });
      });
    }),
    layout: {
      title: { text: title, subtitle: { text: told.filter((part) => part !== "").join(", ") } },
      xaxis: { title: { text: "experiences of edits" } },
      yaxis: { title: { text: "share answered as it should be" }, tickformat: ".0%", range: [0, 1.02] },
    } satisfies Layout,
  });
}
