import { disposeTree, type Tree, tf } from "../../engine/index.ts";
import { crossEntropies } from "../../models/network.ts";
import { descended, retainedOf } from "../parts/unlearning.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/**
 * Gradient ascent: when the learner is asked to forget, the loss of what is to be forgotten is driven up, and what remains is learnt again for
 * a while.
 *
 * A loss above `most` is not driven further, so that weights do not run away.
 *
 * Thudi et al. 2022, "Unrolling SGD", arXiv:2109.13398, section 4; with repair Graves, Nagisetty and Ganesh 2021, "Amnesiac machine
 * learning", arXiv:2010.10981, section 4.
 *
 * @example
 * ```ts
 * import { classes, digits, gradientAscent, mlp } from "thalweg";
 * classes(digits()).split(5).forget(["0"], { at: 2 }).learn(mlp()).by(gradientAscent({ repair: 0 }));
 * ```
 */
export const gradientAscent = strategy(
  "gradientAscent",
  {
    lr: 1e-3,
    batch: 32,
    /** Passes over what is to be forgotten. */
    epochs: 3,
    /** Passes over what remains, after that. */
    repair: 1,
    /** The loss that is high enough. */
    most: 10,
  },
  ({ lr, batch, epochs, repair, most }) => {
    for (const [name, value] of Object.entries({ lr, most })) requireNumber("gradientAscent", name, value, 0);
    for (const [name, value] of Object.entries({ batch, epochs })) requireWhole("gradientAscent", name, value, 1);
    requireWhole("gradientAscent", "repair", repair, 0);
    return {
      tokens: "no stream of tokens asks to forget a class",
      classes: true,
      forget(state, { examples }, context) {
        if (examples.length === 0) return state;
        const { rng, experience, weights } = context;
        const order = rng.at("ascent", experience);
        const up = descended("ascent", context, weights, examples, { lr, batch, epochs }, order, ({ logits }, y) => {
          const each = crossEntropies(logits, y);
          return tf.neg(tf.mean(tf.minimum(each, most))) as tf.Scalar;
        });
        const kept = repair === 0 ? null : retainedOf(context);
        if (kept === null) return { ...state, weights: up, restart: true };
        const next = descended("repair", context, up, kept, { lr, batch, epochs: repair }, order.at("repair"));
        disposeTree(up as unknown as Tree);
        return { ...state, weights: next, restart: true };
      },
    };
  },
);
