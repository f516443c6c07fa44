import { needShare, needWhole } from "../data/options.ts";
import { federated } from "./clients.ts";
import { rounds } from "./parts/rounds.ts";
import { addTo, minus } from "./parts/vectors.ts";

/**
 * SCAFFOLD: clients correct their gradients by what is known of where their own examples pull, against those of all.
 *
 * A client's gradient becomes `g + c − cᵢ`, with the server's control variate `c` and its own `cᵢ`, which after `K` steps at the rate `η` is
 * `cᵢ − c + (w₀ − w)/(Kη)` (option II). The server takes the plain mean of those asked, times `rate`, and moves `c` by their share of the
 * clients. The study's optimizer must be plain SGD at a constant rate, for which that is the mean gradient.
 *
 * Karimireddy et al. 2020, arXiv:1910.06378, algorithm 1.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.scaffold({ rounds: 20, share: 0.2 }).spec.options; // { rounds: 20, share: 0.2, rate: 1 }
 * ```
 */
export const scaffold = federated(
  "scaffold",
  {
    /** Rounds for each round of the stream. */
    rounds: 10,
    /** The share of the clients that is asked in a round. */
    share: 1,
    /** What the mean of the clients' ways is multiplied by. */
    rate: 1,
  },
  ({ rounds: count, share, rate }) => {
    needWhole("scaffold", "rounds", count);
    needShare("scaffold", "share", share);
    return (site) => {
      const { optimizer, schedule } = site.trainer.spec;
      const { momentum = 0, weightDecay = 0 } = optimizer.spec.options as { momentum?: number; weightDecay?: number };
      if (optimizer.spec.name !== "sgd" || momentum !== 0 || weightDecay !== 0 || schedule.spec.name !== "constant")
        throw new TypeError(
          `scaffold: plain sgd at a constant rate is required, got ${JSON.stringify(optimizer.spec)} with ${schedule.spec.name}; its control variates are mean gradients`,
        );
      const size = site.trainer.weights;
      const control = new Float32Array(size);
      /** Of the clients who were asked at least once. */
      const own = new Map<number, Float32Array>();
      const ownOf = (client: number): Float32Array => own.get(client) ?? new Float32Array(size);
      const rules: Parameters<typeof rounds>[2] = {
        turn(_from, client) {
          const shift = minus(control, ownOf(client));
          return { direction: (gradient) => addTo(gradient, shift) };
        },
        more({ vector, steps }, from, client) {
          const before = ownOf(client);
          const next = before.map(
            (c, i) => c - control[i]! + (from[i]! - vector[i]!) / (Math.max(1, steps) * optimizer.rate),
          );
          own.set(client, next);
          return minus(next, before);
        },
        extraBytes: 4 * size,
        next(server, _mean, answers) {
          for (const { more } of answers) addTo(control, more!, 1 / site.clients);
          for (const { delta } of answers) addTo(server, delta, rate / answers.length);
          return server;
        },
      };
      return rounds(site, { rounds: count, share, deadline: 0, codec: null }, rules);
    };
  },
);
