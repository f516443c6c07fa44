import { needWhole } from "../data/options.ts";
import type { Machine, Process } from "./clock.ts";
import { disposeAll } from "./parts/trainer.ts";
import { program } from "./program.ts";

/**
 * Hogwild: workers share one memory of weights without locks: each reads them, computes a gradient, and adds its step to whatever is there then.
 *
 * Reading takes `reading` seconds and goes in `pieces`, between which others write, so that what is read was perhaps never there as a whole. No
 * line is used. A run has the batches of plain training; the next free worker takes the next one. With one worker it is plain training, bit for
 * bit.
 *
 * Niu, Recht, Ré and Wright 2011, arXiv:1106.5730, algorithm 1.
 * Differs from the paper: the gradient is dense, and a step is added at one moment.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.hogwild({ pieces: 4, reading: 0.001 }).spec.options; // { pieces: 4, reading: 0.001 }
 * ```
 */
export const hogwild = program(
  "hogwild",
  {
    /** Pieces in which the weights are read, one after the other. */
    pieces: 1,
    /** Seconds that reading takes. */
    reading: 0,
  },
  ({ pieces, reading }) => {
    needWhole("hogwild", "pieces", pieces);
    if (!(reading >= 0 && Number.isFinite(reading)))
      throw new RangeError(`hogwild: a finite number of seconds from 0 on is required for reading, got ${reading}`);
    return ({ workers, clock, trainer, course, seconds, updated }) => {
      const { weights: size } = trainer;
      const shared = trainer.replica(workers);
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      let memory = shared.vector().subarray(0, size);
      let [taken, written] = [0, 0];
      function* work(me: Machine): Process {
        const own = replicas[me.index]!;
        while (taken < course.updates) {
          const k = taken++;
          const pass = course.at(k);
          const version = written;
          const read = new Float32Array(size);
          for (let piece = 0; piece < pieces; piece++) {
            const [from, to] = [piece, piece + 1].map((at) => Math.floor((at * size) / pieces)) as [number, number];
            read.set(memory.subarray(from, to), from);
            if (reading > 0) yield* me.work(reading / pieces, "read");
          }
          const slope = yield* me.work(seconds(me.index, pass.batch.current, k), "gradient", () => {
            own.place(read);
            return own.gradient(pass);
          });
          shared.update(slope.gradient, pass.rate);
          memory = shared.vector().subarray(0, size);
          written++;
          updated(me, {
            update: written,
            loss: slope.loss,
            staleness: written - 1 - version,
            vector: () => shared.vector(),
          });
        }
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, work);
      return {
        end() {
          const out = replicas[0]!.vector();
          out.set(memory);
          return out;
        },
        dispose: () => disposeAll([shared, ...replicas]),
      };
    };
  },
);
