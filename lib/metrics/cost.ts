/** What a run cost: steps, examples, seconds, numbers, bytes. */
import type { TrainEvent } from "../train/events.ts";
import { type Measured, type Metric, metric, notDefined, type Unit } from "./metric.ts";

/**
 * The ledger of a run. Seconds are those of the machine it ran on and never the same twice; the rest is exact. `run.costs()`
 * shows all of it.
 *
 * @example
 * ```ts
 * import { cost } from "thalweg";
 * const log = [
 *   { type: "learned", step: 100, experience: 0, seconds: 1.5 },
 *   { type: "learned", step: 250, experience: 1, seconds: 2 },
 *   { type: "probed", step: 250, experience: 1, name: "bufferBytes", layer: null, on: null, value: 392000 },
 * ] as const;
 * cost.trainingSeconds(log).value; // 3.5
 * cost.steps(log).value; // 250
 * cost.bufferBytes(log).value; // 392000
 * ```
 */
export const cost = {
  /** Updates of the weights. */
  steps: ledger("steps", "number", "the last step of the log", (events) => {
    const steps = events.flatMap((event) => ("step" in event ? [event.step] : []));
    return steps.length > 0 ? Math.max(...steps) : notDefined("nothing happened");
  }),
  /** Wall-clock seconds of training, evaluation left out. */
  trainingSeconds: ledger("trainingSeconds", "seconds", "Σ over experiences of their training seconds", (events) => {
    const seconds = events.flatMap((event) => (event.type === "learned" ? [event.seconds] : []));
    return seconds.length > 0 ? sum(seconds) : notDefined("no experience was learned to its end");
  }),
  /** Wall-clock seconds of the whole run, evaluation included. */
  seconds: ledger("seconds", "seconds", "from the start to the end of the run", (events) => {
    const seconds = events.flatMap((event) => (event.type === "finished" ? [event.seconds] : []));
    return seconds.length > 0 ? sum(seconds) : notDefined("the run did not come to its end");
  }),
  /** Times that a task was evaluated. */
  evaluations: ledger("evaluations", "number", "evaluations of a task", (events) =>
    sum(events.flatMap((event) => (event.type === "evaluated" ? [1] : []))),
  ),
  /** Test examples that were classified, over all evaluations. */
  evaluatedExamples: ledger("evaluatedExamples", "number", "Σ over evaluations of their examples", (events) =>
    sum(events.flatMap((event) => (event.type === "evaluated" ? [event.examples] : []))),
  ),
  /** Trained numbers in the network at the start. */
  parameters: ledger("parameters", "number", "trained numbers at the start", (events) => {
    const found = events.find((event) => event.type === "started");
    return found?.parameters ?? notDefined("the log does not say how the run started");
  }),
  /**
   * Floating-point operations of training: matrix products and convolutions of the steps, and of what strategies compute in compiled
   * functions; evaluations and probes left out.
   */
  flops: ledger("flops", "FLOPs", "2 · multiplications, the last measurement", (events) => last(events, "flops")),
  /** Bytes of all tensors of the network, its optimizer and its strategies, at their most. */
  stateBytes: ledger("stateBytes", "bytes", "the largest measurement", (events) => largest(events, "stateBytes")),
  /** Bytes that strategies keep besides, examples for replay foremost, at their most. */
  bufferBytes: ledger("bufferBytes", "bytes", "the largest measurement", (events) => largest(events, "bufferBytes")),
};

function ledger(
  name: string,
  unit: Unit,
  formula: string,
  measure: (events: TrainEvent[]) => Measured | number,
): Metric {
  return metric(`cost.${name}`, { formula, higherIsBetter: false, unit }, (events) => {
    const log = [...events];
    return log.length > 0 ? measure(log) : notDefined("the log is empty");
  });
}

function probed(events: readonly TrainEvent[], name: string): number[] {
  return events.flatMap((event) => (event.type === "probed" && event.name === name ? [event.value] : []));
}

function last(events: readonly TrainEvent[], name: string): Measured | number {
  return probed(events, name).at(-1) ?? notDefined(`${name} was not measured`);
}

function largest(events: readonly TrainEvent[], name: string): Measured | number {
  const values = probed(events, name);
  return values.length > 0 ? Math.max(...values) : notDefined(`${name} was not measured`);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
