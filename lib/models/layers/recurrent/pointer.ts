import { scan, tf, withoutGradient } from "../../../engine/index.ts";
import { layer, requireCount } from "../../layer.ts";
import type { Mode, Params, Remembered } from "../../model.ts";
import { product, productParams } from "../../parts/product.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { lstm } from "./lstm.ts";

/** Options of `pointer`. */
export interface PointerOptions {
  /** How many places are pointed at, one after the other. Default 0: as many as there are. */
  readonly steps?: number;
  /** The name under which the places that are right are remembered, `[steps]`: in training the decoder is told them. Default: it goes by its own. */
  readonly teacher?: string;
  /** Whether a place is pointed at once at most. Default false. */
  readonly once?: boolean;
}

/**
 * A pointer network: what is read of a sequence is an order of its own places. `[length, inputs]` becomes `[steps, length]`, a logit for each place at each step.
 *
 * A long short-term memory reads the sequence. A second goes on from its state: it is given a trained vector, then at each step the vector of the place
 * before; with its state d and those of the first e_j the logits are `vᵀ tanh(W₁ e_j + W₂ d)`. Outside of training, or without a `teacher`, the place before is the
 * largest logit. Weights are the same for sequences of any length. The head that takes the logits as they are is `identity()`.
 *
 * Implements: P037 Pointer Networks
 * Vinyals, Fortunato and Jaitly 2015, "Pointer networks", arXiv:1506.03134, section 2.3, equation 3.
 * Differs from the paper: answers have a fixed number of steps, and no token that ends them; the largest logit is followed, there is no beam.
 *
 * @throws RangeError when nothing is remembered under the name of the teacher.
 *
 * @example
 * ```ts
 * import { headed, identity, net } from "thalweg";
 * const model = net().inputs({ points: [6, 2], order: [6] }).take("points").pointer(32, { teacher: "order", once: true });
 * headed(model, identity()).features([18]); // [6, 6]
 * ```
 */
export const pointer = layer(
  "pointer",
  { accepts: ["sequence"], gives: "sequence" },
  (hidden: number, { steps = 0, teacher, once = false }: PointerOptions = {}) => {
    requireCount("pointer", "hidden", hidden);
    requireCount("pointer", "steps", steps, 0);
    const reader = lstm(hidden);
    return {
      options: {
        hidden,
        ...(steps > 0 && { steps }),
        ...(teacher !== undefined && { teacher }),
        ...(once && { once }),
      },
      shape(input, remembered) {
        const [length] = requireVectors("pointer", input);
        const count = steps === 0 ? length : steps;
        const told = teacher === undefined ? [count] : remembered?.get(teacher);
        if (String(told) !== String([count]))
          throw new RangeError(
            `pointer: ${count} places remembered as "${teacher}" are required, got ${told === undefined ? "nothing" : `shape [${told}]`}; put inputs({ …, ${teacher}: [${count}] }) before it`,
          );
        if (once && count > length)
          throw new RangeError(
            `pointer: at most ${length} steps are required where each place is met once, got ${count}`,
          );
        return [count, length];
      },
      init: (rng, input): Params => ({
        encoder: reader.init!(rng.at("encoder"), input),
        decoder: reader.init!(rng.at("decoder"), input),
        start: rng.at("start").uniforms([1, input[1]!], -1 / Math.sqrt(hidden), 1 / Math.sqrt(hidden)),
        places: { kernel: (productParams(rng.at("places"), hidden, hidden) as { readonly kernel: tf.Tensor }).kernel },
        query: productParams(rng.at("query"), hidden, hidden),
        score: { kernel: (productParams(rng.at("score"), hidden, 1) as { readonly kernel: tf.Tensor }).kernel },
      }),
      apply(x, params, mode, remembered) {
        const [n, length] = x.shape as [number, number, number];
        const count = steps === 0 ? length : steps;
        const [encoded, states] = reader.recurs!(x, params.encoder as Params, mode, null, tf.ones([n, length]));
        const told = toldPlaces(remembered, teacher, mode, length);
        const constants = {
          x,
          places: product(encoded, params, "places", mode),
          decoder: params.decoder as Params,
          query: params.query as Params,
          score: params.score as Params,
        };
        const first: State = {
          states,
          given: tf.tile(params.start as tf.Tensor, [n, 1]),
          taken: tf.zeros([n, length]),
        };
        const [, logits] = scan(
          (
            { states, given, taken }: State,
            told: { readonly at?: tf.Tensor; readonly k: tf.Tensor },
            own: typeof constants,
          ) => {
            const [h, after] = reader.recurs!(tf.expandDims(given, 1), own.decoder, mode, states, tf.ones([n, 1]));
            const query = product(h, own as unknown as Params, "query", mode);
            const scores = product(tf.tanh(tf.add(own.places, query)), own as unknown as Params, "score", mode);
            const logits = tf.sub(tf.reshape(scores, [n, length]), tf.mul(taken, once ? 1e9 : 0));
            const at = told.at ?? withoutGradient(() => tf.oneHot(tf.argMax(logits, 1), length, 1, 0, "float32"));
            const next = tf.reshape(tf.matMul(tf.expandDims(at, 1), own.x), [n, own.x.shape[2]!]);
            return [{ states: after, given: next, taken: tf.maximum(taken, at) }, logits] as const;
          },
          first,
          { k: tf.zeros([count]), ...(told !== null && { at: told }) },
          constants,
        );
        return tf.transpose(logits, [1, 0, 2]);
      },
    };
  },
);

/** What goes from step to step: the states of the decoder, what it is given, and the places that were pointed at. */
interface State {
  readonly states: readonly tf.Tensor[];
  readonly given: tf.Tensor;
  readonly taken: tf.Tensor;
}

/** The places that are right, `[steps, n, length]` of zeros and ones, where they are told. */
function toldPlaces(
  remembered: Remembered<tf.Tensor> | undefined,
  teacher: string | undefined,
  mode: Mode,
  length: number,
): tf.Tensor | null {
  if (teacher === undefined || !mode.training) return null;
  const places = remembered!.get(teacher)!;
  return withoutGradient(() => tf.oneHot(tf.cast(tf.transpose(places), "int32"), length, 1, 0, "float32"));
}
