import { needShare, needWhole } from "../data/options.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { adam } from "../optim/optimizers/adam.ts";
import { federated } from "./clients.ts";
import type { Codec } from "./codec.ts";
import { rounds } from "./parts/rounds.ts";
import { addTo } from "./parts/vectors.ts";

/**
 * Federated averaging in which an optimizer of the server takes the mean way of the clients, turned round, as its gradient: FedAdam with
 * `adam` (the default), FedAvgM with momentum, FedYogi and others with theirs.
 *
 * Reddi et al. 2021, arXiv:2003.00295, algorithm 2.
 * Differs from the paper: our Adam corrects the bias of its moments, its algorithm does not; running statistics are averaged.
 *
 * @example
 * ```ts
 * import { sgd, simulate } from "thalweg";
 * simulate.fedOpt({ server: sgd({ lr: 1, momentum: 0.9 }) }).spec.name; // "fedOpt"
 * ```
 */
export const fedOpt = federated(
  "fedOpt",
  {
    /** The server's optimizer; its rate is constant. */
    server: adam({ lr: 0.01, beta2: 0.99, epsilon: 1e-3 }) as Optimizer,
    /** Rounds for each round of the stream. */
    rounds: 10,
    /** The share of the clients that is asked in a round. */
    share: 1,
    /** Seconds after which the server goes on without those who have not answered; 0 waits for all. */
    deadline: 0,
    /** What clients' updates are coded with. */
    codec: null as Codec | null,
  },
  ({ server: optimizer, rounds: count, share, deadline, codec }) => {
    needWhole("fedOpt", "rounds", count);
    needShare("fedOpt", "share", share);
    return (site) => {
      const { trainer } = site;
      const own = trainer.replica(0, optimizer);
      const made = rounds(
        site,
        { rounds: count, share, deadline, codec },
        {
          turn: () => ({}),
          next(server, mean) {
            own.place(server);
            own.update(
              mean.subarray(0, trainer.weights).map((x) => -x),
              optimizer.rate,
            );
            const statistics = addTo(server.slice(trainer.weights), mean.subarray(trainer.weights));
            const out = own.vector();
            out.set(statistics, trainer.weights);
            return out;
          },
        },
      );
      return { ...made, dispose: () => own.dispose() };
    };
  },
);
