import type { Layer } from "../layer.ts";
import { conditions, dense, ditBlock, flatten, modulate, patches, positions, unpatch } from "../layers/index.ts";
import type { Model } from "../model.ts";
import type { ConditionsOptions } from "../parts/conditioned.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `dit`; those of the noise are `conditions`'. */
export interface DitOptions extends ConditionsOptions {
  /** Side of the square patches, which fill the image. Default 2. */
  readonly patch?: number;
  /** Numbers in each vector. Default 64. */
  readonly width?: number;
  /** Blocks of attention and dense layers. Default 3. */
  readonly depth?: number;
  /** Heads of attention; they share the width among them. Default 4. */
  readonly heads?: number;
  /** Width of the inner dense layers, in widths. Default 4. */
  readonly widen?: number;
}

/**
 * A diffusion transformer: says which noise there is in an image, or what is below the noise, from the image, from how noisy it is and from the class that is wanted.
 *
 * Takes images `[n, height, width, channels]` whose sides `patch` divides, gives what it says of them, flattened: `[n, height · width · channels]`. The strategy `diffusion`
 * trains it, the verb `sample` draws images from it. Without `classes` it is told none.
 *
 * Peebles and Xie 2023, arXiv:2212.09748, section 3. Differs from the paper: positions are trained vectors; images in place of latents; the
 * variance is not predicted.
 *
 * @example
 * ```ts
 * import { classes, diffusion, digits, dit } from "thalweg";
 * classes(digits()).learn(dit({ classes: 10, steps: 100 })).by(diffusion());
 * dit({ width: 48 }).features([8, 8, 1]); // [64]
 * ```
 */
export function dit(given: DitOptions = {}): Model<"image"> {
  const { patch = 2, width = 64, depth = 3, heads = 4, widen = 4 } = given;
  const { classes = 0, steps = 200, schedule = "cosine", predicts = "noise", range = [0, 1] } = given;
  const noise = { classes, steps, schedule, predicts, range: [...range] as [number, number] };
  const options = { patch, width, depth, heads, widen, ...noise };
  const block = (): Layer => ditBlock(heads, { widen });
  return named<"image">("dit", options, [
    ["conditions", conditions(width, noise)],
    ["patches", [patches(patch), dense(width)]],
    ["positions", positions()],
    ...Array.from({ length: depth }, (_, i): NamedPart => [`block${i + 1}`, block()]),
    ["norm", modulate({ norm: true })],
    ["pixels", unpatch(patch)],
    ["flat", flatten()],
  ]);
}
