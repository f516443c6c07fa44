/** Optimizers against each other, each at its best rate, and what other rates would have brought. */
import type { TrainEvent } from "../train/events.ts";
import { type Figure, figure, type Trace } from "./figure.ts";
import { bandTraces, type Curve, overSeeds } from "./parts/bands.ts";
import { colourAt } from "./parts/colour.ts";
import { panelAt } from "./parts/panels.ts";

/** An optimizer at one rate: the event logs of its runs, one per seed. A run whose loss was not finite may be left out, or end there. */
export interface Racer {
  readonly name: string;
  readonly lr: number;
  readonly logs: readonly (readonly TrainEvent[])[];
}

/** What can be said of a race. */
export interface OptimizerRaceOptions {
  /** Steps averaged into one point; by default so many that about 60 points are drawn. */
  readonly everySteps?: number;
  /** The share of the steps, at the end, over whose mean loss rates are compared. Default 0.1. */
  readonly last?: number;
  readonly title?: string;
}

/**
 * Draws optimizers with every rate they were tried at: on the left the training loss of each at its best rate, step by step; on the right the
 * loss at the end against the rate. An optimizer whose best rate is the first or last one tried was not tuned, and its line shows it.
 *
 * Rates at which a run did not reach the end are missing on the right, and are never the best.
 *
 * Implements: P210 No Train No Gain
 * Kaddour et al. 2023, "No train no gain: revisiting efficient training algorithms for transformer-based language models", arXiv:2307.06440: every way is tuned
 * at the same budget, with a rate that falls to the end of it.
 * Differs from the paper: the budget is one of steps or operations (`stream.budget`), not of time on a machine of reference.
 *
 * @throws RangeError where no rate of an optimizer reached the end.
 *
 * @example
 * ```ts
 * import { optimizerRace } from "thalweg";
 * const run = (loss: number) => [{ type: "step", step: 1, experience: 0, epoch: 0, loss, terms: { task: loss } }] as const;
 * const race = optimizerRace([{ name: "sgd", lr: 0.1, logs: [run(2)] }, { name: "sgd", lr: 1, logs: [run(1)] }]);
 * race.data.map(({ name }) => name); // ["sgd, lr 1", "sgd"]
 * ```
 */
export function optimizerRace(
  racers: readonly Racer[],
  { everySteps, last = 0.1, title = "Optimizers at the same budget" }: OptimizerRaceOptions = {},
): Figure {
  const steps = Math.max(1, ...racers.flatMap(({ logs }) => logs.map((log) => lossesOf(log).length)));
  const width = everySteps ?? Math.max(1, Math.round(steps / 60));
  const names = [...new Set(racers.map(({ name }) => name))];
  const seeds = Math.max(0, ...racers.map(({ logs }) => logs.length));
  const panels = [
    panelAt(
      0,
      { columns: 2, rows: 1 },
      { x: { title: { text: "training step" } }, y: { title: { text: "loss (nats)" }, type: "log" } },
    ),
    panelAt(1, { columns: 2, rows: 1 }, { x: { title: { text: "learning rate" }, type: "log" }, y: { type: "log" } }),
  ] as const;
  const data = names.flatMap((name, index): Trace[] => {
    const own = racers.filter((racer) => racer.name === name).sort((a, b) => a.lr - b.lr);
    const ends = own.map(({ logs }) => logs.map((log) => endOf(lossesOf(log), steps, last)));
    const means = ends.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
    const reached = means.filter((value) => Number.isFinite(value));
    if (reached.length === 0)
      throw new RangeError(
        `optimizerRace: a rate at which ${name} reaches the end is required, got none of ${own.length}; lower its rates`,
      );
    const best = own[means.indexOf(Math.min(...reached))]!;
    const style = { colour: colourAt(index), width: 1.8 };
    const limits = [1e-6, Number.POSITIVE_INFINITY] as const;
    const againstRate = Array.from({ length: seeds }, (_, seed) => ({
      x: own.map(({ lr }) => lr),
      y: ends.map((values) => values[seed] ?? Number.NaN),
    }));
    return [
      ...bandTraces(
        best.logs.map((log) => averaged(lossesOf(log), width)),
        { ...style, name: `${name}, lr ${best.lr}`, axes: panels[0].axes, limits },
      ),
      ...bandTraces(againstRate, { ...style, name, markers: true, showlegend: false, axes: panels[1].axes, limits }),
    ];
  });
  return figure({
    data,
    layout: {
      title: { text: title, ...(seeds > 1 ? { subtitle: { text: overSeeds(seeds) } } : {}) },
      height: 380,
      showlegend: true,
      ...panels[0].layout,
      ...panels[1].layout,
      annotations: [panels[0].heading("each at its best rate"), panels[1].heading("loss at the end, by rate")],
    },
  });
}

/** The training loss of each step. */
function lossesOf(log: readonly TrainEvent[]): number[] {
  return log.flatMap((event) => (event.type === "step" ? [event.loss] : []));
}

/** The mean loss over the last steps; NaN where the end was not reached. */
function endOf(losses: readonly number[], steps: number, share: number): number {
  if (losses.length < steps) return Number.NaN;
  const end = losses.slice(-Math.max(1, Math.round(steps * share)));
  return end.reduce((sum, loss) => sum + loss, 0) / end.length;
}

/** The mean of every `width` steps, at the last step of each group. */
function averaged(losses: readonly number[], width: number): Curve {
  const x: number[] = [];
  const y: number[] = [];
  for (let from = 0; from < losses.length; from += width) {
    const part = losses.slice(from, from + width);
    x.push(from + part.length);
    y.push(part.reduce((sum, loss) => sum + loss, 0) / part.length);
  }
  return { x, y };
}
