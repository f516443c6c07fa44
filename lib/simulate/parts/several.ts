/** Several experiments on the same machines. */
import type { Json } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import { type ClientsOptions, defaultLink } from "../clients.ts";
import { type Clock, clock, type Machine } from "../clock.ts";
import type { ClusterRun, Experiment, Updated } from "../cluster.ts";
import { ledger, type Simulated } from "../simulated.ts";
import { localTraining, type Trained, type Turn } from "./local.ts";
import { type Timing, timing } from "./timing.ts";
import { type Trainer, trainer } from "./trainer.ts";

/** One of the experiments. */
export interface Model {
  readonly trainer: Trainer;
  /** Trains from some weights on examples. */
  local(turn: Turn): Trained;
  /** Says what its weights came to; `tasks` are those that it is measured on when that is due. */
  updated(me: Machine, update: Updated, tasks: readonly number[]): void;
}

/** All of them, and the machines. */
export interface Several extends Timing {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly models: readonly Model[];
  /** Lets time pass, and gives what each experiment came to. */
  run(vectors: () => readonly Float32Array[]): Promise<readonly Simulated[]>;
}

/** Lays out experiments on machines; with `names` the last is the server. */
export function several(
  program: { readonly name: string; readonly options: Json },
  studies: readonly Experiment[],
  names: readonly string[],
  { link = defaultLink, ...options }: ClientsOptions,
  { seed = 0, signal, evaluateEvery = 0 }: ClusterRun,
): Several {
  const { outages, cuts, spans, ...times } = options;
  const events = { ...(outages && { outages }), ...(cuts && { cuts }), ...(spans !== undefined && { spans }) };
  const timed = timing(program.name, times);
  const time = clock({ machines: names, link, ...events });
  const learners = studies.map((study) => trainer(program.name, study.spec, seed));
  const locals = learners.map((learner) => localTraining(learner));
  const ledgers = learners.map((learner) => ledger(program, learner, time));
  const rng = learners[0]!.root.at("clients");
  return {
    ...timed(rng),
    clock: time,
    rng: rng.at("program"),
    models: learners.map((learner, m) => ({
      trainer: learner,
      local: locals[m]!.turn,
      updated(me, update, tasks) {
        const due = evaluateEvery > 0 && update.update % evaluateEvery === 0;
        ledgers[m]!.updated(me, update, due ? tasks : null);
      },
    })),
    async run(vectors) {
      try {
        await time.run({ signal });
        const ends = vectors();
        return ledgers.map((each, m) => each.ended(ends[m]!));
      } finally {
        for (const local of locals) local.dispose();
      }
    },
  };
}
