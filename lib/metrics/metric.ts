/** What a metric is: a pure function of the event log that gives a number, or says why there is none. */
import type { TrainEvent } from "../train/events.ts";

/** A number, or the reason why the quantity is not defined for this run. */
export type Measured =
  | { readonly value: number; readonly why?: never }
  | { readonly value: undefined; readonly why: string };

/** A quantity that is not defined, and why. */
export function notDefined(why: string): Measured {
  return { value: undefined, why };
}

/** What a value is counted in. Shares are from 0 to 1 (differences from −1 to 1) and are shown in percent. */
export type Unit = "share" | "number" | "steps" | "nats" | "bytes" | "seconds" | "FLOPs";

/** A metric: its name says which definition it is; it is called on the events of one run. */
export interface Metric {
  (events: Iterable<TrainEvent>): Measured;
  /** The full name, definition included: `forgetting.chaudhry`. */
  readonly metric: string;
  /** The formula in plain text. */
  readonly formula: string;
  /** Whether more is better. */
  readonly higherIsBetter: boolean;
  readonly unit: Unit;
}

/** Declares a metric. `unit` is "share" by default. A measurement that gives NaN is a mistake of the metric and throws. */
export function metric(
  name: string,
  about: { readonly formula: string; readonly higherIsBetter: boolean; readonly unit?: Unit },
  measure: (events: Iterable<TrainEvent>) => Measured | number,
): Metric {
  const measured = (events: Iterable<TrainEvent>): Measured => {
    const result = measure(events);
    if (typeof result !== "number") return result;
    if (Number.isNaN(result)) throw new Error(`internal: ${name} measured NaN; it must say why it is not defined`);
    return { value: result };
  };
  return Object.assign(measured, { metric: name, unit: "share" as const, ...about });
}
