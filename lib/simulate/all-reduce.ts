import type { Machine, Process } from "./clock.ts";
import { type Codec, type Coded, withFeedback } from "./codec.ts";
import { shardOf } from "./parts/course.ts";
import { ringSum } from "./parts/ring.ts";
import { disposeAll } from "./parts/trainer.ts";
import { weighted } from "./parts/vectors.ts";
import { program } from "./program.ts";

/**
 * Data-parallel training: every worker computes the gradient of its part of each batch, a ring adds them up, and all take the same step.
 *
 * It is plain training of the whole batch: bit for bit with one worker, up to the order of a sum with more. A worker whose part of a small
 * batch is empty only passes on. Batch normalisation sees each worker's part alone. With a codec every worker sends its coded gradient to
 * every other, for what is coded cannot be added on the way; what a codec leaves out is kept and added to the next gradient (error feedback).
 *
 * Ring: Patarasuk and Yuan, JPDC 2009, section 3: 2(W − 1)/W of the vector's bytes leave each worker. Error feedback: Karimireddy et al. 2019,
 * arXiv:1901.09847, algorithm 1.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.allReduce({ codec: simulate.topK({ share: 0.01 }) }).spec.name; // "allReduce"
 * ```
 */
export const allReduce = program(
  "allReduce",
  {
    /** What gradients are coded with on their way; null sends them as they are. */
    codec: null as Codec | null,
  },
  ({ codec }) =>
    ({ workers, clock, trainer, course, seconds, updated }) => {
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      function* worker(me: Machine): Process {
        const own = replicas[me.index]!;
        const code = withFeedback(codec, trainer.layers, trainer.root.at("codec", me.index));
        for (let k = 0; k < course.updates; k++) {
          const whole = course.at(k);
          const part = shardOf(whole, me.index, workers);
          const rows = part?.batch.current ?? 0;
          const share = rows / whole.batch.current;
          const found = yield* me.work(part === null ? 0 : seconds(me.index, rows, k), "gradient", () =>
            part === null ? { loss: 0, gradient: new Float32Array(trainer.weights) } : own.gradient(part),
          );
          const scaled = workers === 1 ? found.gradient : found.gradient.map((x) => x * share);
          const sum =
            codec === null ? yield* ringSum(me, workers, scaled, "gradient") : yield* gathered(me, k, code(scaled));
          own.update(sum, whole.rate);
          if (me.index === 0) updated(me, { update: k + 1, loss: found.loss, vector: () => own.vector() });
        }
      }
      function* gathered(me: Machine, k: number, mine: Coded): Process<Float32Array> {
        for (let other = 0; other < workers; other++)
          if (other !== me.index) me.send(other, `gradient#${k}`, mine.vector, mine.bytes);
        const all: { readonly from: number; readonly body: Float32Array }[] = [{ from: me.index, body: mine.vector }];
        while (all.length < workers) all.push(yield* me.receive<Float32Array>(`gradient#${k}`));
        const sorted = all.sort((a, b) => a.from - b.from).map(({ body }) => body);
        return weighted(
          sorted,
          sorted.map(() => 1),
        );
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, worker);
      return { end: () => replicas[0]!.vector(), dispose: () => disposeAll(replicas) };
    },
);
