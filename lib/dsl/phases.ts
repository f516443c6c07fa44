/** Phases: studies one after the other, each with the network of the one before. */
import type { Json } from "../data/dataset.ts";
import { type DataFrame, frame } from "../metrics/frame.ts";
import type { Metric } from "../metrics/metric.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { nameOf, taskNames } from "../runs/name.ts";
import { hashOf, joinedRuns } from "../runs/parts/joined.ts";
import { progress, silent } from "../runs/progress.ts";
import { type Run, shown } from "../runs/run.ts";
import { requireRecord, runMany, type Stopped, seedList } from "../sweeps/many.ts";
import { type RunSpec, specHash, specJson } from "../train/spec.ts";
import type { RunOptions } from "./study.ts";

/** Anything that holds an experiment: a study. */
export interface PhaseStudy {
  readonly spec: RunSpec;
}

/**
 * A phase: a study, or what makes one from the network that the phase before has trained with the same seed; `earlier` are those of all
 * phases so far, the first one's first. Networks are freed when the last phase is over.
 */
export type Phase = PhaseStudy | ((before: TrainedNetwork, earlier: readonly TrainedNetwork[]) => PhaseStudy);

/** Studies one after the other. */
export interface PhasedStudy {
  readonly phases: readonly Phase[];
  /** What the phases are called: as they were named, else by their functions, else by their numbers from 1. */
  readonly names: readonly string[];
  /** Runs all phases with one or more seeds; `until` ends the last one. Records are kept and read for each phase as for any study. */
  run(options?: RunOptions): Promise<PhasedRun>;
  /** Goes on with what was stopped, in whatever phase that was. Throws when nothing of the first phase is recorded. */
  resume(options?: RunOptions): Promise<PhasedRun>;
  /** The names of the phases in a row. */
  readonly name: string;
  /**
   * A fingerprint of the studies and of the text of functions. What a function closes over is not in it, and no result is looked up by it: a
   * record belongs to the study that a function gave, in which the network stands with its checksum.
   */
  readonly hash: string;
  toJSON(): Json;
}

/** What the phases left: a run for each. It shows itself as their summary. */
export interface PhasedRun {
  readonly name: string;
  readonly names: readonly string[];
  /** The run of each phase with all seeds; each can be asked, gone back into and forked as any run. */
  readonly phases: readonly Run[];
  /** The run of the last phase. */
  readonly last: Run;
  /** A fingerprint of the studies that were run, what functions gave included. */
  readonly hash: string;
  /** The network that the last phase has trained; of the first seed when none is named. */
  network(options?: { readonly seed?: number }): Promise<TrainedNetwork>;
  /** One row per phase, seed, experience and task. */
  frame(): DataFrame;
  /** One row per phase and metric. */
  summary(metrics?: readonly Metric[]): DataFrame;
  /** The phases after one of them, from another run of it: a fork, say. Those before it stay. */
  replace(phase: number | string, run: Run, options?: RunOptions): Promise<PhasedRun>;
  toJSON(): {
    readonly name: string;
    readonly names: readonly string[];
    readonly phases: readonly ReturnType<Run["toJSON"]>[];
  };
}

/** Phases under names of one's own. */
type NamedPhases = { readonly [name: string]: Phase };

/**
 * A study of studies: the phases run one after the other, and a phase that is a function gets the network of the one before.
 *
 * Each phase is a study of its own in the record: what is finished is only read, also when a later phase is changed. Without a record the
 * end of each phase stays in memory until the next has begun.
 *
 * @throws RangeError where there is no phase; TypeError when the first is a function, or one gives no study.
 *
 * @example
 * ```ts
 * import { classes, digits, from, mlp, phases } from "thalweg";
 * const stream = classes(digits()).split(2);
 * const two = phases({
 *   pretrain: stream.slice(0, 1).learn(mlp({ hidden: [16] })),
 *   finetune: (network) => stream.slice(1, 2).learn(from(network).freeze("2-dense")),
 * });
 * two.name; // "pretrain → finetune"
 * (await two.run({ quiet: true, record: false })).phases.length; // 2
 * ```
 */
export function phases(...given: readonly Phase[] | readonly [NamedPhases]): PhasedStudy {
  const [list, names] = named(given);
  if (list.length === 0) throw new RangeError("phases: at least one phase is required, got none");
  if (typeof list[0] === "function")
    throw new TypeError(
      "phases: a study is required as the first phase, got a function; there is no network before it",
    );
  const name = names.join(" → ");
  const parts = list.map(described);
  const made: PhasedStudy = {
    phases: list,
    names,
    name,
    run: (options = {}) => follow(list, names, [], options),
    async resume(options = {}) {
      requireRecord((list[0] as PhaseStudy).spec, list.length === 1 ? options : withoutUntil(options));
      return made.run({ record: true, again: false, ...options });
    },
    get hash() {
      return hashOf(list.map((phase, i) => ("spec" in phase ? specHash(phase.spec) : JSON.stringify(parts[i]))));
    },
    toJSON: () => ({ phases: list.map((_, i) => ({ name: names[i]!, ...parts[i]! })) }),
  };
  return Object.freeze(Object.assign(made, { [Symbol.for("nodejs.util.inspect.custom")]: () => name }));
}

function named(given: readonly Phase[] | readonly [NamedPhases]): readonly [readonly Phase[], readonly string[]] {
  const [first] = given;
  const plain = given.length !== 1 || typeof first === "function" || (first !== undefined && "spec" in first);
  if (!plain) return [Object.values(first as NamedPhases), Object.keys(first as NamedPhases)];
  const list = given as readonly Phase[];
  return [list, list.map((phase, i) => (typeof phase === "function" && phase.name) || `phase ${i + 1}`)];
}

function described(phase: Phase): { readonly [key: string]: Json } {
  return "spec" in phase ? { study: specJson(phase.spec) } : { function: Function.prototype.toString.call(phase) };
}

function withoutUntil({ until: _, ...options }: RunOptions): RunOptions {
  return options;
}

/** Runs the phases that are not done. */
async function follow(
  list: readonly Phase[],
  names: readonly string[],
  done: readonly Run[],
  options: RunOptions,
): Promise<PhasedRun> {
  const runs: Run[] = [...done];
  const networks = new Map<number, TrainedNetwork[]>();
  const seeds = seedList(options.seeds ?? 1);
  try {
    for (const [k, run] of done.entries())
      if (list.slice(k + 1).some((phase) => typeof phase === "function")) await remember(networks, run, seeds);
    for (const [k, phase] of list.entries()) {
      if (k < done.length) continue;
      const last = k === list.length - 1;
      const title = `${names[k]} (phase ${k + 1} of ${list.length})`;
      const run = await phaseRun(phase, networks, title, { ...(last ? options : withoutUntil(options)), seeds });
      runs.push(run);
      if (!last) await remember(networks, run, seeds);
    }
  } catch (error) {
    const { run } = error as Partial<Stopped>;
    const phased = phasedRun(list, names, run === undefined ? runs : [...runs, run]);
    throw Object.defineProperty(error as Error, "phased", { value: phased, configurable: true });
  } finally {
    for (const network of [...networks.values()].flat()) network.dispose();
  }
  return phasedRun(list, names, runs);
}

async function remember(networks: Map<number, TrainedNetwork[]>, run: Run, seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) networks.set(seed, [...(networks.get(seed) ?? []), await run.network({ seed })]);
}

/** Runs one phase: all seeds together where the study is the same, else each seed's own. */
async function phaseRun(
  phase: Phase,
  networks: ReadonlyMap<number, readonly TrainedNetwork[]>,
  title: string,
  { quiet = false, ...options }: RunOptions & { readonly seeds: readonly number[] },
): Promise<Run> {
  const specs = options.seeds.map((seed) => specOf(phase, networks.get(seed) ?? [], title));
  const many = (spec: RunSpec, seeds: readonly number[]): Promise<Run> => {
    const shows = quiet ? silent : progress(`${nameOf(spec)}, ${title}`, taskNames(spec));
    return runMany(spec, { ...options, seeds, keepEnds: true, progress: shows });
  };
  if (new Set(specs.map(specHash)).size === 1) return many(specs[0]!, options.seeds);
  const together = Math.max(1, options.workers ?? 0);
  const runs: Run[] = [];
  for (let at = 0; at < specs.length; at += together) {
    const group = specs.slice(at, at + together).map((spec, i) => many(spec, [options.seeds[at + i]!]));
    runs.push(...(await Promise.all(group)));
  }
  return joinedRuns(runs);
}

function specOf(phase: Phase, earlier: readonly TrainedNetwork[], title: string): RunSpec {
  if (typeof phase !== "function") return phase.spec;
  const study = phase(earlier.at(-1)!, earlier) as PhaseStudy | undefined;
  if (study?.spec === undefined)
    throw new TypeError(`phases: a function that gives a study is required for ${title}, got one that gave ${study}`);
  return study.spec;
}

function phasedRun(list: readonly Phase[], names: readonly string[], runs: readonly Run[]): PhasedRun {
  const name = names.join(" → ");
  const rows = (of: (run: Run) => DataFrame): DataFrame =>
    frame(
      runs.flatMap((run, i) =>
        of(run)
          .rows()
          .map((row) => ({ phase: names[i]!, ...row })),
      ),
    );
  const made: PhasedRun = {
    name,
    names,
    phases: runs,
    last: runs.at(-1)!,
    hash: hashOf(runs.map(({ hash }) => hash)),
    network: (options) => made.last.network(options),
    frame: () => rows((run) => run.frame()),
    summary: (metrics) => rows((run) => run.summary(metrics)),
    async replace(phase, run, options = {}) {
      const k = typeof phase === "number" ? phase : names.indexOf(phase);
      if (runs[k] === undefined)
        throw new RangeError(`replace: one of the phases ${names.join(", ")} is required, got ${phase}`);
      const seeds = run.logs.map(({ seed }) => seed);
      return follow(list, names, [...runs.slice(0, k), run], { seeds, ...options });
    },
    toJSON: () => ({ name, names, phases: runs.map((run) => run.toJSON()) }),
  };
  return Object.freeze(
    Object.assign(made, {
      [Symbol.for("Jupyter.display")]: () => shown(made.summary()),
      [Symbol.for("nodejs.util.inspect.custom")]: () => `${name}\n${made.summary().toText()}`,
    }),
  );
}
