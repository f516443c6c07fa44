/** How long a task takes to come back to what it was, each time it is learnt again. */
import type { TrainEvent } from "../../train/events.ts";
import { evaluationsOf } from "./curves.ts";

/** A stretch of steps in which one task was learnt; experiences in a row on one task are one of them. */
interface Block {
  readonly task: number;
  readonly start: number;
  readonly end: number;
}

function blocksOf(log: readonly TrainEvent[]): Block[] {
  const starts = log.filter((event) => event.type === "boundary");
  const merged = starts.filter((event, i) => event.task !== starts[i - 1]?.task);
  const last = Math.max(...log.map(({ step }) => step));
  return merged.map(({ task, step }, i) => ({ task, start: step, end: merged[i + 1]?.step ?? last }));
}

/**
 * The recovery times of each task, in order: for every block on it but the first, the steps until its accuracy is what it was at its best in
 * the block on it before. A block in which it does not get there gives none.
 */
export function recoveryTimes(log: readonly TrainEvent[]): readonly (readonly number[])[] {
  const { curves } = evaluationsOf(log);
  const blocks = blocksOf(log);
  return curves.map(({ x, y }, task) => {
    const within = ({ start, end }: Block): number[] =>
      x.flatMap((step, i) => (step > start && step <= end ? [i] : []));
    const own = blocks.filter((block) => block.task === task);
    return own.slice(1).flatMap((block, before) => {
      const best = Math.max(...within(own[before]!).map((i) => y[i]!));
      const back = within(block).find((i) => y[i]! >= best);
      return back === undefined || best === Number.NEGATIVE_INFINITY ? [] : [x[back]! - block.start];
    });
  });
}

/** The median of the slopes between all pairs of values (Theil 1950, Sen 1968). */
export function medianSlope(values: readonly number[]): number {
  const slopes = values.flatMap((a, i) => values.slice(i + 1).map((b, k) => (b - a) / (k + 1))).sort((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}
