import type { Machine, Process } from "./clock.ts";
import { shardOf } from "./parts/course.ts";
import { addTo } from "./parts/vectors.ts";
import { program } from "./program.ts";

/**
 * Just one byte: machines that can draw one another's noise tell each other only how steep the loss is along their own, in one byte.
 *
 * At step `k` machine `m` draws `z` from the seed of `(m, k)` and measures `g = (L(θ + εz) − L(θ − εz)) / 2ε` on its part of the batch, without a
 * gradient. All machines then take the same step `θ ← θ − η Σₘ shareₘ gₘ zₘ`, of which they draw every `zₘ` themselves, so that they stay equal to
 * the last bit; `shareₘ` is the machine's share of the batch. A byte holds g in 255 steps from `−range` to `range`; 4 `bytes` hold it as it is.
 *
 * Zelikman, Huang, Liang, Haber and Goodman 2023, arXiv:2306.10015; MeZO: Malladi et al. 2023, arXiv:2305.17333, algorithm 1.
 * Differs from the paper: its steps are plain SGD at the study's rate whatever the study's optimizer; which steps a byte has is ours.
 *
 * Implements: P447 Just One Byte
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * simulate.seededSpsa({ epsilon: 0.01 }).spec.options; // { epsilon: 0.01, bytes: 1, range: 20 }
 * ```
 */
export const seededSpsa = program(
  "seededSpsa",
  {
    /** How far the weights are moved to measure. */
    epsilon: 1e-3,
    /** Bytes of a slope on its way: 1 or 4. */
    bytes: 1 as 1 | 4,
    /** The steepest slope that a byte holds. */
    range: 20,
  },
  ({ epsilon, bytes, range }) => {
    if (![1, 4].includes(bytes)) throw new RangeError(`seededSpsa: 1 or 4 bytes are required, got ${bytes}`);
    for (const [name, value] of Object.entries({ epsilon, range }))
      if (!(value > 0 && Number.isFinite(value)))
        throw new RangeError(`seededSpsa: a finite number above 0 is required for ${name}, got ${value}`);
    const coded = (slope: number): number =>
      bytes === 4 ? Math.fround(slope) : (Math.round(Math.max(-1, Math.min(1, slope / range)) * 127) / 127) * range;
    return ({ workers, clock, trainer, course, seconds, updated }) => {
      const { weights: size } = trainer;
      const measure = trainer.replica(0);
      const at = Array.from({ length: workers }, () => measure.vector());
      const noise = (machine: number, k: number): Float32Array =>
        trainer.root.at("spsa", machine, k).fillNormal(new Float32Array(size));

      function* worker(me: Machine): Process {
        const own = at[me.index]!;
        const others = Array.from({ length: workers }, (_, m) => m).filter((m) => m !== me.index);
        for (let k = 0; k < course.updates; k++) {
          const pass = course.at(k);
          const part = shardOf(pass, me.index, workers);
          const found = yield* me.work(
            part === null ? 0 : 2 * seconds(me.index, part.batch.current, k),
            "measure",
            () => {
              if (part === null) return { slope: 0, loss: 0 };
              const z = noise(me.index, k);
              const [up, down] = [epsilon, -epsilon].map((far) => {
                measure.place(addTo(own.slice(0, size), z, far));
                return measure.gradient(part).loss;
              }) as [number, number];
              return { slope: coded((up - down) / (2 * epsilon)), loss: (up + down) / 2 };
            },
          );
          for (const to of others) me.send(to, `slope#${k}#${me.index}`, found.slope, bytes);
          const slopes: number[] = [];
          for (let m = 0; m < workers; m++)
            slopes[m] = m === me.index ? found.slope : (yield* me.receive<number>(`slope#${k}#${m}`)).body;
          for (const [m, slope] of slopes.entries()) {
            const rows = shardOf(pass, m, workers)?.batch.current ?? 0;
            if (rows > 0) addTo(own.subarray(0, size), noise(m, k), (-pass.rate * slope * rows) / pass.batch.current);
          }
          if (me.index === 0) updated(me, { update: k + 1, loss: found.loss, vector: () => own.slice() });
        }
      }
      for (let k = 0; k < workers; k++) clock.spawn(k, worker);
      return {
        end() {
          const differs = at.findIndex((vector) => vector.some((x, i) => x !== at[0]![i]));
          if (differs > 0) throw new Error(`internal: machine ${differs} is no longer equal to the first`);
          return at[0]!;
        },
        dispose: () => measure.dispose(),
      };
    };
  },
);
