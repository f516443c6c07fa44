import { needWhole } from "../data/options.ts";
import type { Machine, Process } from "./clock.ts";
import type { Site } from "./cluster.ts";
import { type Codec, withFeedback } from "./codec.ts";
import { backups } from "./parts/backups.ts";
import { shardOf } from "./parts/course.ts";
import { disposeAll, type Slope } from "./parts/trainer.ts";
import { weighted } from "./parts/vectors.ts";
import { program } from "./program.ts";

/** What a worker sends: the gradient at a version of the weights. */
interface Pushed {
  readonly version: number;
  readonly slope: Slope;
}

/**
 * A parameter server: it sends its weights out, and takes a step when enough workers have answered with a gradient; late ones are left out.
 *
 * `wait` is how many answers it waits for; 0 waits for all. The others are backup workers, who make a slow machine cost less. "dynamic" chooses
 * anew at each step how many: DBW takes the number with the largest estimated gain for each second, where the gain of `k` gradients is
 * `(η − Lη²/2) ‖∇F‖² − Lη² V / (2k)`. A worker that has answered, also too late, goes on with the newest weights there are. With one worker it
 * is plain training, bit for bit.
 *
 * Li et al. 2014 (OSDI); backup workers: Chen et al. 2016, arXiv:1604.00981; DBW: Xu, Neglia and Sebastianelli 2020, arXiv:2004.14696, section 3.
 * Differs from the paper: the time until the `k`-th answer is the mean over the last steps in which so many came, made to rise with `k` by
 * pooling neighbours, in place of its constrained least squares over pairs of choices; the smoothness comes from the sum over those steps.
 *
 * Implements: P235 DBW dynamic backup workers
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.parameterServer({ wait: 6 }).spec.options; // { wait: 6, codec: null, memory: 20 }
 * ```
 */
export const parameterServer = program(
  "parameterServer",
  {
    /** How many gradients a step waits for: a number, 0 for all, or "dynamic". */
    wait: 0 as number | "dynamic",
    /** What gradients are coded with on their way. */
    codec: null as Codec | null,
    /** Steps that "dynamic" looks back over. */
    memory: 20,
  },
  ({ wait, codec, memory }) => {
    if (wait !== "dynamic") needWhole("parameterServer", "wait", wait, 0);
    needWhole("parameterServer", "memory", memory);
    return (site) => {
      const { workers, server, clock, trainer, course, updated } = site;
      const central = trainer.replica(workers);
      const replicas = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      const policy = wait === "dynamic" ? backups(workers, memory) : null;
      const most = wait === "dynamic" || wait === 0 ? workers : Math.min(wait, workers);

      function* serve(me: Machine): Process {
        let statistics: Float32Array | undefined;
        for (let version = 0; version < course.updates; version++) {
          const began = me.now;
          const vector = withStatistics(central.vector(), statistics, trainer.weights);
          for (let worker = 0; worker < workers; worker++)
            me.send(worker, "weights", { version, vector }, 4 * trainer.weights);
          const whole = course.at(version);
          const count = Math.min(policy?.choose(whole.rate) ?? most, whole.batch.current);
          const came: { readonly slope: Slope; readonly after: number }[] = [];
          while (came.length < count) {
            const { body } = yield* me.receive<Pushed>("gradient");
            if (body.version === version) came.push({ slope: body.slope, after: me.now - began });
          }
          const slopes = came.map(({ slope }) => slope);
          const rows = slopes.reduce((sum, slope) => sum + slope.rows, 0);
          const mean = weighted(
            slopes.map(({ gradient }) => gradient),
            slopes.map((slope) => slope.rows / rows),
          );
          central.update(mean, whole.rate);
          const loss = slopes.reduce((sum, slope) => sum + (slope.loss * slope.rows) / rows, 0);
          policy?.met({ slopes, mean, loss, rate: whole.rate, after: came.map(({ after }) => after) });
          statistics = replicas[0]!.vector();
          const final = statistics;
          updated(me, {
            update: version + 1,
            loss,
            vector: () => withStatistics(central.vector(), final, trainer.weights),
          });
        }
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, (me) => work(site, replicas[k]!, codec, me), { server: true });
      clock.spawn(server, serve);
      return {
        end: () => withStatistics(central.vector(), replicas[0]!.vector(), trainer.weights),
        dispose: () => disposeAll([central, ...replicas]),
      };
    };
  },
);

/** A worker: it takes the newest weights, answers with a gradient, and so on. */
function* work(
  { workers, server, trainer, course, seconds }: Site,
  own: ReturnType<Site["trainer"]["replica"]>,
  codec: Codec | null,
  me: Machine,
): Process {
  const code = withFeedback(codec, trainer.layers, trainer.root.at("codec", me.index));
  for (;;) {
    let got = (yield* me.receive<{ version: number; vector: Float32Array }>("weights")).body;
    for (let newer = me.take<typeof got>("weights"); newer !== undefined; newer = me.take("weights")) got = newer.body;
    const part = shardOf(course.at(got.version), me.index, workers);
    if (part === null) continue;
    const slope = yield* me.work(seconds(me.index, part.batch.current, got.version), "gradient", () => {
      own.place(got.vector.subarray(0, trainer.weights));
      return own.gradient(part);
    });
    const { vector, bytes } = code(slope.gradient);
    me.send(
      server,
      "gradient",
      { version: got.version, slope: { ...slope, gradient: vector } } satisfies Pushed,
      bytes,
    );
  }
}

/** Weights with running statistics of a worker, where there are some. */
function withStatistics(weights: Float32Array, of: Float32Array | undefined, size: number): Float32Array {
  if (of === undefined) return weights;
  const out = of.slice();
  out.set(weights.subarray(0, size));
  return out;
}
