import { requireCount, sameLayer } from "../../layer.ts";
import { requireVectors } from "../../parts/recurrence.ts";
import { spikes } from "../../parts/spikes.ts";

/** Options of `lif`. */
export interface LifOptions {
  /** How many places a charge lasts. Default 2. */
  readonly tau?: number;
  /** From which charge on a neuron fires. Default 1. */
  readonly threshold?: number;
}

/**
 * Leaky neurons that fire, one for each number of a place: `[length, units]` keeps its shape and becomes zeros and ones.
 *
 * `v ← v + (x − v)/τ`; where `v` is at least the threshold the neuron gives 1 and `v` is 0 again. Backwards a spike counts as an arc tangent, `1 / (1 + (π (v − θ))²)`, and the reset as a
 * constant, as in SpikingJelly (Fang et al. 2023, doi:10.1126/sciadv.adi1480).
 *
 * @example
 * ```ts
 * import { net } from "thalweg";
 * net().dense(16).lif().features([20, 3]); // [20, 16]
 * ```
 */
export const lif = sameLayer(
  "lif",
  ({ tau = 2, threshold = 1 }: LifOptions = {}) => {
    requireCount("lif", "tau", Math.floor(tau));
    return {
      options: { tau, threshold },
      shape(input) {
        requireVectors("lif", input);
        return input;
      },
      apply: (x) => spikes(x, null, null, { tau, threshold })[0],
      recurs(x, _params, _mode, states, keep) {
        const [y, after] = spikes(x, states?.[0] ?? null, keep, { tau, threshold });
        return [y, [after]];
      },
    };
  },
  ["sequence"],
);
