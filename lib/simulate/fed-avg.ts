import { needShare, needWhole } from "../data/options.ts";
import { federated } from "./clients.ts";
import type { Codec } from "./codec.ts";
import { rounds } from "./parts/rounds.ts";
import { addTo } from "./parts/vectors.ts";

/**
 * Federated averaging: in each round some clients train on their own examples from the server's weights, and the server takes the mean of
 * what they come to, each by its number of examples.
 *
 * `proximal` adds `μ/2 ‖w − w₀‖²` to a client's loss, which keeps it near the server's weights (FedProx). A client who has not answered after
 * `deadline` seconds is not waited for. With all clients, one step of plain SGD on all of their examples each, it is training on the whole
 * batch of them all.
 *
 * McMahan et al. 2017, arXiv:1602.05629, algorithm 1; Li et al. 2020, arXiv:1812.06127, eq. 2.
 * Differs from the papers: what a codec is given is the way from the server's weights; running statistics are averaged with the weights.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.fedAvg({ rounds: 10, share: 0.1, proximal: 0.01 }).spec.name; // "fedAvg"
 * ```
 */
export const fedAvg = federated(
  "fedAvg",
  {
    /** Rounds for each round of the stream. */
    rounds: 10,
    /** The share of the clients that is asked in a round, drawn at random; at least one. */
    share: 1,
    /** The weight μ of the pull to the server's weights. */
    proximal: 0,
    /** Seconds after which the server goes on without those who have not answered; 0 waits for all. */
    deadline: 0,
    /** What clients' updates are coded with. */
    codec: null as Codec | null,
  },
  ({ rounds: count, share, proximal, deadline, codec }) => {
    needWhole("fedAvg", "rounds", count);
    needShare("fedAvg", "share", share);
    return (site) => {
      const { weights: size } = site.trainer;
      return rounds(
        site,
        { rounds: count, share, deadline, codec },
        {
          turn: (from) =>
            proximal === 0
              ? {}
              : {
                  direction: (gradient, at) =>
                    addTo(
                      gradient,
                      at.map((w, i) => (i < size ? w - from[i]! : 0)),
                      proximal,
                    ),
                },
          next: (server, mean) => addTo(server, mean),
        },
      );
    };
  },
);
