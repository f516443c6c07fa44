import { needWhole } from "../data/options.ts";
import type { Machine, Process } from "./clock.ts";
import { shardOf } from "./parts/course.ts";
import { ringSum } from "./parts/ring.ts";
import { disposeAll } from "./parts/trainer.ts";
import { weighted } from "./parts/vectors.ts";
import { program } from "./program.ts";

/**
 * Local SGD: every worker trains by itself on its part of each batch, and every so many steps the weights are averaged.
 *
 * With plain SGD and an average after every step it is training on the whole batch; with one worker it is plain training, bit for bit.
 * Running statistics are averaged with the weights; each worker's optimizer keeps its own state.
 *
 * Stich 2019, arXiv:1805.09767, algorithm 1.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.localSgd({ every: 16 }).spec.options; // { every: 16 }
 * ```
 */
export const localSgd = program(
  "localSgd",
  {
    /** Steps between averages. */
    every: 8,
  },
  ({ every }) => {
    needWhole("localSgd", "every", every);
    return ({ workers, clock, trainer, course, seconds, updated }) => {
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      function* worker(me: Machine): Process {
        const own = replicas[me.index]!;
        for (let k = 0; k < course.updates; k++) {
          const part = shardOf(course.at(k), me.index, workers);
          const rows = part?.batch.current ?? 0;
          const loss = yield* me.work(part === null ? 0 : seconds(me.index, rows, k), "step", () =>
            part === null ? 0 : own.step(part),
          );
          const meets = (k + 1) % every === 0 || k === course.updates - 1;
          if (meets && workers > 1) {
            const sum = yield* ringSum(me, workers, weighted([own.vector()], [1 / workers]), "weights");
            own.place(sum);
          }
          if (me.index === 0) updated(me, { update: k + 1, loss, vector: () => own.vector() });
        }
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, worker);
      return { end: () => replicas[0]!.vector(), dispose: () => disposeAll(replicas) };
    };
  },
);
