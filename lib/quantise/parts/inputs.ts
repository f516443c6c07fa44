/** Networks whose layers round what comes in, as their codes say. */
import { disposeTree, paths, random, scoped, type Tree, tf, unflatten } from "../../engine/index.ts";
import { largestCode, quantisedInput } from "../../models/adapters/quantised-input.ts";
import type { Params } from "../../models/model.ts";
import { type KernelLayer, type Matrix, rangesOf } from "../../models/parts/kernel-layers.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { type Codes, type Grid, rounded } from "./codes.ts";

/** The scale of a range in so many bits, symmetrically. */
export const inputScale = (range: number, bits: number): number =>
  Math.fround(Math.max(range, 1e-8) / largestCode(bits));

/** Channels' multipliers for all inputs of a layer, window place after window place. */
export const perInput = (channels: Float32Array, { inputs }: Pick<KernelLayer, "inputs">): Float32Array =>
  Float32Array.from({ length: inputs }, (_, i) => channels[i % channels.length]!);

/** The codes of a layer of which each channel that comes in is divided by a number and its part of the kernel multiplied. */
export function equalised(layer: KernelLayer, channels: Float32Array, grid: Grid): Codes {
  const by = perInput(channels, layer);
  const raised = layer.kernel.map((w, at) => w * by[Math.floor(at / layer.units)]!);
  const { inputs, units } = layer;
  return { ...rounded(raised, { inputs, units }, grid), by };
}

/** What comes into a layer on examples: the largest size of each channel, and of all. */
export function seenRanges(layer: KernelLayer): { readonly channels: Matrix; readonly all: number } {
  const channels = rangesOf(layer.rows(), layer.inputs, layer.channels);
  return { channels, all: channels.reduce((a, b) => Math.max(a, b), 0) };
}

/** A network with these weights, whose layers round what comes in where their codes say so. */
export function withRoundedInputs(
  rule: string,
  before: TrainedNetwork,
  weights: TrainedNetwork["weights"],
  codes: ReadonlyMap<string, Codes>,
): TrainedNetwork {
  const rounding = [...codes].flatMap(([path, { input, by, units }]) => (input ? [{ path, input, by, units }] : []));
  const [first] = rounding;
  if (first === undefined) return before.with({ weights });
  const outside = rounding.find(({ path }) => !path.startsWith("model/"));
  if (outside !== undefined)
    throw new TypeError(
      `quantise.${rule}: layers of the model are required, got ${outside.path}; leave it out of the filter`,
    );
  const on = rounding.map(({ path }) => path.replace(/^model\//, ""));
  const name = "quantisedInput";
  const model = before.model.adapt(quantisedInput({ bits: first.input.bits, on, train: "all" }));
  const node = `adapters/${(model.adapters ?? []).at(-1)?.name ?? name}`;
  const had = new Map(paths(weights as unknown as Tree));
  const found = new Map(rounding.map((each) => [each.path, each]));
  const numbersAt = (path: string, { shape }: tf.Tensor): tf.Tensor => {
    const [layer, own] = path.split(`/${node}/`) as [string, string];
    const { input, by } = found.get(`model/${layer}`)!;
    if (own === "scale") return tf.scalar(input.scale);
    return by === undefined ? tf.ones(shape) : tf.tensor(by.slice(0, shape[0]), shape);
  };
  const made = scoped(() => {
    const fresh = model.init(random(0), before.input);
    const all = paths(fresh as Tree).map(([path, t]) => had.get(`model/${path}`)?.clone() ?? numbersAt(path, t));
    return unflatten(fresh, all) as never;
  }) as unknown as Params;
  const next = before.with({ model, weights: { ...weights, model: made } });
  disposeTree(made as Tree);
  return next;
}
