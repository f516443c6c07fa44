import { needOneOf } from "../../data/options.ts";
import { cloneTree, mapTensors, sumTree, type Tree, tf } from "../../engine/index.ts";
import { optimizer } from "../optimizer.ts";

type State = { readonly dual: Tree; readonly from: Tree; readonly taken: tf.Tensor };

/**
 * Generalised implicit FTRL: what is followed is not the gradient where one stands but one that goes with where the step leads, so that a
 * rate too large does less harm.
 *
 * `w = w₁ + lr · θ / √t^decline` with the sum `θ ← θ − z`, where z is with "linear" the gradient (FTRL as it is); with "aprox" the gradient as long as the
 * straight line of the loss stays above 0, `min(1, L / (η ‖g‖²)) · g`, for losses that are never below 0; with "mirrorProx" the gradient where the
 * step of FTRL would lead. η is the rate of the step. `decline: "root"` is the rate `lr / √t` of the regret's bound, "none" a constant one.
 *
 * Implements: P172 Generalized implicit FTRL
 *
 * Chen and Orabona 2023, "Generalized implicit follow-the-regularized-leader", arXiv:2306.00201, algorithm 1 with a squared regulariser, and
 * sections 5 and 6 for the choices of z. Differs from the paper: the exact proximal step is not among them.
 *
 * @example
 * ```ts
 * import { implicitFtrl } from "thalweg";
 * implicitFtrl({ lr: 1, variant: "aprox" }).sees; // ["gradient", "loss"]
 * ```
 */
export const implicitFtrl = optimizer(
  "implicitFtrl",
  {
    /** Learning rate of the first step. */
    lr: 0.1,
    /** What is followed. */
    variant: "aprox" as "aprox" | "mirrorProx" | "linear",
    /** How the rate falls. */
    decline: "root" as "root" | "none",
  },
  ({ variant, decline }) => {
    needOneOf("implicitFtrl", "variant", variant, ["aprox", "mirrorProx", "linear"]);
    needOneOf("implicitFtrl", "decline", decline, ["root", "none"]);
    return {
      last: true,
      ...(variant !== "linear" && { sees: ["gradient", "loss"] as const }),
      init: (params): Tree => ({
        dual: mapTensors((w) => tf.zerosLike(w), params),
        from: cloneTree(params),
        taken: tf.scalar(0),
      }),
      update(grads, state, params, rate, seen) {
        const had = state as State;
        const taken = tf.add(had.taken, 1);
        const eta = decline === "root" ? tf.div(rate, tf.sqrt(taken)) : rate;
        const at = (dual: Tree): Tree => mapTensors((w, d) => tf.add(w, tf.mul(d!, eta)), had.from, dual);
        const after = (z: Tree): Tree => mapTensors((d, s) => tf.sub(d, s!), had.dual, z);
        const followed = (): Tree => {
          if (variant === "linear") return grads;
          if (seen === undefined)
            throw new TypeError("implicitFtrl: a step that shows its loss and gradient is required, got none");
          if (variant === "mirrorProx") return seen.gradient(at(after(grads)));
          const square = sumTree((g) => tf.sum(tf.square(g)) as tf.Scalar, grads);
          const share = tf.minimum(1, tf.div(seen.loss(params), tf.maximum(tf.mul(square, eta), 1e-30)));
          return mapTensors((g) => tf.mul(g, share), grads);
        };
        const dual = after(followed());
        return [mapTensors((now, w) => tf.sub(now, w!), at(dual), params), { dual, from: had.from, taken }];
      },
    };
  },
);
