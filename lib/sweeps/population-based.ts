/** Settings that change while a population of runs is trained: the worst go on from the best. */
import { withDefaults } from "../data/options.ts";
import { type Rng, random } from "../engine/index.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Spot } from "../runs/place.ts";
import type { TrainEvent } from "../train/events.ts";
import { fit } from "../train/fit.ts";
import type { RunSpec } from "../train/spec.ts";
import { carriedOver } from "../train/state.ts";
import { isDivergence } from "../train/stepped.ts";
import type { Axes, Settings } from "./search.ts";

/** Settings of which a run has had others before. Numbers are multiplied on the way, so that they leave the values they began with. */
export type Changing<A extends Axes> = {
  readonly [K in keyof A]: A[K][number] extends number ? number : A[K][number];
};

/** How a population is trained. */
export interface PopulationOptions {
  /** Where the population is compared: places of the stream, in order. The end of the stream comes besides. */
  readonly at: readonly Spot[];
  /** How many runs. Default 4. */
  readonly size?: number;
  /** The share of them that goes on from one of as many best. Default 0.25. */
  readonly replaced?: number;
  /** What a number is multiplied with when a run goes on from another: one of these by chance. Default 0.8 and 1.2. */
  readonly factors?: readonly number[];
  /** What makes one better: of its events so far. Default the mean accuracy on the tasks as they were last evaluated. */
  readonly score?: (events: readonly TrainEvent[]) => number;
  /** The seed of the runs, and of what is drawn here. Default 0. */
  readonly seed?: number;
}

/** A run of a population at its end. */
export interface Member<A extends Axes> {
  readonly score: number;
  /** The settings that it had from each place on, with those of the runs it comes from: a schedule. */
  readonly schedule: readonly Changing<A>[];
  /** Its events, with those of the runs it comes from. */
  readonly events: readonly TrainEvent[];
}

/** A population at its end. */
export interface Population<A extends Axes> {
  /** The best first. */
  readonly members: readonly Member<A>[];
  /** Which member went on from which, at each place: by their numbers from 0. */
  readonly copies: readonly (readonly (readonly [to: number, from: number])[])[];
  /** One row per member and place. */
  table(): DataFrame;
}

/**
 * Population based training: several runs with different settings, and at some places the worst of them take the weights, and all else a run
 * holds, of the best, with its settings a little changed. What comes out is a network and a schedule of settings, for the cost of as many runs.
 *
 * Settings are drawn from the axes at the start; `build` makes the study of settings, whose stream and model may not depend on them. An optimizer whose
 * options change begins its own state anew.
 *
 * Implements: P394 Population Based Training
 *
 * Jaderberg et al. 2017, "Population based training of neural networks", arXiv:1711.09846, algorithm 1 with truncation selection and perturbation; a run whose
 * loss is not finite is the worst.
 * Differs from the paper: runs are trained in turns up to each place, and begin from the same weights; words and switches are drawn again
 * with a chance of a quarter.
 *
 * @example
 * ```ts
 * import { blobs, classes, experience, mlp, populationBased, sgd } from "thalweg";
 * const study = classes(blobs({ classes: 4 })).learn(mlp({ hidden: [8] })).train({ batch: 8, steps: 20 }).evaluate({ everySteps: 10 });
 * const found = await populationBased({ lr: [0.001, 0.1] }, ({ lr }) => study.with(sgd({ lr })), { at: [experience(0).step(10)], size: 2 });
 * found.members[0]!.schedule.length; // 2
 * ```
 */
export async function populationBased<const A extends Axes>(
  axes: A,
  build: (settings: Changing<A>) => { readonly spec: RunSpec },
  options: PopulationOptions,
): Promise<Population<A>> {
  const { at, size, replaced, factors, score, seed } = withDefaults("populationBased", options, {
    at: [],
    size: 4,
    replaced: 0.25,
    factors: [0.8, 1.2],
    score: lastAccuracy,
    seed: 0,
  } as Required<PopulationOptions>);
  if (!Number.isInteger(size) || size < 2)
    throw new RangeError(`populationBased: at least two runs are required, got ${size}`);
  if (at.length === 0) throw new RangeError("populationBased: at least one place to compare at is required, got none");
  if (!(replaced > 0 && replaced <= 0.5))
    throw new RangeError(`populationBased: replaced must be a share above 0 and at most a half, got ${replaced}`);
  const rng = random(seed).at("population");
  const runs: Going<A>[] = Array.from({ length: size }, (_, i) => {
    const settings = drawn(axes, rng.at("first", i));
    return {
      settings,
      spec: build(settings).spec,
      state: undefined,
      schedule: [settings],
      events: [],
      score: 0,
      diverged: false,
    };
  });
  const copies: (readonly (readonly [number, number])[])[] = [];
  for (const [round, spot] of [...at, null].entries()) {
    for (const run of runs.filter(({ diverged }) => !diverged)) {
      run.diverged = !(await further(run, spot?.ahead(run.spec.stream) ?? undefined, seed));
      run.score = run.diverged ? Number.NEGATIVE_INFINITY : score(run.events);
    }
    if (runs.every(({ diverged }) => diverged))
      throw new Error("populationBased: a run whose loss stays finite is required, got none; lower the learning rates");
    if (spot === null) break;
    const order = runs.map((_, i) => i).sort((a, b) => runs[b]!.score - runs[a]!.score);
    const count = Math.max(1, Math.floor(replaced * size));
    const chosen = rng.at("round", round);
    copies.push(
      order.slice(-count).map((to) => {
        const from = order[chosen.int(count)]!;
        copy(runs[from]!, runs[to]!, perturbed(axes, runs[from]!.settings, factors, chosen.at(to)), build, seed);
        return [to, from] as const;
      }),
    );
    for (const run of runs) run.schedule = [...run.schedule, run.settings];
  }
  const members = runs
    .map(({ score: value, schedule, events }): Member<A> => ({ score: value, schedule, events }))
    .sort((a, b) => b.score - a.score);
  const rows = members.flatMap((member, rank) =>
    member.schedule.map((settings, place) => ({ member: rank + 1, place, ...settings, score: member.score })),
  );
  return { members, copies, table: () => frame(rows as never) };
}

/** A run on its way. */
interface Going<A extends Axes> {
  settings: Changing<A>;
  spec: RunSpec;
  state: Uint8Array | undefined;
  schedule: readonly Changing<A>[];
  events: readonly TrainEvent[];
  score: number;
  /** Its loss was not finite: it waits to go on from another. */
  diverged: boolean;
}

/** Trains a run up to a place, or to its end; whether it came there. */
async function further<A extends Axes>(
  run: Going<A>,
  until: ReturnType<Spot["ahead"]> | undefined,
  seed: number,
): Promise<boolean> {
  const fitting = fit(run.spec, {
    seed,
    ...(run.state !== undefined && { from: run.state }),
    ...(until !== undefined && until !== null && { until }),
  });
  const events: TrainEvent[] = [];
  try {
    for await (const event of fitting) events.push(event);
    run.state = fitting.save();
    run.events = [...run.events, ...events];
    return true;
  } catch (error) {
    if (!isDivergence(error)) throw error;
    return false;
  } finally {
    fitting.dispose();
  }
}

/** Puts what one run is in place of another, with other settings from here on. */
function copy<A extends Axes>(
  from: Going<A>,
  to: Going<A>,
  settings: Changing<A>,
  build: (settings: Changing<A>) => { readonly spec: RunSpec },
  seed: number,
): void {
  const { spec } = build(settings);
  to.state = carriedOver(from.state!, from.spec, spec, seed, { keep: true });
  [to.settings, to.spec, to.schedule, to.events] = [settings, spec, from.schedule, from.events];
  [to.diverged, to.score] = [from.diverged, from.score];
}

function drawn<A extends Axes>(axes: A, rng: Rng): Changing<A> {
  const one = Object.entries(axes).map(([name, values]) => [name, values[rng.int(values.length)]!]);
  return Object.fromEntries(one) as Settings<A> as Changing<A>;
}

function perturbed<A extends Axes>(axes: A, settings: Changing<A>, factors: readonly number[], rng: Rng): Changing<A> {
  const next = Object.entries(settings as Record<string, string | number | boolean>).map(([name, value]) => {
    if (typeof value === "number") return [name, value * factors[rng.int(factors.length)]!];
    const values = axes[name]!;
    return [name, rng.uniform() < 0.25 ? values[rng.int(values.length)]! : value];
  });
  return Object.fromEntries(next) as Changing<A>;
}

/** The mean accuracy on the tasks, each as it was evaluated last. */
function lastAccuracy(events: readonly TrainEvent[]): number {
  const last = new Map<number, number>();
  for (const event of events) if (event.type === "evaluated") last.set(event.on, event.accuracy);
  if (last.size === 0)
    throw new RangeError(
      "populationBased: evaluations before every place are required, got none; use evaluate({ everySteps })",
    );
  return [...last.values()].reduce((sum, value) => sum + value, 0) / last.size;
}
