import { composite, type Inner, innerModel } from "../../composite.ts";

/** Options of `residual`. */
export interface ResidualOptions {
  /** What is done to what passes by, so that both have one shape: `(n) => n.conv(64, 1, { stride: 2 })`. Default: nothing. */
  readonly skip?: Inner;
}

/**
 * The sum of what some layers make of the input and of the input itself, or of what `skip` makes of it.
 *
 * The layers are a function of a net, `(n) => n.conv(16, 3).relu()`, or a model. Their tensors lie at `3-residual/1-conv`, those of the
 * skip at `3-residual/skip/1-conv`. He et al. 2016, arXiv:1512.03385, equations 1 and 2.
 *
 * @throws RangeError when the two have other shapes.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(16, 3).relu().residual((n) => n.conv(16, 3).batchNorm()).relu().features([8, 8, 3]); // [8, 8, 16]
 * net().residual((n) => n.conv(4, 3, { stride: 2 }), { skip: (n) => n.conv(4, 1, { stride: 2 }) }).features([8, 8, 3]); // [4, 4, 4]
 * ```
 */
export const residual = composite(
  "residual",
  (inner: Inner, { skip }: ResidualOptions = {}) => ({
    options: {},
    parts: [
      { name: "", model: innerModel(inner) },
      ...(skip === undefined ? [] : [{ name: "skip", model: innerModel(skip) }]),
    ],
    flow: (x, { pass, join }) => join("add", [pass(0, x), skip === undefined ? x : pass(1, x)]),
  }),
  (_, [inner, skip]) => [inner!, skip && { skip }],
);
