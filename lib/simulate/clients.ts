/** Clients who keep their examples to themselves, and a server that learns from what they send. */
import type { Examples, Json } from "../data/dataset.ts";
import type { Rng } from "../engine/index.ts";
import { type Clock, type Cut, clock, type Link, type Machine, type Outage } from "./clock.ts";
import type { ClusterRun, Experiment, Updated } from "./cluster.ts";
import { declared } from "./parts/declared.ts";
import { localTraining, type Trained, type Turn } from "./parts/local.ts";
import { type Timing, type TimingOptions, timing } from "./parts/timing.ts";
import { type Trainer, trainer } from "./parts/trainer.ts";
import { ledger, type Simulated } from "./simulated.ts";

/** What clients are. */
export interface ClientsOptions extends TimingOptions {
  /** The lines between clients and server. Default: latency of 50 ms, 1 MB in a second. */
  readonly link?: Link | ((from: number, to: number) => Link);
  readonly outages?: readonly Outage[];
  readonly cuts?: readonly Cut[];
  /** How many spans of time are kept for the picture. Default 5000. */
  readonly spans?: number;
}

/** What a federated program has at hand. */
export interface Federation extends Timing {
  readonly clients: number;
  readonly server: number;
  /** Rounds of the stream: new classes come in each. */
  readonly tasks: number;
  readonly clock: Clock;
  readonly trainer: Trainer;
  readonly rng: Rng;
  /** The examples of a client in a round of the stream. */
  examples(task: number, client: number): Examples;
  /** Trains from some weights on a client's own examples; a promise where that is done elsewhere. */
  local(turn: Turn): Trained | Promise<Trained>;
  /** Says what the server's weights came to. */
  updated(me: Machine, update: Updated, task: number): void;
}

/** What clients and server do to learn together. */
export interface FederatedProgram {
  readonly spec: { readonly name: string; readonly options: Json };
  /** Starts its processes; `end` gives the server's weights when all have ended. */
  start(site: Federation): { end(): Float32Array; dispose?(): void };
}

/** A function that makes a federated program from options. */
export interface FederatedFactory<O extends object> {
  (options?: Partial<O>): FederatedProgram;
  readonly program: string;
  readonly defaults: O;
}

/** Declares a federated program: its name, its options with their defaults, and what clients and server do. */
export function federated<O extends object>(
  name: string,
  defaults: O,
  build: (options: O) => FederatedProgram["start"],
): FederatedFactory<O> {
  return declared(name, defaults, build);
}

/** Where clients' turns are trained when not by the simulation itself: what a turn is, and the experiment that it is of. */
export type Turns = (turn: Turn, trainer: Trainer, clients: number) => Promise<Trained>;

/** How a study is learnt by clients. */
export interface CrowdRun extends ClusterRun {
  /** Where turns are trained: `turnsOn(slurm({ … }), { record })` trains each client's as a job of its own. Default: here, one after the other. */
  readonly turns?: Turns;
}

/** Clients that learn studies with a server. */
export interface Crowd {
  /**
   * Learns a study over a stream of clients by a program. The study's batch, passes and optimizer are those of a client's turn.
   *
   * @throws TypeError where no client is named in the stream's experiences, or the study has strategies, parts of a plan or a head that
   * grows; RangeError where a loss is not finite; Interrupted.
   */
  train(study: Experiment, program: FederatedProgram, options?: CrowdRun): Promise<Simulated>;
}

/** The lines between clients and server where nothing else is said. */
export const defaultLink: Link = { latency: 0.05, bandwidth: 1e6 };

/**
 * Clients who learn together without showing their examples, under a simulated clock: time, bytes, stragglers, clients who are lost, and what
 * the network comes to. The stream says who has what: `clients(data, { clients: 100 })`, with new classes in each round where it is told so.
 *
 * One learner in memory serves all clients, one after the other: a thousand of them need no more than one.
 *
 * @throws RangeError for numbers that are no times or shares.
 *
 * @example
 * ```ts
 * import { clients, digits, mlp, simulate } from "thalweg";
 * const study = clients(digits(), { clients: 10 }).learn(mlp({ hidden: [8] }));
 * const run = await simulate.clients({ lost: 0.1 }).train(study, simulate.fedAvg({ rounds: 2, share: 0.5 }));
 * run.updates; // 2
 * ```
 */
export function clients({ link = defaultLink, ...options }: ClientsOptions = {}): Crowd {
  const { outages, cuts, spans, ...times } = options;
  const timed = timing("clients", times);
  const events = { ...(outages && { outages }), ...(cuts && { cuts }), ...(spans !== undefined && { spans }) };
  return Object.freeze<Crowd>({
    async train(study, program, { seed = 0, signal, evaluateEvery = 0, turns } = {}) {
      const learner = trainer(program.spec.name, study.spec, seed);
      const { stream } = learner.spec;
      const count = clientsOf(program.spec.name, stream);
      const machines = [...Array.from({ length: count }, (_, k) => `client ${k}`), "server"];
      const time = clock({ machines, link, ...events });
      const drawn = learner.root.at("clients");
      const kept = ledger(program.spec, learner, time);
      const local = localTraining(learner);
      const running = program.start({
        clients: count,
        server: count,
        tasks: stream.tasks,
        clock: time,
        trainer: learner,
        rng: drawn.at("program"),
        examples: (task, client) => stream.experience(task * count + client).train,
        ...timed(drawn),
        local: turns === undefined ? local.turn : (turn) => turns(turn, learner, count),
        updated(me, update, task) {
          const due = evaluateEvery > 0 && update.update % evaluateEvery === 0;
          kept.updated(me, update, due ? Array.from({ length: task + 1 }, (_, t) => t) : null);
        },
      });
      try {
        await time.run({ signal });
        return kept.ended(running.end());
      } finally {
        running.dispose?.();
        local.dispose();
      }
    },
  });
}

/** How many clients a stream has; throws unless its experiences go through all of them in every round. */
export function clientsOf(where: string, stream: Trainer["spec"]["stream"]): number {
  const count = stream.length / stream.tasks;
  const named = [0, stream.length - 1].every((index) => stream.experience(index).client === index % count);
  if (!Number.isInteger(count) || !named)
    throw new TypeError(
      `${where}: a stream whose experiences name their client, all clients in each round, is required; take clients(data, { clients: 10 })`,
    );
  return count;
}
