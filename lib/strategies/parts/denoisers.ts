/** Denoisers that others learn from: what they say is below noise, and what a student of theirs must be. */
import { cloneTree, type tf } from "../../engine/index.ts";
import type { ModelParts, Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import { startOf } from "../../models/noise-schedule.ts";
import { type Noising, noisingOf, requireDenoiser } from "../../models/parts/conditioned.ts";
import { saidOf } from "../../models/parts/denoising.ts";
import { numbersOf } from "../../models/parts/entry.ts";
import { tensorTree } from "../../models/parts/host.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import type { Context } from "../strategy.ts";

/** The tensors of a denoiser as it was. A type, not an interface, so that it is a tree of tensors. */
export type Denoiser = { readonly model: Params; readonly statistics: Params };

/** A denoiser that teaches another, for as many runs as there are: the network that was given may be freed. */
export interface DenoisingTeacher {
  /** Its model and noise, where the network's own are given: these, where no teacher was. */
  of(own: ModelParts): { readonly model: ModelParts; readonly noising: Noising };
  /** Its tensors, made anew; throws where the network cannot be its student. */
  tensors(context: Context, labels: readonly number[]): Denoiser;
}

/** A trained denoiser as a teacher; null stands for the network itself as the run begins. */
export function denoisingTeacher(where: string, teacher: TrainedNetwork | null): DenoisingTeacher {
  const numbers = teacher === null ? null : numbersOf(teacher).numbers;
  if (teacher !== null) requireDenoiser(where, teacher.model, teacher.input);
  const input = teacher?.input;
  const of = (own: ModelParts) => {
    const model = teacher?.model ?? own;
    return { model, noising: noisingOf(model)! };
  };
  return {
    of,
    tensors({ network, weights, statistics }, labels) {
      const [own, { noising }] = [noisingOf(network.model)!, of(network.model)];
      if (input !== undefined && String(input) !== String(network.input))
        throw new RangeError(
          `${where}: a teacher for examples of shape [${network.input}] is required, got one for [${input}]`,
        );
      if (String(own.range) !== String(noising.range))
        throw new RangeError(`${where}: a teacher of the range [${own.range}] is required, got [${noising.range}]`);
      const told = Math.min(own.classes, noising.classes);
      const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= told);
      if (wrong !== undefined)
        throw new RangeError(
          `${where}: labels below the ${told} classes that student and teacher are told are required, got ${wrong}`,
        );
      if (numbers === null) return cloneTree({ model: weights.model, statistics } as Denoiser);
      const made = tensorTree<{ readonly weights: Weights; readonly statistics?: Params }>({
        weights: { model: (numbers.weights as never as { model: never }).model },
        ...(numbers.statistics !== undefined && { statistics: numbers.statistics }),
      });
      return { model: made.weights.model, statistics: made.statistics ?? {} };
    },
  };
}

/** *Traced.* The examples that a denoiser says are below noise at steps `[n]`, of classes `[n]`; `kept` is what is left of them. */
export function startsOf(
  { model, noising }: ReturnType<DenoisingTeacher["of"]>,
  own: Denoiser,
  noisy: tf.Tensor,
  { time, label, kept }: { readonly time: tf.Tensor; readonly label: tf.Tensor; readonly kept: tf.Tensor },
): tf.Tensor {
  const said = saidOf(model, { model: own.model }, own.statistics, noisy, time, label);
  return noising.predicts === "start" ? said : startOf(noisy, said, kept);
}
