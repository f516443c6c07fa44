/** Seeds side by side in this process: their training steps and evaluations run as one program, with an axis over the seeds. */
import { engine } from "../engine/index.ts";
import { meeting } from "../train/meeting.ts";
import type { RunSpec } from "../train/spec.ts";
import { atOnce, type Executor, eventsOf } from "./cells.ts";

/**
 * Trains cells of one experiment at once. What each does between its programs, as drawing from buffers, it does by itself, with its own
 * seed and its own record; the numbers are those of separate runs to rounding.
 */
export const together: Executor = (cells, watch, signal) => {
  const place = meeting();
  return atOnce(
    cells.map((cell, index) => async (both) => {
      watch.begin(index);
      for await (const event of eventsOf(cell, both, place)) watch.event(index, event);
    }),
    signal,
  );
};

/** Throws unless seeds of an experiment can be trained together, and says why. */
export function requireTogether({ strategies }: RunSpec): void {
  const closed = strategies.find(({ hooks }) => hooks.learn !== undefined);
  if (closed !== undefined)
    throw new TypeError(
      `run: strategies that learn by gradient steps are required for seeds together, got "${closed.spec.name}", which learns in closed form; leave together out`,
    );
  const { device } = engine;
  if (!["cpu", "cpu-capi", "webgpu", "cuda"].includes(device))
    throw new Error(
      `run: a device that compiles programs is required for seeds together (cpu, webgpu or cuda), got "${device}"; leave together out`,
    );
}
