/** Logs that agree to rounding. */
import type { TrainEvent } from "thalweg";
import { expect } from "vitest";

/** How far numbers of one log are from those of another, at most, by the size of the larger; Infinity where anything else differs. */
export function apart(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b));
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object")
    return Object.is(a, b) ? 0 : Number.POSITIVE_INFINITY;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return Math.max(0, ...keys.map((key) => apart((a as never)[key], (b as never)[key])));
}

/** Expects the same events, as the run's device is called, with numbers that differ by rounding only. */
export function sameButRounding(got: readonly TrainEvent[], want: readonly TrainEvent[], by = 1e-3): void {
  const plain = (events: readonly TrainEvent[]) =>
    events
      .map((event) => (event.type === "started" ? { ...event, device: "" } : event))
      .filter(({ type }) => type !== "finished");
  const [a, b] = [plain(got), plain(want)];
  expect(a.map(({ type, step }) => `${type} ${step}`)).toEqual(b.map(({ type, step }) => `${type} ${step}`));
  for (const [i, event] of a.entries()) expect(apart(event, b[i]), JSON.stringify([event, b[i]])).toBeLessThan(by);
}
