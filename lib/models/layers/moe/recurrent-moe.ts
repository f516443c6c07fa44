import { tf } from "../../../engine/index.ts";
import { requireCount, sameLayer } from "../../layer.ts";
import type { Mode, Params, Remembered } from "../../model.ts";
import {
  asRows,
  jittered,
  type MixtureOptions,
  mixture,
  mixtureOptions,
  mixtureParams,
  mixtureStatistics,
  requireRows,
} from "../../parts/mixture.ts";
import { product, productParams } from "../../parts/product.ts";

/** Options of `recurrentMoe`. */
export interface RecurrentMoeOptions extends MixtureOptions {
  /** Numbers in the state that passes from router to router. Default 32. */
  readonly units?: number;
}

/**
 * A mixture of experts whose router knows how the routers of the layers before decided.
 *
 * A row is projected to `units` numbers, which a GRU joins to the state that it had after the last such layer of the model (zeros before the first);
 * the router's logits are a product of the new state. The projection and the router are each layer's own, the GRU is that of the first of them, also
 * where they lie inside of `residual` or `repeat`. All must have as many `units`, and as many rows. What is chosen, dropped and asked of the use of experts
 * is as in `moe`.
 *
 * Implements: P144 RMoE
 * Qiu et al. 2024, "Layerwise recurrent router for mixture-of-experts", arXiv:2408.06793, equations 3 to 5, with the GRU of its program.
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * const model = net()
 *   .dense(16)
 *   .repeat(3, (n) => n.residual((m) => m.layerNorm().recurrentMoe(4, { widen: 1, units: 8 })));
 * model.features([8]); // [16]
 * ```
 */
export const recurrentMoe = sameLayer(
  "recurrentMoe",
  (experts: number, { units = 32, ...others }: RecurrentMoeOptions = {}) => {
    requireCount("recurrentMoe", "units", units);
    const options = mixtureOptions("recurrentMoe", experts, others);
    return {
      options: { experts, ...options, units },
      byPlace: true,
      shape(input, remembered) {
        requireRows("recurrentMoe", input);
        const before = remembered?.get(stateName);
        if (before !== undefined && before.at(-1) !== units)
          throw new RangeError(
            `recurrentMoe: a state of as many units in all such layers is required, got ${before.at(-1)} before ${units}`,
          );
        remembered?.set(stateName, [...input.slice(0, -1), units]);
        return input;
      },
      init(rng, input, remembered): Params {
        const width = input.at(-1)!;
        const isFirst = remembered?.get(stateName) === undefined;
        return {
          ...mixtureParams(rng, experts, width, options, units),
          projection: productParams(rng.at("projection"), width, units),
          ...(isFirst && {
            given: productParams(rng.at("given"), units, 3 * units),
            held: productParams(rng.at("held"), units, 3 * units),
          }),
        };
      },
      statistics: () => mixtureStatistics(experts, options),
      apply(x, params, mode, remembered: Remembered<tf.Tensor> = new Map()) {
        const { rows, back } = asRows(x);
        const seen = product(jittered(rows, mode, options.jitter), params, "projection", mode);
        const before = remembered.get(stateName) ?? tf.zeros([rows.shape[0], units]);
        const state = gated(seen, before, cellOf(params, mode, remembered));
        remembered.set(stateName, state);
        const logits = product(state, params, "router", mode) as tf.Tensor2D;
        return back(mixture(rows, logits, params, mode, options));
      },
    };
  },
  ["vector", "sequence"],
);

/** What the layers remember for each other; no tap can have such a name. */
const stateName = "(router state)";
const cellNames = ["given", "held"].flatMap((part) => ["kernel", "bias"].map((name) => [part, name] as const));

/** The products of the GRU: those of the first such layer, which remembers its tensors for the others. */
function cellOf(
  params: Params,
  mode: Mode,
  remembered: Remembered<tf.Tensor>,
): (x: tf.Tensor, part: "given" | "held") => tf.Tensor {
  const key = (part: string, name: string): string => `(router ${part} ${name})`;
  if ("given" in params) {
    for (const [part, name] of cellNames)
      remembered.set(key(part, name), (params[part] as { readonly [name: string]: tf.Tensor })[name]!);
    return (x, part) => product(x, params, part, mode);
  }
  return (x, part) =>
    tf.add(
      tf.matMul(x as tf.Tensor2D, remembered.get(key(part, "kernel")) as tf.Tensor2D),
      remembered.get(key(part, "bias"))!,
    );
}

/** The state of a GRU after one more row of each. */
function gated(x: tf.Tensor, state: tf.Tensor, cell: ReturnType<typeof cellOf>): tf.Tensor {
  const [resetIn, updateIn, newIn] = tf.split(cell(x, "given"), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [resetOf, updateOf, newOf] = tf.split(cell(state, "held"), 3, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const [reset, update] = [tf.sigmoid(tf.add(resetIn, resetOf)), tf.sigmoid(tf.add(updateIn, updateOf))];
  const fresh = tf.tanh(tf.add(newIn, tf.mul(reset, newOf)));
  return tf.add(fresh, tf.mul(update, tf.sub(state, fresh)));
}
