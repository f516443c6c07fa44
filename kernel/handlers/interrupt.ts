import type { Handler } from "../context.ts";

export const interrupt: Handler = ({ evaluator, debug }) => {
  // One that stands at a breakpoint goes on first: only then can it stop.
  if (debug.paused) debug.resume();
  evaluator.interrupt();
  return { status: "ok" };
};
