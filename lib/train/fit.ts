/** Training as an async stream of typed events. */
import { random } from "../engine/index.ts";
import { stopAsked } from "../engine/runtime/interrupt.ts";
import { deviceName } from "./device.ts";
import type { TrainEvent } from "./events.ts";
import type { Meeting } from "./meeting.ts";
import { open, type Session } from "./session.ts";
import type { RunSpec } from "./spec.ts";
import type { Place } from "./state.ts";

/** Settings of one run of an experiment. */
export interface FitOptions {
  /** The seed of everything random in the run. Default 0. */
  readonly seed?: number;
  /** Stops the run between two steps when it is aborted. */
  readonly signal?: AbortSignal;
  /** Bytes of `Fitting.save`: the run goes on from there. */
  readonly from?: Uint8Array;
  /** Stops there, as if nothing were to follow: no `finished` event. `Fitting.save` then gives the state at this place. */
  readonly until?: Place;
  /** Whether a run that stops at `until` is over there: it gives its `finished` event. Default false. */
  readonly ends?: boolean;
  /** Where the run meets others, so that their programs run as one. Default: it goes alone. */
  readonly meeting?: Meeting;
}

/** A run under way: its events, and its whole state at any moment. */
export interface Fitting extends AsyncIterable<TrainEvent> {
  /** The whole state after the events taken so far, as bytes; going on from it gives the rest of the run, bit for bit. */
  save(): Uint8Array;
  /** The session behind the run, for what is between two steps. */
  readonly session: Session;
  /** Frees the run's tensors; call it when the run is no longer needed. */
  dispose(): void;
}

/** A run was stopped from outside. What it did until then is kept. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/** How long a run goes on before timers and messages get a turn, in milliseconds. */
const turn = 30;

/**
 * Runs an experiment with one seed: an async stream of events that can be stopped, saved and gone on with between any two of them.
 *
 * Throws before any training when the parts of the experiment do not fit; `Interrupted` when it is stopped; an error that names step and
 * term when the loss is not finite.
 */
export function fit(spec: RunSpec, { seed = 0, signal, from, until, ends = false, meeting }: FitOptions = {}): Fitting {
  random(seed); // a clear error for a seed that is none
  const session = open(spec, seed, deviceName(), from, meeting?.programs(spec));
  let disposed = false;
  const dispose = (): void => {
    if (!disposed) session.dispose();
    disposed = true;
  };
  async function* events(): AsyncGenerator<TrainEvent> {
    meeting?.join();
    try {
      yield* taken();
    } finally {
      meeting?.leave();
    }
  }
  async function* taken(): AsyncGenerator<TrainEvent> {
    const started = performance.now();
    let rested = started;
    for (;;) {
      while (session.queue.length > 0) yield session.queue.shift()!;
      if (performance.now() - rested > turn) {
        await new Promise((resolve) => setImmediate(resolve));
        rested = performance.now();
      }
      requireRunning(signal, session);
      const goesOn = meeting === undefined ? session.advance(until) : await together(session, until, meeting);
      if (!goesOn) break;
    }
    if (session.cursor.phase !== "done" && !ends) return;
    yield { type: "finished", step: session.cursor.step, seconds: (performance.now() - started) / 1000 };
  }
  return { [Symbol.asyncIterator]: events, save: () => session.save(), session, dispose };
}

/** One unit of work whose programs run with those of other runs. */
async function together(session: Session, until: Place | undefined, meeting: Meeting): Promise<boolean> {
  const work = session.work(until);
  let next = work.next();
  while (!next.done) next = work.next(await meeting.ask(next.value, session.cursor));
  return next.value;
}

/** Throws `Interrupted` when the run's signal, or the notebook around it, asks to stop. */
function requireRunning(signal: AbortSignal | undefined, { cursor }: Session): void {
  if (!stopAsked(signal)) return;
  throw new Interrupted(
    `fit: stopped at step ${cursor.step} (experience ${cursor.experience}); the events until then are kept, and save() gives the state to go on from`,
  );
}
