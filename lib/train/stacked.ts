/** Batches of one form, put together so that many steps run at once. */
import type { Shape } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { Batch, HostTensor } from "../strategies/strategy.ts";
import type { Inputs } from "./step.ts";

/** A run of batches of one form and their inputs, each with a leading axis over the batches. */
export interface Group {
  readonly batches: readonly Batch[];
  readonly inputs: Inputs;
}

/**
 * Puts neighbouring batches of one form together: all of them when there are `whole`, else one by one, so that programs for only two
 * lengths are compiled. With `tasks`, the task of each row is an input too.
 */
export function stacked(
  batches: readonly Batch[],
  rates: readonly number[],
  mask: (tasks: Int32Array) => HostTensor | null,
  shape: Shape,
  whole: number,
  tasks: boolean,
): Group[] {
  const forms = batches.map(form);
  const together = batches.length === whole && forms.every((f) => f === forms[0]);
  const groups = together ? [batches.map((_, i) => i)] : batches.map((_, i) => [i]);
  return groups.map((at) => {
    const members = at.map((i) => batches[i]!);
    const k = members.length;
    const n = members[0]!.y.length;
    const rows = (pick: (b: Batch) => Float32Array): Float32Array => appended(members.map(pick));
    const masks = members.map((b) => mask(b.task));
    const extra: Record<string, Record<string, tf.Tensor>> = {};
    for (const [name, parts] of Object.entries(members[0]!.extra)) {
      extra[name] = Object.fromEntries(
        Object.keys(parts).map((key) => [key, stack(members.map((b) => b.extra[name]![key]!))]),
      );
    }
    const inputs: Inputs = {
      x: tf.tensor(
        rows((b) => b.x),
        [k, n, ...shape],
      ),
      y: stack(members.map((b) => ({ data: b.y, shape: [n] }))),
      ...(members[0]!.targets === null
        ? {}
        : { targets: stack(members.map((b) => ({ data: b.targets!, shape: [n, b.targets!.length / n] }))) }),
      rate: tf.tensor1d(at.map((i) => rates[i]!)),
      ...(tasks ? { task: stack(members.map((b) => ({ data: b.task, shape: [n] }))) } : {}),
      ...(masks[0] === null || masks[0] === undefined ? {} : { mask: stack(masks as HostTensor[]) }),
      ...(members[0]!.weight === null
        ? {}
        : {
            weight: tf.tensor(
              rows((b) => b.weight!),
              [k, n],
            ),
          }),
      extra,
    };
    return { batches: members, inputs };
  });
}

/** What must agree for two batches to run in one program. */
function form({ y, current, rows, weight, extra }: Batch): string {
  const parts = Object.entries(extra).map(
    ([name, tensors]) => `${name}:${Object.entries(tensors).map(([key, t]) => `${key}[${t.shape}]`)}`,
  );
  return `${y.length},${current},${JSON.stringify(rows)},${weight === null},${parts}`;
}

function appended(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function stack(parts: readonly HostTensor[]): tf.Tensor {
  const [{ data, shape }] = parts as [HostTensor];
  const size = data.length;
  const whole =
    data instanceof Int32Array ? new Int32Array(size * parts.length) : new Float32Array(size * parts.length);
  parts.forEach((part, i) => {
    whole.set(part.data, i * size);
  });
  return tf.tensor(whole, [parts.length, ...shape], data instanceof Int32Array ? "int32" : "float32");
}
