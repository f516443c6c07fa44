/** The events of the steps that a program has taken. */
import type { tf } from "../engine/index.ts";
import type { Batch } from "../strategies/strategy.ts";
import type { Stepped } from "./events.ts";

/** Where the first of the steps is. */
interface From {
  readonly step: number;
  readonly local: number;
  readonly experience: number;
  readonly perEpoch: number;
}

/** The batches of the steps, and the column that the learner decided for in each of their rows before the update. */
interface Before {
  readonly batches: readonly Batch[];
  readonly chosen: ArrayLike<number>;
}

/** Numbers of the steps, one after the other, by strategy. */
type PerStep = Readonly<Record<string, ArrayLike<number>>>;

/** Tensors as numbers, by name. */
export const onHost = (tensors: Readonly<Record<string, tf.Tensor>>): PerStep =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync()]));

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
  from: From,
  before?: Before,
  culprit: (k: number) => string = () => "",
  projected: PerStep = {},
): Stepped[] {
  const count = terms.length / names.length;
  return Array.from({ length: count }, (_, k) => {
    const values = names.map((name, i) => [name, terms[k * names.length + i]! + 0] as const); // + 0: no −0, which JSON does not know
    const loss = values.reduce((sum, [, value]) => sum + value, 0);
    const epoch = Math.floor((from.local + k) / from.perEpoch);
    if (!Number.isFinite(loss)) {
      const term = values.find(([, value]) => !Number.isFinite(value))?.[0] ?? "their sum";
      throw new RangeError(
        `fit: ${divergence}, got ${loss} at step ${from.step + k + 1} (experience ${from.experience}, epoch ${epoch}, term "${term}")${culprit(k)}; lower the learning rate or the strength of that term`,
      );
    }
    return {
      type: "step",
      step: from.step + k + 1,
      experience: from.experience,
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

/** How many of the stream's own rows of a batch have a label, and the share of them that was classified right. */
function classified({ batches, chosen }: Before, k: number): Pick<Stepped, "examples" | "accuracy"> {
  const { y, current } = batches[k]!;
  let [examples, right] = [0, 0];
  for (let i = 0; i < current; i++) {
    if (y[i]! >= 0) examples++;
    if (y[i] === chosen[k * y.length + i]) right++;
  }
  return examples === 0 ? {} : { examples, accuracy: right / examples };
}
