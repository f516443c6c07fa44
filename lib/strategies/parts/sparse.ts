/** Training some of the numbers of a network alone. */
import { mapTensors, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Weights } from "../../models/network.ts";

/** *Traced.* A gradient of the model's that is 0 where a mask is. */
export function maskedGradient(gradient: Weights, mask: Params): Weights {
  return { ...gradient, model: mapTensors((g: tf.Tensor, m?: tf.Tensor) => tf.mul(g, m!), gradient.model, mask) };
}

/** *Traced.* Weights of which the model's moved only where a mask is 1, whatever optimizer moved them. */
export function movedWhere(before: Weights, after: Weights, mask: Params): Weights {
  const model = mapTensors(
    (old: tf.Tensor, now?: tf.Tensor, m?: tf.Tensor) => tf.where(tf.greater(m!, 0), now!, old),
    before.model,
    after.model,
    mask,
  );
  return { ...after, model };
}

/** The number that a share of some numbers is at least; infinite for none of them. */
export function bound(all: readonly Float32Array[], share: number, side: "largest" | "smallest"): number {
  const count = all.reduce((sum, part) => sum + part.length, 0);
  const wanted = Math.round(share * count);
  if (wanted === 0) return side === "largest" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const sorted = new Float32Array(count);
  let at = 0;
  for (const part of all) {
    sorted.set(part, at);
    at += part.length;
  }
  sorted.sort();
  return side === "largest" ? sorted[count - wanted]! : sorted[wanted - 1]!;
}
