import { composite, type Inner, innerModel } from "../../composite.ts";
import { requireCount } from "../../layer.ts";

/**
 * Some layers several times over with one set of weights. `repeat` is the same with weights of their own.
 *
 * The layers give the shape they take. Noise is drawn anew each time; running statistics are those of the last. Weights tied across depth
 * as in Dehghani et al. 2018, arXiv:1807.03819.
 *
 * @throws RangeError when what they give has another shape than what they take.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net().shared(3, (n) => n.dense(4).tanh());
 * model.summary([4]).reduce((sum, { parameters }) => sum + parameters, 0); // 20
 * ```
 */
export const shared = composite(
  "shared",
  (times: number, inner: Inner) => {
    requireCount("shared", "times", times);
    const model = innerModel(inner);
    return {
      options: { times },
      parts: [{ name: "", model: { ...model, features: sameShape(model) } }],
      flow: (x, { pass }) => Array.from({ length: times }).reduce<typeof x>((now, _, time) => pass(0, now, time), x),
    };
  },
  (options, [inner]) => [(options as { readonly times: number }).times, inner!],
);

function sameShape(model: ReturnType<typeof innerModel>): typeof model.features {
  return (input, remembered) => {
    const output = model.features(input, remembered);
    if (String(output) !== String(input))
      throw new RangeError(
        `shared: layers that give the shape they take are required, got [${input}] to [${output}]; use repeat(times, (n) => …)`,
      );
    return output;
  };
}
