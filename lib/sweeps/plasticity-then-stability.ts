/** Settings found on the first tasks alone: how fast to learn, and then how much of it may be given up for remembering. */
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { TrainEvent } from "../train/events.ts";
import { type FitOptions, fit } from "../train/fit.ts";
import type { RunSpec } from "../train/spec.ts";
import { carriedOver } from "../train/state.ts";

/** What the search is told. */
export interface PlasticityThenStability {
  /** Learning rates to try, and the optimizer of one. */
  readonly rates: readonly number[];
  readonly optimizer: (rate: number) => Optimizer;
  /** The largest strength of remembering, and the strategies of one: `(lambda) => [ewc({ lambda })]`. */
  readonly strongest: number;
  readonly strategies: (strength: number) => readonly Strategy[];
  /** How many of the first tasks are used. Default 3. */
  readonly tasks?: number;
  /** What the strength is multiplied by each time. Default 0.5. */
  readonly decay?: number;
  /** The share of the best accuracy on a new task that may be lost. Default 0.2. */
  readonly tolerance?: number;
  /** How often the strength is lowered at most, per task. Default 7. */
  readonly rounds?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** What was found, and everything that was tried. */
export interface FoundStrength {
  readonly rate: number;
  readonly strength: number;
  /** One row per trial: task, phase, rate, strength, accuracy on the new task. */
  readonly trials: DataFrame;
}

/**
 * Searches the settings of a method on the first tasks of its stream, and keeps them for the rest: nothing of the later tasks is looked at.
 *
 * On each of the first tasks, from where the method stands: (1) plain training with every learning rate; the best accuracy on the new task
 * is `A*`. (2) The method with the strength as it is, lowered by `decay` until its accuracy on the new task is at least `(1 − tolerance) · A*`.
 *
 * M. De Lange et al., A continual learning survey, TPAMI 2022, section 4.3 (arXiv:1909.08383), as in M. Masana et al., TPAMI 2023 (FACIL).
 * Differs from the paper: accuracy is measured on the test examples of these first tasks; give a stream whose tests are validation
 * examples to keep them apart.
 *
 * @example
 * ```ts
 * import { blobs, classes, ewc, mlp, plasticityThenStability, sgd } from "thalweg";
 * const study = classes(blobs({ classes: 6 })).split(3).learn(mlp({ hidden: [16] }));
 * const { rate, strength } = await plasticityThenStability(study, {
 *   rates: [0.01, 0.1],
 *   optimizer: (lr) => sgd({ lr }),
 *   strongest: 100,
 *   strategies: (lambda) => [ewc({ lambda })],
 *   tasks: 2,
 * });
 * const final = study.by(ewc({ lambda: strength })).with(sgd({ lr: rate }));
 * ```
 */
export async function plasticityThenStability(
  study: { readonly spec: RunSpec },
  options: PlasticityThenStability,
): Promise<FoundStrength> {
  const {
    rates,
    optimizer,
    strategies,
    tasks = 3,
    decay = 0.5,
    tolerance = 0.2,
    rounds = 7,
    seed = 0,
    signal,
  } = options;
  if (rates.length === 0)
    throw new RangeError("plasticityThenStability: at least one learning rate is required, got none");
  const rows: { task: number; phase: string; rate: number; strength: number | null; accuracy: number }[] = [];
  let [rate, strength] = [rates[0]!, options.strongest];
  let reached: { readonly spec: RunSpec; readonly state: Uint8Array } | undefined;
  for (let at = 0; at < Math.min(tasks, study.spec.stream.length); at++) {
    const trial = async (spec: RunSpec): Promise<Trial> => {
      const from = reached && carriedOver(reached.state, reached.spec, spec, seed, { keep: true });
      return through(spec, at, { seed, ...(from && { from }), ...(signal && { signal }) });
    };
    let best = -1;
    for (const each of rates) {
      const { accuracy } = await trial({ ...study.spec, strategies: [], optimizer: optimizer(each) });
      rows.push({ task: at, phase: "plasticity", rate: each, strength: null, accuracy });
      if (accuracy > best) [best, rate] = [accuracy, each];
    }
    for (let round = 0; ; round++) {
      const spec = { ...study.spec, strategies: strategies(strength), optimizer: optimizer(rate) };
      const { accuracy, state } = await trial(spec);
      rows.push({ task: at, phase: "stability", rate, strength, accuracy });
      if (state !== undefined && (accuracy >= (1 - tolerance) * best || round >= rounds)) {
        reached = { spec, state };
        break;
      }
      if (round >= rounds)
        throw new Error(
          `plasticityThenStability: a strength that can be trained with is required, got none from ${options.strongest} down to ${strength}; begin with a smaller one`,
        );
      strength *= decay;
    }
  }
  return { rate, strength, trials: frame(rows) };
}

/** The accuracy on a new task after learning it, and the state then; a run whose loss grew beyond all bounds learned nothing and has none. */
interface Trial {
  readonly accuracy: number;
  readonly state: Uint8Array | undefined;
}

/** Trains one experience and gives the accuracy on its task after it, and the state before the next. */
async function through(spec: RunSpec, experience: number, options: FitOptions): Promise<Trial> {
  const every = { ...spec, evaluation: { ...spec.evaluation, every: "experience" as const } };
  const fitting = fit(every, { ...options, until: { experience: experience + 1, local: 0 } });
  const task = spec.stream.taskOf(experience);
  let found: (TrainEvent & { type: "evaluated" }) | undefined;
  try {
    for await (const event of fitting)
      if (event.type === "evaluated" && event.at === "experience" && event.after === experience && event.on === task)
        found = event;
    return { accuracy: found?.accuracy ?? 0, state: fitting.save() };
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith("fit: a finite loss"))
      return { accuracy: 0, state: undefined };
    throw error;
  } finally {
    fitting.dispose();
  }
}
