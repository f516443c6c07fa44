import { optimizer } from "../optimizer.ts";
import { pulled } from "../parts/moments.ts";
import { adam } from "./adam.ts";

/**
 * Adam with weight decay that is decoupled from the moments: `w ← w − lr · (m̂ / (√v̂ + epsilon) + weightDecay · w)`.
 *
 * Loshchilov and Hutter 2019, "Decoupled weight decay regularization", arXiv:1711.05101, algorithm 2; PyTorch's conventions. Decay that leaves
 * biases and norms alone is `chain(adam(), only(not({ kind: ["bias", "norm"] }), weightDecay(0.01)))`.
 *
 * @example
 * ```ts
 * import { adamw } from "thalweg";
 * adamw({ lr: 1e-3, weightDecay: 0.05 });
 * ```
 */
export const adamw = optimizer(
  "adamw",
  {
    /** Learning rate. */
    lr: 1e-3,
    /** Share of the running mean that is kept. */
    beta1: 0.9,
    /** Share of the running mean square that is kept. */
    beta2: 0.999,
    /** Added to the root of the mean square. */
    epsilon: 1e-8,
    /** Pull of the weights towards 0. */
    weightDecay: 0.01,
  },
  ({ weightDecay, ...options }) => {
    const inner = adam(options);
    return {
      init: inner.init,
      update(grads, state, params, rate) {
        const [updates, next] = inner.update(grads, state, params, rate);
        return [pulled(updates, params, rate, weightDecay), next];
      },
    };
  },
);
