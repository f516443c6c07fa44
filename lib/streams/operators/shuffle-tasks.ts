/** Puts the experiences in a random order. */
import { operator } from "../operator.ts";
import { orderOf } from "../parts/order.ts";
import { picked } from "../parts/picked.ts";
import type { Seed } from "../stream.ts";

/**
 * Puts the experiences in an order drawn by a seed ("run" for the run's own). Tasks are numbered anew, as they are met; columns stay.
 *
 * @example
 * ```ts
 * import { digits, operators, rotated } from "thalweg";
 * operators.shuffleTasks(1)(rotated(digits(), [0, 30, 60])).length; // 3
 * ```
 */
export const shuffleTasks = operator("shuffleTasks", (seed: Seed) => (stream) => {
  if (stream.length === Infinity) throw new RangeError("shuffleTasks: a stream that ends is required; slice it first");
  const names = Array.from({ length: stream.length }, (_, i) => String(i));
  return picked(stream, orderOf("shuffleTasks", seed, names));
});
