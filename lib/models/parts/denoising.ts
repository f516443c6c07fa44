/** Steps from noise to examples with a trained denoiser. */
import { type Compiled, jit, tf } from "../../engine/index.ts";
import { type ModelParts, type Params, tape } from "../model.ts";
import type { Weights } from "../network.ts";
import { lessNoisy, startOf } from "../noise-schedule.ts";
import type { TrainedNetwork } from "../trained.ts";
import { type Noising, noisingOf, told } from "./conditioned.ts";

/** What examples are asked for. */
export interface Asked {
  /** The class of each, `classes` standing for none. */
  readonly label: Int32Array;
  /** The steps of the schedule that are gone through, ascending. */
  readonly times: readonly number[];
  readonly eta: number;
  readonly guidance: number;
  readonly clip: boolean;
  /** What is known of the clean pictures, for a denoiser with `coarse`. */
  readonly coarse?: tf.Tensor | undefined;
}

/** *Traced.* What a denoiser says of noisy examples at steps `[n]` with labels `[n]`, in their shape: their noise, or where they come from. */
export function saidOf(
  model: ModelParts,
  { model: own }: Pick<Weights, "model">,
  statistics: Params,
  x: tf.Tensor,
  step: tf.Tensor,
  label: tf.Tensor | null,
  coarse?: tf.Tensor,
): tf.Tensor {
  const beside = { ...told(noisingOf(model)!, step, label), ...(coarse && { coarse }) };
  const { mode } = tape(false, null, statistics, { beside });
  return tf.reshape(model.apply(own, x, mode), x.shape);
}

type Stepping = Compiled<
  [
    Weights,
    Params,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    readonly tf.Tensor[],
    { readonly guided: boolean; readonly clip: boolean },
  ],
  tf.Tensor
>;

/** The compiled step of each model: networks of one model share it. */
const compiled = new WeakMap<ModelParts, Stepping>();

function stepOf(model: ModelParts): Stepping {
  const known = compiled.get(model);
  if (known !== undefined) return known;
  const { classes, predicts } = noisingOf(model)!;
  const made: Stepping = jit(
    (weights, statistics, x, fresh, label, given, [coarse], { guided, clip }) => {
      const n = x.shape[0]!;
      const [step, kept, before, eta, guidance] = tf.unstack(given) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const found = (rows: tf.Tensor, labels: tf.Tensor, known: tf.Tensor | undefined): tf.Tensor =>
        saidOf(model, weights, statistics, rows, tf.mul(tf.ones([rows.shape[0]!]), step), labels, known);
      let said: tf.Tensor;
      if (guided) {
        const labels = tf.concat([label, tf.fill([n], classes, "int32")]);
        const both = found(tf.concat([x, x]), labels, coarse && tf.concat([coarse, coarse]));
        const [named, free] = tf.split(both, 2) as [tf.Tensor, tf.Tensor];
        said = tf.add(free, tf.mul(guidance, tf.sub(named, free)));
      } else said = found(x, label, coarse);
      const guess = predicts === "start" ? said : startOf(x, said, kept);
      return lessNoisy(x, clip ? tf.clipByValue(guess, -1, 1) : guess, kept, before, eta, fresh);
    },
    { name: "sample" },
  );
  compiled.set(model, made);
  return made;
}

/** Centred examples after one step: from `times[at]` to the one before. What is given stays the caller's. */
export function denoiseStep(
  network: TrainedNetwork,
  { schedule: { kept } }: Noising,
  x: tf.Tensor,
  fresh: tf.Tensor,
  asked: Asked,
  at: number,
): tf.Tensor {
  const { times, eta, guidance, clip, coarse } = asked;
  const before = at === 0 ? 1 : kept[times[at - 1]!]!;
  const label = tf.tensor1d(asked.label, "int32");
  const given = tf.tensor1d([times[at]!, kept[times[at]!]!, before, eta, guidance]);
  const how = { guided: guidance !== 1, clip };
  const known = coarse === undefined ? [] : [coarse];
  const next = stepOf(network.model)(network.weights, network.statistics, x, fresh, label, given, known, how);
  tf.dispose([label, given]);
  return next;
}

/** So many steps of a schedule, evenly spaced, the last among them, ascending. */
export function spaced(all: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => Math.round(((i + 1) * all) / steps) - 1);
}

/** Centred numbers in a denoiser's range again, in place. */
export function uncentred(numbers: Float32Array, { range: [low, high] }: Noising, clip: boolean): Float32Array {
  for (let i = 0; i < numbers.length; i++) {
    const share = (numbers[i]! + 1) / 2;
    numbers[i] = low + (high - low) * (clip ? Math.min(1, Math.max(0, share)) : share);
  }
  return numbers;
}
