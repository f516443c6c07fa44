import type { Machine, Process } from "./clock.ts";
import { type Codec, withFeedback } from "./codec.ts";
import { disposeAll, type Slope } from "./parts/trainer.ts";
import { program } from "./program.ts";

/**
 * Asynchronous SGD: each worker takes batches of its own as fast as it can, and the server steps with every gradient as it comes, whatever
 * the weights were at which it was computed.
 *
 * `damping` divides the rate of a step by `(1 + staleness)^damping`. A run has the batches of plain training; the next free worker takes the
 * next one. With one worker and no damping it is plain training, bit for bit.
 *
 * Dean et al. 2012 (Downpour SGD, NeurIPS); rates by staleness: Zhang et al. 2016, arXiv:1511.05950, eq. 6 (`damping: 1`).
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.asynchronous({ damping: 1 }).spec.options; // { damping: 1, codec: null }
 * ```
 */
export const asynchronous = program(
  "asynchronous",
  {
    /** How much less a stale gradient counts; 0 counts all alike. */
    damping: 0,
    /** What gradients are coded with on their way. */
    codec: null as Codec | null,
  },
  ({ damping, codec }) =>
    ({ workers, server, clock, trainer, course, seconds, updated }) => {
      const central = trainer.replica(workers);
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      let taken = 0;
      function* work(me: Machine): Process {
        const own = replicas[me.index]!;
        const code = withFeedback(codec, trainer.layers, trainer.root.at("codec", me.index));
        for (;;) {
          const { body } = yield* me.receive<{ readonly version: number; readonly vector: Float32Array }>("weights");
          if (taken === course.updates) return;
          const k = taken++;
          const pass = course.at(k);
          const slope: Slope = yield* me.work(seconds(me.index, pass.batch.current, k), "gradient", () => {
            own.place(body.vector);
            return own.gradient(pass);
          });
          const { vector, bytes } = code(slope.gradient);
          me.send(
            server,
            "gradient",
            { version: body.version, loss: slope.loss, gradient: vector, rate: pass.rate },
            bytes,
          );
        }
      }
      function* serve(me: Machine): Process {
        const give = (worker: number, version: number): void =>
          me.send(
            worker,
            "weights",
            { version, vector: central.vector().subarray(0, trainer.weights) },
            4 * trainer.weights,
          );
        for (let worker = 0; worker < workers; worker++) give(worker, 0);
        for (let version = 0; version < course.updates; version++) {
          const { from, body } = yield* me.receive<{
            version: number;
            loss: number;
            gradient: Float32Array;
            rate: number;
          }>("gradient");
          const staleness = version - body.version;
          central.update(body.gradient, body.rate / (1 + staleness) ** damping);
          updated(me, { update: version + 1, loss: body.loss, staleness, vector: () => central.vector() });
          give(from, version + 1);
        }
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, work, { server: true });
      clock.spawn(server, serve);
      return {
        end() {
          const out = replicas[0]!.vector();
          out.set(central.vector().subarray(0, trainer.weights));
          return out;
        },
        dispose: () => disposeAll([central, ...replicas]),
      };
    },
);
