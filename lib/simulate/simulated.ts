/** What a simulated run left: its updates, its network, who did what when, and what went over the lines. */
import type { Json } from "../data/dataset.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import type { Figure } from "../plots/figure.ts";
import { type MachineTimelineOptions, machineTimeline } from "../plots/machine-timeline.ts";
import type { Clock, Machine } from "./clock.ts";
import type { Updated } from "./cluster.ts";
import type { Trainer } from "./parts/trainer.ts";

/** A finished simulation. */
export interface Simulated {
  readonly program: { readonly name: string; readonly options: Json };
  /** Simulated seconds until the last machine had ended. */
  readonly seconds: number;
  readonly updates: number;
  /** Mean accuracy over the tasks of the stream, at the end. */
  readonly accuracy: number;
  /** Bytes over all lines. */
  readonly bytes: number;
  /** One row per update: seconds, update, machine, loss, staleness. */
  frame(): DataFrame;
  /** One row per evaluation: seconds, update, accuracy. */
  curve(): DataFrame;
  /** One row per machine: seconds of work, waiting and sending, bytes and messages. */
  totals(): DataFrame;
  /** Bytes by what was sent. */
  readonly bytesByTag: Readonly<Record<string, number>>;
  /** Who worked, waited and sent when. */
  timeline(options?: MachineTimelineOptions): Figure;
  /** The first time at which an evaluation found at least this accuracy, in simulated seconds; null where none did. */
  secondsTo(accuracy: number): number | null;
  /** The trained weights and running statistics as one vector. */
  readonly vector: Float32Array;
  /** The trained network; the caller frees it. */
  network(): TrainedNetwork;
}

/** Keeps what happens in a simulation. */
export function ledger(
  program: Simulated["program"],
  trainer: Pick<Trainer, "accuracy" | "trained">,
  clock: Clock,
): {
  updated(me: Machine, update: Updated, tasks: readonly number[] | null): void;
  ended(vector: Float32Array): Simulated;
} {
  const rows: { seconds: number; update: number; machine: string; loss: number; staleness: number }[] = [];
  const looks: { seconds: number; update: number; accuracy: number }[] = [];
  return {
    updated({ name, now }, { update, loss, staleness = 0, vector }, tasks) {
      rows.push({ seconds: now, update, machine: name, loss, staleness });
      if (tasks !== null) looks.push({ seconds: now, update, accuracy: trainer.accuracy(vector(), tasks) });
    },
    ended(vector) {
      const accuracy = trainer.accuracy(vector);
      const totals = clock.totals();
      const made: Simulated = {
        program,
        seconds: clock.now,
        updates: rows.length,
        accuracy,
        bytes: totals.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
        frame: () => frame(rows),
        curve: () => frame([...looks, { seconds: clock.now, update: rows.length, accuracy }]),
        totals: () => frame(totals.map((each) => ({ ...each }))),
        bytesByTag: clock.bytesByTag(),
        timeline: (options = {}) =>
          machineTimeline(
            clock.spans,
            totals.map(({ machine }) => machine),
            { title: `${program.name}: ${clock.now.toPrecision(3)} simulated seconds`, ...options },
          ),
        secondsTo: (least) =>
          [...looks, { seconds: clock.now, accuracy }].find((look) => look.accuracy >= least)?.seconds ?? null,
        vector,
        network: () => trainer.trained(vector),
      };
      return Object.freeze(
        Object.assign(made, {
          [Symbol.for("nodejs.util.inspect.custom")]: () =>
            `${program.name}: accuracy ${accuracy.toFixed(4)} after ${rows.length} updates, ${clock.now.toPrecision(4)} simulated seconds, ${made.bytes} bytes`,
        }),
      );
    },
  };
}
