/** Another run from a place in one: what would have happened with other strategies from there on. */
import { join } from "node:path";
import type { TrainedNetwork } from "../models/trained.ts";
import type { Batching } from "../optim/batching.ts";
import type { Optimizer, Schedule } from "../optim/optimizer.ts";
import type { Figure } from "../plots/figure.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { TrainEvent } from "../train/events.ts";
import { type FitOptions, fit } from "../train/fit.ts";
import {
  type Evaluation,
  evaluation,
  type RunSpec,
  requireSound,
  specHash,
  specJson,
  type Training,
  training,
} from "../train/spec.ts";
import { carriedOver, type Place } from "../train/state.ts";
import { type Ends, type LandscapeOptions, landscape } from "./landscape.ts";
import { nameOf, taskNames } from "./name.ts";
import { momentOfEach } from "./parts/joined.ts";
import { runKey } from "./parts/key.ts";
import type { Spot } from "./place.ts";
import { recorded } from "./recorded.ts";
import { makeRun, type Run, type RunLog } from "./run.ts";
import { trainedNetwork } from "./trained-network.ts";
import { type Past, travel } from "./travel.ts";

/** What may be different from a place on: anything but the stream and the model. */
export interface Changes {
  readonly strategies?: readonly Strategy[];
  readonly optimizer?: Optimizer;
  readonly schedule?: Schedule;
  readonly batching?: readonly Batching[];
  readonly training?: Partial<Training>;
  readonly evaluation?: Partial<Evaluation>;
  /** Whether a strategy of the same name but with other options keeps what it holds: right for a strength, wrong for the size of a buffer. Default false. */
  readonly keep?: boolean;
}

/** Settings of a fork. */
export interface ForkOptions {
  /** Which of the run's seeds; all by default. */
  readonly seeds?: readonly number[];
  readonly signal?: AbortSignal;
  /** Where the fork ends, when not at the end of the stream: `task(2)` is the moment before it begins. It can be forked on from there. */
  readonly until?: Spot;
}

/** A run at a place. */
export interface Instant {
  /**
   * The run that goes on from here with other strategies, optimizer, schedule, training or evaluation. What both have goes on as it was:
   * weights, optimizer state, the buffers of strategies with the same options. A strategy that is new begins here. With no change at all
   * the fork gives the same numbers as the run.
   */
  fork(changes?: Changes, options?: ForkOptions): Promise<Run>;
  /**
   * The loss of the tasks met on the straight way from the weights here to those at another place: a bump between them is a barrier.
   */
  landscape(to: Spot, options?: LandscapeOptions & { readonly seeds?: readonly number[] }): Promise<Figure>;
  /** The state of one seed's run here, as `fit` takes it, and the events until here. */
  state(seed?: number): Promise<Past>;
}

/** Where a run came from, so that one can go back into it. */
export interface Lineage {
  readonly spec: RunSpec;
  /** The folder that the runs are recorded in, and the folder of each seed's run there. */
  readonly store?: string;
  readonly folders?: ReadonlyMap<number, { readonly folder: string; readonly key: string }>;
  /** How a run that was itself forked began. */
  readonly begun?: (seed: number) => Promise<Past>;
  /** Where the runs end, when that is not the end of the stream. */
  readonly until?: Place;
  /** The states at the ends of seeds' runs, where they were kept. */
  readonly ends?: ReadonlyMap<number, Uint8Array>;
  /** The runs of single seeds that it was put together from: each goes back into its own. */
  readonly each?: readonly Run[];
}

/** Goes to a place in a run that was trained in this session. */
export function momentOf(run: Run, source: Lineage, spot: Spot): Instant {
  if (source.each !== undefined) return momentOfEach(source.each, spot);
  const past = async (seed = run.logs[0]!.seed): Promise<Past> =>
    travel(source.spec, seed, placeIn(run, source, spot, seed), source.folders?.get(seed)?.folder, source.begun);
  const instant: Instant = {
    state: past,
    fork: (changes = {}, options = {}) => forked(run, source, spot, past, changes, options),
    async landscape(to, { seeds = run.logs.map((log) => log.seed), ...options } = {}) {
      const there = momentOf(run, source, to);
      const ends: Ends[] = [];
      for (const seed of seeds)
        ends.push({ seed, from: (await past(seed)).state, to: (await there.state(seed)).state });
      return landscape(source.spec, ends, [spot.name, to.name], options);
    },
  };
  return Object.freeze(instant);
}

/** The network of a run that was trained in this session, as its end left it. */
export async function networkOf(run: Run, source: Lineage, seed: number): Promise<TrainedNetwork> {
  const { spec, folders, begun, until, ends, each } = source;
  eventsOf(run, seed, "network");
  if (each !== undefined) return each.find(({ logs }) => logs[0]!.seed === seed)!.network({ seed });
  const kept = ends?.get(seed);
  if (kept !== undefined) return trainedNetwork(spec, seed, kept);
  const { state } = await travel(spec, seed, until ?? null, folders?.get(seed)?.folder, begun);
  return trainedNetwork(spec, seed, state);
}

/** A place in one seed's run. Of a run that was stopped, the place where it ends is one, though nothing has happened there yet. */
function placeIn(run: Run, { spec, until }: Lineage, spot: Spot, seed: number): Place {
  const events = eventsOf(run, seed);
  const same = (place: Place | null): boolean =>
    place?.experience === until?.experience && place?.local === until?.local;
  return until !== undefined && same(spot.ahead(spec.stream)) ? until : spot.in(events);
}

function eventsOf(run: Run, seed: number, asked = "at"): readonly TrainEvent[] {
  const log = run.logs.find((each) => each.seed === seed);
  if (log === undefined)
    throw new RangeError(
      `${asked}: one of the seeds ${run.logs.map((l) => l.seed).join(", ")} is required, got ${seed}`,
    );
  return log.events;
}

async function forked(
  run: Run,
  source: Lineage,
  spot: Spot,
  past: (seed: number) => Promise<Past>,
  changes: Changes,
  { seeds = run.logs.map((log) => log.seed), signal, until: stop }: ForkOptions,
): Promise<Run> {
  const spec: RunSpec = {
    ...source.spec,
    ...(changes.strategies === undefined ? {} : { strategies: changes.strategies }),
    ...(changes.optimizer === undefined ? {} : { optimizer: changes.optimizer }),
    ...(changes.schedule === undefined ? {} : { schedule: changes.schedule }),
    ...(changes.batching === undefined ? {} : { batching: changes.batching }),
    training: training({ ...source.spec.training, ...changes.training }),
    evaluation: evaluation({ ...source.spec.evaluation, ...changes.evaluation }),
  };
  requireSound(spec);
  const { store } = source;
  const until = stop?.ahead(spec.stream) ?? undefined;
  for (const seed of until === undefined ? [] : seeds)
    requireLater(until!, placeIn(run, source, spot, seed), stop!, spot);
  const ending = until === undefined ? {} : { until };
  const begun = async (seed: number): Promise<Past> => {
    const found = await past(seed);
    return { ...found, state: carriedOver(found.state, source.spec, spec, seed, { keep: changes.keep ?? false }) };
  };
  const name = nameOf(spec) === nameOf(source.spec) ? `${run.name}, forked` : `${run.name} → ${nameOf(spec)}`;
  const logs: RunLog[] = [];
  const folders = new Map<number, { folder: string; key: string }>();
  for (const seed of seeds) {
    const events: TrainEvent[] = [];
    for await (const event of await followed(seed)) events.push(event);
    logs.push({ seed, events });
  }
  const from: Lineage = { spec, begun, ...(store === undefined ? {} : { store, folders }), ...ending };
  return makeRun({ name, spec: specJson(spec), hash: specHash(spec), tasks: taskNames(spec), logs }, from);

  async function followed(seed: number): Promise<AsyncIterable<TrainEvent>> {
    const parent = source.folders?.get(seed);
    if (store === undefined || parent === undefined) return goOn(spec, seed, await begun(seed), until, signal);
    const key = runKey(
      spec,
      seed,
      { key: parent.key, step: stepOf(placeIn(run, source, spot, seed), run, seed) },
      until,
    );
    const folder = join(store, key.folder);
    folders.set(seed, { folder, key: key.key });
    return recorded(
      spec,
      seed,
      { folder, key, name, tasks: taskNames(spec), past: () => begun(seed), ...ending },
      signal,
    );
  }
}

/** The step in the run that a place is at. */
function stepOf({ experience, local }: Place, run: Run, seed: number): number {
  const events = eventsOf(run, seed);
  const begun = events.find((event) => event.type === "boundary" && event.experience === experience);
  return (begun?.step ?? events.at(-1)?.step ?? 0) + local;
}

/** Throws unless a fork has something to do. */
function requireLater(until: Place, from: Place, stop: Spot, spot: Spot): void {
  if (until.experience > from.experience || (until.experience === from.experience && until.local > from.local)) return;
  throw new RangeError(`fork: a place after ${spot.name} is required as until, got ${stop.name}; name a later one`);
}

async function* goOn(
  spec: RunSpec,
  seed: number,
  { state, events }: Past,
  until: Place | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<TrainEvent> {
  yield* events;
  const options: FitOptions = {
    seed,
    from: state,
    ...(signal === undefined ? {} : { signal }),
    ...(until === undefined ? {} : { until, ends: true }),
  };
  const fitting = fit(spec, options);
  try {
    yield* fitting;
  } finally {
    fitting.dispose();
  }
}
