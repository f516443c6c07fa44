/** What a run has cost so far besides time, as events: arithmetic, and the memory that it holds. */
import { tf } from "../../engine/index.ts";
import type { Buffer } from "../../strategies/parts/buffer.ts";
import type { Probed } from "../events.ts";
import type { States } from "../held.ts";
import type { Learner } from "../step.ts";
import { bytesOf } from "./budget.ts";

/**
 * The costs of a run at a place: `flops`, the floating-point operations of training so far; `stateBytes`, the tensors of the network,
 * its optimizer and its strategies; `bufferBytes`, the arrays that strategies keep besides tensors, examples foremost; `kept`, how many
 * examples of each class (by its name) their memories hold.
 */
export function costs(
  { step, experience }: Pick<Probed, "step" | "experience">,
  flops: number,
  learner: Learner,
  states: States,
  names: readonly string[] = [],
): Probed[] {
  const held = Object.values(states);
  const stateBytes = bytesOf(learner) + bytesOf(held.map(({ tensors }) => tensors ?? null));
  const bufferBytes = bytesOf(held.map(({ tensors: _, ...plain }) => plain));
  const measured = { ...(flops > 0 ? { flops } : {}), stateBytes, bufferBytes };
  const at = { type: "probed", step, experience, on: null } as const;
  return [
    ...Object.entries(measured).map(([name, value]) => ({ ...at, name, layer: null, value })),
    ...[...kept(Object.values(states))]
      .sort(([a], [b]) => a - b)
      .map(([label, value]) => ({
        ...at,
        name: "kept",
        layer: names[label] ?? `class ${label}`,
        value,
      })),
  ];
}

/** How many examples of each class the memories in some states hold. */
function kept(data: unknown, found = new Map<number, number>()): Map<number, number> {
  if (data === null || typeof data !== "object" || ArrayBuffer.isView(data) || data instanceof tf.Tensor) return found;
  if (isBuffer(data)) {
    for (const label of data.labels.subarray(0, data.size))
      if (label >= 0) found.set(label, (found.get(label) ?? 0) + 1);
    return found;
  }
  for (const part of data instanceof Map || data instanceof Set ? data.values() : Object.values(data))
    kept(part, found);
  return found;
}

function isBuffer(data: object): data is Pick<Buffer, "labels" | "size" | "capacity"> {
  const { labels, size, capacity } = data as Partial<Buffer>;
  return labels instanceof Int32Array && typeof size === "number" && typeof capacity === "number";
}
