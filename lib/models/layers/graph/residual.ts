import { needOneOf } from "../../../data/options.ts";
import { type Adding, composite, type Inner, innerModel } from "../../composite.ts";

/** Options of `residual`. */
export interface ResidualOptions {
  /** What is done to what passes by, so that both have one shape: `(n) => n.conv(64, 1, { stride: 2 })`. Default: nothing. */
  readonly skip?: Inner;
  /**
   * What is added of what the layers give: all of it ("add"), or what is at right angles to what passes by, in the vector at each place ("orthogonal") or
   * in each example as one vector ("orthogonal-whole"). Default "add".
   */
  readonly rule?: Adding;
}

/**
 * The sum of what some layers make of the input and of the input itself, or of what `skip` makes of it.
 *
 * The layers are a function of a net, `(n) => n.conv(16, 3).relu()`, or a model. Their tensors lie at `3-residual/1-conv`, those of the
 * skip at `3-residual/skip/1-conv`. He et al. 2016, arXiv:1512.03385, equations 1 and 2.
 *
 * With `rule: "orthogonal"` what passes by, x, gets `f − x ⟨x, f⟩ / (⟨x, x⟩ + 1e-6)` of what the layers give, f: they can add what is new and neither lengthen nor
 * shorten what is there. `transformer` has it as its option `residual`.
 *
 * Implements: P062 Orthogonal Residual Update
 * Oh et al. 2025, arXiv:2505.11881, section 3, as in the authors' program (feature-wise and global).
 *
 * @throws RangeError when the two have other shapes.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().conv(16, 3).relu().residual((n) => n.conv(16, 3).batchNorm()).relu().features([8, 8, 3]); // [8, 8, 16]
 * net().residual((n) => n.conv(4, 3, { stride: 2 }), { skip: (n) => n.conv(4, 1, { stride: 2 }) }).features([8, 8, 3]); // [4, 4, 4]
 * net().dense(8).residual((n) => n.dense(8).tanh(), { rule: "orthogonal" }).features([3]); // [8]
 * ```
 */
export const residual = composite(
  "residual",
  (inner: Inner, { skip, rule = "add" }: ResidualOptions = {}) => {
    needOneOf("residual", "rule", rule, ["add", "orthogonal", "orthogonal-whole"]);
    return {
      options: rule === "add" ? {} : { rule },
      parts: [
        { name: "", model: innerModel(inner) },
        ...(skip === undefined ? [] : [{ name: "skip", model: innerModel(skip) }]),
      ],
      flow: (x, { pass, join }) => {
        const [change, passing] = [pass(0, x), skip === undefined ? x : pass(1, x)];
        return rule === "add" ? join("add", [change, passing]) : join(rule, [passing, change]);
      },
    };
  },
  (options, [inner, skip]) => [inner!, { ...(skip && { skip }), ...(options as Pick<ResidualOptions, "rule">) }],
);
