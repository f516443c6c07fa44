import { composite } from "../../composite.ts";
import type { ModelParts } from "../../model.ts";

/**
 * A whole model as a layer: what comes in goes through it, and its features go on. The names of its taps are its own.
 *
 * Its tensors lie at `2-through/…` under the names they have in the model.
 *
 * @example
 * ```ts
 * import { cnn, net } from "thalweg";
 * net().through(cnn({ filters: [8], units: 32 })).dense(16).relu().features([8, 8, 1]); // [16]
 * ```
 */
export const through = composite(
  "through",
  (model: ModelParts) => ({
    options: {},
    parts: [{ name: "", model, apart: true }],
    flow: (x, { pass }) => pass(0, x),
  }),
  (_, [model]) => [model!],
);
