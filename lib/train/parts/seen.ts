/** What a step shows an optimizer that asks to see more than gradients. */
import { type Rng, tf } from "../../engine/index.ts";
import type { Tap } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";
import type { LayerSeen, Optimizer, Seen } from "../../optim/optimizer.ts";
import type { Flat } from "../../optim/parts/subset.ts";

/** A pass through the network with its layers tapped. */
type Pass = (tap: Tap) => unknown;

/** Zeros to be added to what each layer gives, by layer and pass: their gradients are those of the outputs. */
export function probesFor(optimizer: Optimizer, pass: Pass): Flat {
  if (!optimizer.sees?.includes("layers")) return {};
  const probes: Record<string, tf.Tensor> = {};
  pass((path, _input, output) => {
    probes[nameIn(probes, path)] = tf.zeros(output.shape);
    return output;
  });
  return probes;
}

/** A tap that adds the probes, and notes what came into each layer. */
export function probing(probes: Flat): { readonly tap: Tap | undefined; readonly inputs: Flat } {
  const inputs: Record<string, tf.Tensor> = {};
  if (Object.keys(probes).length === 0) return { tap: undefined, inputs };
  const tap: Tap = (path, input, output) => {
    const name = nameIn(inputs, path);
    inputs[name] = input;
    return tf.add(output, probes[name]!);
  };
  return { tap, inputs };
}

/** The name of the next pass through a layer: its path, and which pass. */
function nameIn(had: Flat, path: readonly string[]): string {
  const own = path.join("/");
  for (let pass = 0; ; pass++) if (!(`${own}#${pass}` in had)) return `${own}#${pass}`;
}

/** What can be asked of the step at other weights. */
export interface Elsewhere {
  gradient(weights: Weights): Weights;
  loss(weights: Weights): tf.Tensor;
  drawn(weights: Weights): { readonly gradient: Weights; readonly labels: number };
}

/** What the optimizer sees; undefined where it asks for nothing. */
export function seenIn(
  optimizer: Optimizer,
  task: tf.Tensor | null,
  inputs: Flat,
  gradients: Flat,
  rng: Rng | null,
  elsewhere: Elsewhere,
): Seen | undefined {
  if (optimizer.sees === undefined) return undefined;
  const layers: Record<string, LayerSeen[]> = {};
  for (const [name, input] of Object.entries(inputs)) {
    const own = layers[name.slice(0, name.lastIndexOf("#"))] ?? [];
    layers[name.slice(0, name.lastIndexOf("#"))] = [...own, { input, gradient: gradients[name]! }];
  }
  return {
    task: optimizer.sees.includes("task") ? task : null,
    layers,
    rng: optimizer.sees.includes("noise") ? rng : null,
    ...(elsewhere as unknown as Pick<Seen, "gradient" | "loss" | "drawn">),
  };
}
