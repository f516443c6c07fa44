/** A chain of layers cut in two: what leaves the first part can be kept, and put back in its place. */
import { type Examples, gather, type Shape, sizeOf } from "../../data/dataset.ts";
import { disposeTree, jit, tf } from "../../engine/index.ts";
import { type Params, tape, type Within } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import type { Context } from "../strategy.ts";

/** The layers of the first part by the names of their tensors; what the last of them gives is the latent of an example. */
export type Cut = readonly string[];

/** The cut behind the `layers`-th layer with weights and those without that follow it. */
export function cutAfter(layers: number, { model }: Pick<Network, "model">, weights: Weights): Cut {
  const { names = [] } = model;
  const at = names.flatMap((name, i) => (weights.model[name] === undefined ? [] : [i]));
  return names.slice(0, at[layers] ?? names.length);
}

/** Throws TypeError where the model is not layers in a row, RangeError where it has fewer with weights than are to come before the cut. */
export function requireCut(where: string, layers: number, { network, weights }: Context): void {
  const { stack, names = [], spec } = network.model;
  if (stack === undefined)
    throw new TypeError(
      `${where}: a model of layers in a row is required, got ${spec.name}; use mlp(), cnn() or net()`,
    );
  const count = names.filter((name) => weights.model[name] !== undefined).length;
  if (layers > count)
    throw new RangeError(`${where}: "layers" of at most the ${count} with weights is required, got ${layers}`);
}

/** *Traced.* What the first part gives, `[n, …shape]`, in evaluation mode. */
export function latentsIn(names: Cut, network: Network, weights: Weights, statistics: Params, x: tf.Tensor): tf.Tensor {
  let latents = x;
  const around: Within["around"] = (path, given, run) => {
    const y = run(given);
    if (isAt(path, names)) latents = y;
    return y;
  };
  network.features(weights, x, tape(false, null, statistics, { around }).mode);
  return latents;
}

/** *Traced.* A pass in which the latents are what a function makes of them. */
export function changedAt(names: Cut, change: (latents: tf.Tensor) => tf.Tensor): Pick<Within, "around"> {
  return { around: (path, x, run) => (isAt(path, names) ? change(run(x)) : run(x)) };
}

/** *Traced.* A pass of as many rows as there are latents that begins with these: the first part is left out. */
export function begunAt(names: Cut, latents: tf.Tensor): Pick<Within, "around"> {
  const first = new Set(names);
  return {
    around(path, x, run) {
      if (isAt(path, names)) return latents;
      return path.length === 2 && first.has(path[1]!) ? x : run(x);
    },
  };
}

/** The tensors of the first part as they were before, the others as they are. */
export function heldBefore(names: Cut, before: Weights, after: Weights): Weights {
  const own = names.filter((name) => before.model[name] !== undefined);
  return { ...after, model: { ...after.model, ...Object.fromEntries(own.map((name) => [name, before.model[name]!])) } };
}

function isAt(path: readonly string[], names: readonly string[]): boolean {
  return path.length === 2 && path[1] === names.at(-1);
}

/** Rows at a time. */
const slab = 128;

/** The latents of a table, row after row, and the shape of one. */
export function latentsOf(
  cut: Cut,
  examples: Examples,
  { network, weights, statistics }: Pick<Context, "network" | "weights" | "statistics">,
): { readonly rows: Float32Array; readonly shape: Shape } {
  const read = jit((w: Weights, s: Params, x: tf.Tensor) => latentsIn(cut, network, w, s, x), { name: "latents" });
  const found: Float32Array[] = [];
  let shape: Shape = [];
  for (let start = 0; start < examples.length; start += slab) {
    const at = Uint32Array.from({ length: Math.min(slab, examples.length - start) }, (_, i) => start + i);
    const x = tf.tensor(gather(examples, at), [at.length, ...examples.shape]);
    const own = read(weights, statistics, x);
    found.push(own.dataSync() as Float32Array);
    shape = own.shape.slice(1);
    disposeTree([x, own]);
  }
  const rows = new Float32Array(examples.length * sizeOf(shape));
  for (const [i, own] of found.entries()) rows.set(own, i * slab * sizeOf(shape));
  return { rows, shape };
}
