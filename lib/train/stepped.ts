/** The events of the steps that a program has taken. */
import type { tf } from "../engine/index.ts";
import type { Batch } from "../strategies/strategy.ts";
import type { Stepped } from "./events.ts";

/** Where a step is: how many it makes in the run, and the pass over its experience. */
export interface StepAt {
  readonly step: number;
  readonly epoch: number;
  readonly experience: number;
}

/** The batches of the steps, and the column that the learner decided for in each of their rows before the update. */
interface Before {
  readonly batches: readonly Batch[];
  readonly chosen: ArrayLike<number>;
}

/** Numbers of the steps, one after the other, by strategy. */
type PerStep = Readonly<Record<string, Float32Array>>;

/** Tensors as numbers, by name. */
export const onHost = (tensors: Readonly<Record<string, tf.Tensor>>): PerStep =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]));

/** Whether an error says that a loss was not finite, also when it comes from another process: the one failure that settings bring about. */
export function isDivergence(error: unknown): error is Error {
  return error instanceof Error && error.message.includes(divergence);
}

const divergence = "a finite loss is required";

/**
 * One event per step from the terms of the loss, step after step; with the accuracy before the update where it is known.
 * `culprit` says, after "; ", what made the loss of the k-th of the steps not finite.
 *
 * @throws RangeError that names the step, the term and the tensor when a loss is not finite.
 */
export function stepEvents(
  names: readonly string[],
  terms: ArrayLike<number>,
  at: readonly StepAt[],
  before?: Before,
  culprit: (k: number) => string = () => "",
  projected: PerStep = {},
): Stepped[] {
  const count = terms.length / names.length;
  return Array.from({ length: count }, (_, k) => {
    const values = names.map((name, i) => [name, terms[k * names.length + i]! + 0] as const); // + 0: no −0, which JSON does not know
    const loss = values.reduce((sum, [, value]) => sum + value, 0);
    const { step, epoch, experience } = at[k]!;
    if (!Number.isFinite(loss)) {
      const term = values.find(([, value]) => !Number.isFinite(value))?.[0] ?? "their sum";
      throw new RangeError(
        `fit: ${divergence}, got ${loss} at step ${step} (experience ${experience}, epoch ${epoch}, term "${term}")${culprit(k)}; lower the learning rate or the strength of that term`,
      );
    }
    return {
      type: "step",
      step,
      experience,
      epoch,
      loss,
      terms: Object.fromEntries(values),
      ...(Object.keys(projected).length > 0 && {
        projected: Object.fromEntries(Object.entries(projected).map(([name, shares]) => [name, shares[k]!])),
      }),
      ...(before === undefined ? {} : classified(before, k)),
    };
  });
}

/** The events of the passes of one update as the event of the update: means over its rows, of which each pass has a share. */
export function gatheredEvent(events: readonly Stepped[], shares: readonly number[]): Stepped {
  if (events.length === 1) return events[0]!;
  const mean = (pick: (event: Stepped) => number): number =>
    events.reduce((sum, event, i) => sum + shares[i]! * pick(event), 0);
  const examples = events.reduce((sum, event) => sum + (event.examples ?? 0), 0);
  const right = events.reduce((sum, event) => sum + (event.accuracy ?? 0) * (event.examples ?? 0), 0);
  return {
    ...events.at(-1)!,
    loss: mean(({ loss }) => loss),
    terms: Object.fromEntries(
      Object.keys(events[0]!.terms).map((name) => [name, mean(({ terms }) => terms[name]!)] as const),
    ),
    ...(examples > 0 && { examples, accuracy: right / examples }),
  };
}

/** How many of the stream's own rows of a batch have a label, and the share of them that was classified right. */
function classified({ batches, chosen }: Before, k: number): Pick<Stepped, "examples" | "accuracy"> {
  const { y, current, views = 1 } = batches[k]!;
  let [examples, right] = [0, 0];
  for (let i = 0; i < current / views; i++) {
    if (y[i]! >= 0) examples++;
    if (y[i] === chosen[k * y.length + i]) right++;
  }
  return examples === 0 ? {} : { examples, accuracy: right / examples };
}
