/** What sequential edits have come to, after each of them. */
import type { TrainEvent } from "../train/events.ts";
import { accuracyMatrix } from "./accuracy-matrix.ts";
import { mean } from "./parts/summaries.ts";

/** The scores after an edit. */
export interface EditRow {
  /** Experiences of edits so far. */
  readonly edits: number;
  /** Of the edit just made: the share of its facts that are answered as asked (reliability). */
  readonly reliability: number;
  /** The same over all edits so far. */
  readonly kept: number;
  /** The share of all edits so far that are answered in phrases they were not given in (generality); NaN where the stream has one phrase. */
  readonly generality: number;
  /** The share of the facts that are never edited which are still known (locality). */
  readonly locality: number;
}

/**
 * Reliability, generality and locality after every edit, from the log of a run on the `edits` stream. `learnt` is how many tasks are trained before
 * the first edit.
 *
 * @example
 * ```ts
 * import { adam, edit, edits, editTable, editWith, net } from "thalweg";
 * const stream = edits(3, { subjects: 8, relations: 2, objects: 4, phrases: 2 });
 * const study = stream.learn(net().embedding(12, 12).transformer(2).last()).with(adam({ lr: 0.01 })).train({ epochs: 5, batch: 10 });
 * const run = await study.by(editWith(edit.memit())).run({ quiet: true, record: false });
 * editTable(run.logs[0]!.events).map(({ edits }) => edits); // [1, 2, 3]
 * ```
 */
export function editTable(events: readonly TrainEvent[], { learnt = 1 }: { readonly learnt?: number } = {}): EditRow[] {
  const { values, experiences, tasks } = accuracyMatrix(events, { rule: "stream" });
  const last = Math.max(0, ...experiences);
  const count = last + 1 - learnt;
  const asked = tasks >= last + 1 + count; // tasks behind the last edit: the same in other phrases
  return values.flatMap((row, at) => {
    const edits = experiences[at]! + 1 - learnt;
    if (edits < 1) return [];
    const own = row.slice(learnt, learnt + edits);
    const other = asked ? row.slice(last + 1, last + 1 + edits) : [];
    return [
      {
        edits,
        reliability: own.at(-1)!,
        kept: mean(own),
        generality: other.length === 0 ? Number.NaN : mean(other),
        locality: mean(row.slice(0, learnt)),
      },
    ];
  });
}
