/** The runs of a sweep as cells: one experiment with one seed each, and the ways of training them. */
import { DeviceLost } from "../engine/index.ts";
import { type Recording, recorded } from "../runs/recorded.ts";
import type { TrainEvent } from "../train/events.ts";
import { fit, Interrupted } from "../train/fit.ts";
import type { Meeting } from "../train/meeting.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Place } from "../train/state.ts";

/** One experiment with one seed. */
export interface Cell {
  readonly spec: RunSpec;
  readonly seed: number;
  /** Where it is recorded; absent when it is not. */
  readonly recording?: Recording;
  /** Where it ends, when that is not the end of the stream. */
  readonly until?: Place;
  /** Is given the state at the end of a cell that is trained in this process without a record. */
  readonly ended?: (state: Uint8Array) => void;
}

/** Who is told of cells by their position in the list: that one begins, and what happens in it. */
export interface Watch {
  begin(index: number): void;
  event(index: number, event: TrainEvent): void;
}

/** Trains cells somewhere; resolves when all are done, throws when one failed for good. */
export type Executor = (cells: readonly Cell[], watch: Watch, signal?: AbortSignal) => Promise<void>;

/** Trains cells in this process, one after the other. */
export async function inTurn(cells: readonly Cell[], watch: Watch, signal?: AbortSignal): Promise<void> {
  for (const [index, cell] of cells.entries()) {
    watch.begin(index);
    for await (const event of eventsOf(cell, signal)) watch.event(index, event);
  }
}

/** Does works at once. When one fails the others stop, and keep what they have; its error is thrown, or that of a stop from outside. */
export async function atOnce(
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
  signal?: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const guarded = async (work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      await work(both);
    } catch (error) {
      stop.abort();
      throw error;
    }
  };
  const all = await Promise.allSettled(works.map(guarded));
  const failed = all.flatMap((one) => (one.status === "rejected" ? [one.reason as Error] : []));
  const first = failed.find((error) => !(error instanceof Interrupted)) ?? failed[0];
  if (first !== undefined) throw first;
}

/**
 * The events of one cell as they happen, or from its record. When it is stopped without a record, the error has its state as `state`.
 * When the device is lost the cell goes on on the processor: from its last checkpoint, or from the start where it is not recorded.
 */
export async function* eventsOf(cell: Cell, signal?: AbortSignal, meeting?: Meeting): AsyncGenerator<TrainEvent> {
  let told = 0;
  try {
    for await (const event of once(cell, signal, meeting)) {
      told++;
      yield event;
    }
    return;
  } catch (error) {
    // Cells that are trained together have lost what they share.
    if (!(error instanceof DeviceLost) || meeting !== undefined) throw error;
    const from = cell.recording === undefined ? "its start, as it is not recorded" : "its last checkpoint";
    console.error(`thalweg: ${error.message.replace(/; its log is kept.*$/, "")}; the run goes on from ${from}`);
  }
  // The events until the loss come again, from the record or anew: who was told of them is not told again.
  let come = 0;
  for await (const event of once(cell, signal)) if (++come > told) yield event;
}

async function* once(
  { spec, seed, recording, until, ended }: Cell,
  signal?: AbortSignal,
  meeting?: Meeting,
): AsyncGenerator<TrainEvent> {
  if (recording !== undefined) return yield* recorded(spec, seed, recording, signal, meeting);
  const fitting = fit(spec, {
    seed,
    ...(signal === undefined ? {} : { signal }),
    ...(meeting === undefined ? {} : { meeting }),
    ...(until === undefined ? {} : { until, ends: true }),
  });
  try {
    yield* fitting;
    ended?.(fitting.save());
  } catch (error) {
    if (error instanceof Interrupted)
      Object.defineProperty(error, "state", { value: fitting.save(), configurable: true });
    throw error;
  } finally {
    fitting.dispose();
  }
}
