/** Going back into a run: its state at any step, made again from the nearest checkpoint. */
import { join } from "node:path";
import type { TrainEvent } from "../train/events.ts";
import { fit } from "../train/fit.ts";
import type { RunSpec } from "../train/spec.ts";
import type { Cursor, Place } from "../train/state.ts";
import { readLog } from "./parts/log-file.ts";
import { latestCheckpoint } from "./record.ts";

/** A run at a place: its state as bytes, and everything that happened until then. */
export interface Past {
  readonly state: Uint8Array;
  readonly events: readonly TrainEvent[];
  readonly cursor: Cursor;
  /** Steps that had to be taken again to come here. */
  readonly retaken: number;
}

/**
 * Goes to a place in a run, or with null to its end. What lies between the nearest checkpoint before it and the place is trained again, which gives the same
 * numbers; without a record the run is trained from its beginning (`begun`, where it was
 * itself forked from another).
 */
export async function travel(
  spec: RunSpec,
  seed: number,
  place: Place | null,
  folder?: string,
  begun?: (seed: number) => Promise<Past>,
): Promise<Past> {
  const log = folder === undefined ? undefined : join(folder, "events.jsonl");
  const near =
    folder === undefined
      ? undefined
      : latestCheckpoint(folder, readLog(log!).length, (cursor) => place === null || leads(cursor, place));
  const start = near === undefined ? await begun?.(seed) : undefined;
  const before = (near === undefined ? (start?.events ?? []) : readLog(log!, near.log).events).filter(
    ({ type }) => type !== "finished", // of a run that was stopped: here it goes on
  );
  const from = near?.state ?? start?.state;
  const again: TrainEvent[] = [];
  const fitting = fit(spec, {
    seed,
    ...(place === null ? {} : { until: place }),
    ...(from === undefined ? {} : { from }),
  });
  try {
    for await (const event of fitting) again.push(event);
    return {
      state: fitting.save(),
      events: [...before, ...again],
      cursor: fitting.session.cursor,
      retaken: fitting.session.cursor.step - (near?.step ?? start?.cursor.step ?? 0),
    };
  } finally {
    fitting.dispose();
  }
}

/** Whether going on from a checkpoint leads to a place: it is not past it, nor at the end of the run. */
function leads({ phase, experience, local, at }: Cursor, to: Place): boolean {
  if (phase === "done" || experience !== to.experience) return phase !== "done" && experience < to.experience;
  const within = phase === "train" || (phase === "evaluate" && at === "step");
  return phase === "before" || (to.local > 0 && within && local <= to.local);
}
