/** What a denoiser is told beside the picture, and where its layers find it. */
import type { Shape } from "../../data/dataset.ts";
import { tf } from "../../engine/index.ts";
import type { Layer } from "../layer.ts";
import type { ModelParts, Remembered } from "../model.ts";
import { type NoiseOptions, type NoiseSchedule, noiseSchedule } from "../noise-schedule.ts";
import { meansOf } from "./coarsened.ts";

/** Options of `conditions`. */
export interface ConditionsOptions extends NoiseOptions {
  /** How many classes it may be told; 0: none. Default 0. */
  readonly classes?: number;
  /** What the network says of a noisy example: its noise, or the example that it comes from, which is also well told where all is noise. Default "noise". */
  readonly predicts?: "noise" | "start";
  /** From where to where the numbers of examples go, which the noise is for from −1 to 1. Default [0, 1]. */
  readonly range?: readonly [low: number, high: number];
}

/** What `conditions` remembers for layers after it: `[n, width]` of time alone and of time and class, and what came in. */
export const conditionNames = { time: "(time)", condition: "(condition)", picture: "(picture)" } as const;

/** What `conditions` has remembered. */
export function conditionIn<T>(
  where: string,
  name: keyof typeof conditionNames,
  remembered: Remembered<T> | undefined,
): T {
  const found = remembered?.get(conditionNames[name]);
  if (found !== undefined) return found;
  throw new RangeError(`${where}: what it depends on is required, got none; put conditions(width) before it`);
}

/** The noise that a denoiser takes away. */
export interface Noising {
  readonly schedule: NoiseSchedule;
  readonly classes: number;
  readonly predicts: "noise" | "start";
  readonly range: readonly [low: number, high: number];
  /** The side of the squares whose means it is told of the clean picture; 0: none. */
  readonly side: number;
}

/** The noise that a model takes away; undefined where it is no denoiser: its chain has no `conditions`. */
export function noisingOf(model: Pick<ModelParts, "stack">): Noising | undefined {
  const all = layersOf(model);
  const found = all.find(({ name }) => name === "conditions");
  if (found === undefined) return undefined;
  const beside = all.find(({ name }) => name === "coarse")?.options as { readonly side: number } | undefined;
  const { steps, schedule, ...rest } = found.options as unknown as Required<ConditionsOptions>;
  return { ...rest, schedule: noiseSchedule({ steps, schedule }), side: beside?.side ?? 0 };
}

/** Throws unless a model is a denoiser of examples: has `conditions`, and gives as many numbers as it takes. */
export function requireDenoiser(where: string, model: ModelParts, input: Shape): Noising {
  const noising = noisingOf(model);
  const [taken, given] = [input, model.features(input)].map((shape) => shape.reduce((a, b) => a * b, 1));
  if (noising !== undefined && taken === given) return noising;
  throw new TypeError(
    noising === undefined
      ? `${where}: a denoiser is required, got ${model.spec.name}; learn dit(), or a net() that begins with conditions(width)`
      : `${where}: a denoiser that gives as many numbers as it takes is required, got ${given} for ${taken}; end it with dense(${taken})`,
  );
}

/** *Traced.* What a denoiser is told of examples at steps `[n]` of its schedule with labels `[n]`, `classes` standing for none: of 1000, whatever the steps. */
export function told(
  { schedule, classes }: Noising,
  step: tf.Tensor,
  label: tf.Tensor | null,
): { [name: string]: tf.Tensor } {
  const time = tf.mul(step, 1000 / schedule.steps);
  return classes === 0 || label === null ? { time } : { time, label };
}

/** *Traced.* What a denoiser is told of the clean pictures themselves, centred: the means of their squares, where it has `coarse`. */
export function toldOf({ side }: Noising, start: tf.Tensor): { [name: string]: tf.Tensor } {
  return side === 0 ? {} : { coarse: meansOf(start, side) };
}

/** *Traced.* Examples in the range that noise is for, and back. */
export function centred(x: tf.Tensor, { range: [low, high] }: Noising): tf.Tensor {
  return low === -1 && high === 1 ? x : tf.sub(tf.mul(tf.sub(x, low), 2 / (high - low)), 1);
}

/** *Traced.* `[n]` shares of variance that are left at steps `[n]`, with as many axes as examples have. */
export function keptAt({ schedule }: Noising, step: tf.Tensor, rank: number): tf.Tensor {
  const kept = tf.gather(tf.tensor1d([...schedule.kept]), tf.cast(step, "int32"));
  return tf.reshape(kept, [step.shape[0]!, ...new Array<number>(rank - 1).fill(1)]);
}

/** *Traced.* The noise in noisy examples, from what a denoiser says of them. */
export function noiseOf({ predicts }: Noising, said: tf.Tensor, noisy: tf.Tensor, kept: tf.Tensor): tf.Tensor {
  return predicts === "noise" ? said : tf.div(tf.sub(noisy, tf.mul(tf.sqrt(kept), said)), tf.sqrt(tf.sub(1, kept)));
}

/** The layers of a chain and of the chains within it. */
export function layersOf({ stack = [] }: Pick<ModelParts, "stack">): Layer[] {
  return stack.flatMap((layer) => [layer, ...(layer.parts ?? []).flatMap(({ model }) => layersOf(model))]);
}
