/** Batches of one form, put together so that many steps run at once. */
import type { Shape } from "../data/dataset.ts";
import { tf } from "../engine/index.ts";
import type { Moment } from "../optim/optimizer.ts";
import type { Batch, HostTensor } from "../strategies/strategy.ts";
import type { Resolution } from "./parts/resolution.ts";
import type { Hears, Inputs } from "./step.ts";

/** A batch that passes through the network at once: a whole update, or a part of one. */
export interface StepPass {
  readonly batch: Batch;
  readonly rate: number;
  /** Where its update is, and which part of it it is. */
  readonly moment: Required<Moment>;
  readonly part: number;
  /** The share of the update's rows that it has, and whether it is the last part. */
  readonly share: number;
  readonly last: boolean;
  readonly hears?: Hears | undefined;
  readonly resolution?: Resolution | undefined;
}

/** Passes of one form and their inputs, each with a leading axis over the passes. */
export interface Group {
  readonly passes: readonly StepPass[];
  readonly inputs: Inputs;
}

/**
 * Puts neighbouring passes of one form together: `whole` at a time, those that are left over one by one, so that programs for only two
 * lengths are compiled. Each is made when it is asked for. With `tasks`, the task of each row is an input too; with `gathering`, its share of the
 * update; with `known`, what the frozen beginning of the network gives for it.
 */
export function* stacked(
  passes: readonly StepPass[],
  mask: (tasks: Int32Array) => HostTensor | null,
  shape: Shape,
  whole: number,
  tasks: boolean,
  gathering: boolean,
  known: { readonly shape: Shape; rows(x: Float32Array): Float32Array } | null = null,
): Generator<Group> {
  const forms = passes.map(form);
  const groups: (readonly StepPass[])[] = [];
  for (let from = 0; from < passes.length; from += whole) {
    const block = passes.slice(from, from + whole);
    const together = block.length === whole && block.every((_, i) => forms[from + i] === forms[from]);
    groups.push(...(together ? [block] : block.map((pass) => [pass])));
  }
  for (const group of groups) {
    const members = group.map(({ batch }) => batch);
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
      rate: tf.tensor1d(group.map(({ rate }) => rate)),
      ...(gathering && {
        share: tf.tensor1d(group.map(({ share }) => share)),
        last: tf.tensor1d(group.map(({ last }) => (last ? 1 : 0))),
      }),
      ...(known !== null &&
        group.every(({ resolution }) => resolution === undefined) && {
          known: tf.tensor(known.rows(rows((b) => b.x)), [k, n, ...known.shape]),
        }),
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
    yield { passes: group, inputs };
  }
}

/** What must agree for two passes to run in one program. */
function form({ batch: { y, current, rows, weight, extra }, hears, resolution }: StepPass): string {
  const parts = Object.entries(extra).map(
    ([name, tensors]) => `${name}:${Object.entries(tensors).map(([key, t]) => `${key}[${t.shape}]`)}`,
  );
  const size = resolution === undefined ? "" : `${resolution.rows.to}x${resolution.columns.to}`;
  return `${y.length},${current},${JSON.stringify(rows)},${weight === null},${parts},${hears?.norm},${hears?.losses},${size}`;
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
