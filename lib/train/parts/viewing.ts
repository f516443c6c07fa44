/** The rows of a step as they are to be seen. */
import { sizeOf } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import type { Batching } from "../../optim/batching.ts";
import type { Moment } from "../../optim/optimizer.ts";
import type { Batch } from "../../strategies/strategy.ts";

/** A batch whose rows went through the views of the parts of a plan, one part after the other. */
export function viewed(parts: readonly Batching[], moment: Required<Moment>, batch: Batch, rng: Rng): Batch {
  const { shape } = batch.from;
  const size = sizeOf(shape);
  let { x } = batch;
  for (const { spec, plan } of parts) {
    if (plan.view === undefined) continue;
    const out = new Float32Array(x.length);
    const noise = rng.at(spec.name);
    for (let i = 0; i < x.length; i += size)
      plan.view(x.subarray(i, i + size), out.subarray(i, i + size), shape, noise, moment);
    x = out;
  }
  return { ...batch, x };
}
