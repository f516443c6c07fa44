/** What a run has cost so far besides time, as events: arithmetic, and the memory that it holds. */
import type { Probed } from "../events.ts";
import type { States } from "../held.ts";
import type { Learner } from "../step.ts";
import { bytesOf } from "./budget.ts";

/**
 * The costs of a run at a place: `flops`, the floating-point operations of training so far; `stateBytes`, the tensors of the network,
 * its optimizer and its strategies; `bufferBytes`, the arrays that strategies keep besides tensors, examples foremost.
 */
export function costs(
  { step, experience }: Pick<Probed, "step" | "experience">,
  flops: number,
  learner: Learner,
  states: States,
): Probed[] {
  const held = Object.values(states);
  const stateBytes = bytesOf(learner) + bytesOf(held.map(({ tensors }) => tensors ?? null));
  const bufferBytes = bytesOf(held.map(({ tensors: _, ...plain }) => plain));
  const measured = { ...(flops > 0 ? { flops } : {}), stateBytes, bufferBytes };
  return Object.entries(measured).map(([name, value]) => {
    return { type: "probed", step, experience, name, layer: null, on: null, value };
  });
}
