/** A cluster that is not there: machines that train one network together, under a simulated clock. */
import type { Json } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import type { RunSpec } from "../train/spec.ts";
import { type Clock, type Cut, clock, type Link, type Machine, type Outage } from "./clock.ts";
import { type Course, course } from "./parts/course.ts";
import { type Delay, delayOf, requireDelay } from "./parts/delay.ts";
import { type Trainer, trainer } from "./parts/trainer.ts";
import { ledger, type Simulated } from "./simulated.ts";

export type { Delay } from "./parts/delay.ts";

/** What a cluster is. */
export interface ClusterOptions {
  /** How many machines work. */
  readonly workers: number;
  /** Seconds that a machine works for each example of a batch. Default 0.001. */
  readonly perExample?: number;
  /** Seconds that a machine works for each batch besides. Default 0. */
  readonly perBatch?: number;
  /** Random seconds besides, drawn anew for every batch. Default none. */
  readonly delay?: Delay;
  /** By how much a machine is slower than the others, by its number. */
  readonly slower?: { readonly [worker: number]: number };
  /** The lines between machines. Default: latency of 1 ms, 100 MB in a second. */
  readonly link?: Link | ((from: number, to: number) => Link);
  /** When a machine does nothing. */
  readonly outages?: readonly Outage[];
  /** When a line is cut. */
  readonly cuts?: readonly Cut[];
  /** How many spans of time are kept for the picture. Default 5000. */
  readonly spans?: number;
}

/** Anything that holds an experiment: a study. */
export interface Experiment {
  readonly spec: RunSpec;
}

/** How a study is trained on a cluster. */
export interface ClusterRun {
  /** The seed of the run, and of the delays. Default 0. */
  readonly seed?: number;
  /** Stops it between two events. */
  readonly signal?: AbortSignal;
  /** After every so many updates the accuracy over the tasks met is measured, which takes no simulated time. Default 0: at the end. */
  readonly evaluateEvery?: number;
}

/** What a program has at hand. */
export interface Site {
  readonly workers: number;
  /** The number of the machine that is no worker; programs that have none leave it idle. */
  readonly server: number;
  readonly clock: Clock;
  readonly trainer: Trainer;
  readonly course: Course;
  /** Seconds that a worker takes for its `k`-th batch of so many rows. */
  seconds(worker: number, rows: number, k: number): number;
  /** Says what an update came to: who made it, from which version of the weights it was computed, and the weights after it where they are at hand. */
  updated(me: Machine, update: Updated): void;
}

/** An update of the weights. */
export interface Updated {
  readonly update: number;
  readonly loss: number;
  /** Updates that were made between the weights a gradient was computed at and those it was added to. Default 0. */
  readonly staleness?: number;
  /** The weights after it. */
  vector(): Float32Array;
}

/** What machines do to train together. */
export interface Program {
  readonly spec: { readonly name: string; readonly options: Json };
  /** Starts its processes; `end` gives the weights when all have ended. */
  start(site: Site): { end(): Float32Array; dispose(): void };
}

/** A cluster that trains studies. */
export interface Cluster {
  readonly workers: number;
  /**
   * Trains a study by a program.
   *
   * @throws TypeError for a study with strategies, parts of a plan or a head that grows; RangeError where a loss is not finite; Interrupted.
   */
  train(study: Experiment, program: Program, options?: ClusterRun): Promise<Simulated>;
}

const defaultLink: Link = { latency: 0.001, bandwidth: 1e8 };

/**
 * Machines that train one network together under a simulated clock: how long it takes there, who waits for whom, how many bytes go where,
 * and what the network comes to. The learning is real, the time is not.
 *
 * With one worker every program that says so is plain training, bit for bit. All that is random is drawn from the seed of the run.
 *
 * @throws RangeError for numbers that are no times or counts.
 *
 * @example
 * ```ts
 * import { blobs, classes, mlp, simulate } from "thalweg";
 * const cluster = simulate.cluster({ workers: 4, delay: { kind: "exponential", mean: 0.01 } });
 * const study = classes(blobs()).learn(mlp({ hidden: [8] })).train({ batch: 32 });
 * const run = await cluster.train(study, simulate.allReduce());
 * run.totals().numRows(); // 5
 * ```
 */
export function cluster({
  workers,
  perExample = 0.001,
  perBatch = 0,
  delay,
  slower = {},
  link = defaultLink,
  ...events
}: ClusterOptions): Cluster {
  needWhole("cluster", "workers", workers);
  for (const [what, value] of Object.entries({ perExample, perBatch, ...slower }))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new RangeError(`cluster: a finite number from 0 on is required for ${what}, got ${value}`);
  requireDelay("cluster", delay);
  return Object.freeze<Cluster>({
    workers,
    async train(study, program, { seed = 0, signal, evaluateEvery = 0 } = {}) {
      needWhole("cluster", "evaluateEvery", evaluateEvery, 0);
      const learner = trainer(program.spec.name, study.spec, seed);
      const machines = [...Array.from({ length: workers }, (_, k) => `worker ${k}`), "server"];
      const time = clock({ machines, link, ...events });
      const drawn = learner.root.at("delays");
      const kept = ledger(program.spec, learner, time);
      const path = course(learner);
      const running = program.start({
        workers,
        server: workers,
        clock: time,
        trainer: learner,
        course: path,
        seconds: (worker, rows, k) =>
          (perBatch + perExample * rows + delayOf(delay, drawn.at(worker, k))) * (slower[worker] ?? 1),
        updated(me, update) {
          const due = evaluateEvery > 0 && update.update % evaluateEvery === 0;
          kept.updated(me, update, due ? path.met(update.update) : null);
        },
      });
      try {
        await time.run({ signal });
        return kept.ended(running.end());
      } finally {
        running.dispose();
      }
    },
  });
}
