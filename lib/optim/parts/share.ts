/** How far an experience is. */
import type { Moment } from "../optimizer.ts";

/**
 * The share of an experience that is done, from 0 to 1: of its examples over all passes where that is known, which does not change with the
 * batch size; else of its steps.
 */
export function shareDone({ step, steps, seen, examples, epochs }: Moment): number {
  if (seen !== undefined && examples !== undefined && epochs !== undefined && examples * epochs > 0)
    return Math.min(1, seen / (examples * epochs));
  return Math.min(1, step / Math.max(1, steps));
}
