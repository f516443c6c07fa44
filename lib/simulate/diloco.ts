import { needWhole } from "../data/options.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { sgd } from "../optim/optimizers/sgd.ts";
import type { Machine, Process } from "./clock.ts";
import { shardOf } from "./parts/course.ts";
import { ringSum } from "./parts/ring.ts";
import { disposeAll } from "./parts/trainer.ts";
import { addTo, meanOf, minus } from "./parts/vectors.ts";
import { program } from "./program.ts";

/**
 * DiLoCo: workers train by themselves for a round, and an outer optimizer takes the mean way they went as its gradient.
 *
 * Round `t` gives each worker's outer gradient `Δₘ = θ(t−1) − θₘ`. `overlap` says when the mean of them is used. "none": the round ends when
 * it has been summed. "delayed": it is summed while the next round runs, and used at that one's end. "eager": the same, but each worker's
 * own part in the late mean is exchanged for its fresh one, `Δ̂ₘ(t) = (Δₘ(t) + Σ_{j≠m} Δⱼ(t−1)) / M`; workers then differ a little, and the
 * network at the end is their mean. In the first round, when nothing has come yet, "delayed" changes nothing and "eager" takes its own `Δₘ / M`.
 *
 * The inner optimizer is the study's and keeps its state over the rounds.
 *
 * Douillard et al. 2023, arXiv:2311.08105, algorithm 1; eager updates: Kale, Douillard and Donchev 2025, arXiv:2502.12996, section 3.
 * Differs from the papers: the gradients go as 32-bit numbers; the outer momentum is Nesterov's as our `sgd` has it.
 *
 * Implements: P101 DiLoCo eager updates
 *
 * @example
 * ```ts
 * import { sgd, simulate } from "thalweg";
 * simulate.diloco({ every: 20, overlap: "eager", outer: sgd({ lr: 0.4, momentum: 0.9, nesterov: true }) }).spec.name; // "diloco"
 * ```
 */
export const diloco = program(
  "diloco",
  {
    /** Inner steps of a round. */
    every: 20,
    /** What the outer gradient is for: an optimizer. */
    outer: sgd({ lr: 0.7, momentum: 0.9, nesterov: true }) as Optimizer,
    /** When the mean of the outer gradients is used. */
    overlap: "none" as "none" | "delayed" | "eager",
  },
  ({ every, outer, overlap }) => {
    needWhole("diloco", "every", every);
    return ({ workers, clock, trainer, course, seconds, updated }) => {
      const inner = Array.from({ length: workers }, (_, worker) => trainer.replica(worker));
      const outers = Array.from({ length: workers }, (_, worker) => trainer.replica(worker, outer));
      const { weights: size } = trainer;
      function* worker(me: Machine): Process {
        const [own, slow] = [inner[me.index]!, outers[me.index]!];
        let before: Float32Array | undefined;
        for (let k = 0; k < course.updates; k++) {
          const part = shardOf(course.at(k), me.index, workers);
          const rows = part?.batch.current ?? 0;
          const loss = yield* me.work(part === null ? 0 : seconds(me.index, rows, k), "step", () =>
            part === null ? 0 : own.step(part),
          );
          if ((k + 1) % every === 0 || k === course.updates - 1) {
            const now = own.vector();
            const fresh = minus(slow.vector().subarray(0, size), now.subarray(0, size));
            const round = Math.ceil((k + 1) / every);
            summing(me.index, fresh, round);
            const due = overlap === "none" ? round : round - 1;
            const sum = due === 0 ? null : (yield* me.receive<Float32Array>(`sum#${due}`)).body;
            const used = overlap === "eager" ? eager(fresh, before, sum) : sum;
            if (used !== null)
              slow.update(
                used.map((x) => x / workers),
                outer.rate,
              );
            before = fresh;
            own.place(joined(slow.vector(), now));
          }
          if (me.index === 0) updated(me, { update: k + 1, loss, vector: () => own.vector() });
        }
      }
      /** Sums an outer gradient over the workers while its machine goes on. */
      const summing = (index: number, fresh: Float32Array, round: number): void => {
        function* adding(me: Machine): Process {
          me.send(index, `sum#${round}`, yield* ringSum(me, workers, fresh.slice(), `outer gradient#${round}`), 0);
        }
        clock.spawn(index, adding, { server: true });
      };
      const joined = (weights: Float32Array, now: Float32Array): Float32Array => {
        const out = now.slice();
        out.set(weights.subarray(0, size));
        return out;
      };
      for (let k = 0; k < workers; k++) clock.spawn(k, worker);
      return {
        end: () => meanOf(inner.map((each) => each.vector())),
        dispose: () => disposeAll([...inner, ...outers]),
      };
    };
  },
);

/** The mean's numerator with a worker's own part exchanged for its fresh one. */
function eager(fresh: Float32Array, own: Float32Array | undefined, late: Float32Array | null): Float32Array {
  if (own === undefined || late === null) return fresh;
  return addTo(minus(late, own), fresh);
}
