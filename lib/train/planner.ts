/** The plan of a run that changes as it goes: its parts are asked before every step, and told what happened. */
import type { Examples } from "../data/dataset.ts";
import type { Rng } from "../engine/index.ts";
import type { Network } from "../models/network.ts";
import type { Listening } from "../optim/listening.ts";
import type { Moment } from "../optim/optimizer.ts";
import { course, decided, deciding, type Parts, type Spot } from "./parts/course.ts";
import { hearsOf, newsOf, noNews, type Outcome, type Window, withOutcome } from "./parts/hearing.ts";
import { resolutions } from "./parts/resolution.ts";
import { viewed } from "./parts/viewing.ts";
import { batches, type Plan, type Update } from "./plan.ts";
import type { RunSpec } from "./spec.ts";

/** Where a plan is, and what its parts have heard: plain data, part of the run's state. A type, so that it is saved as it is. */
export type PlanState = Spot & {
  readonly experience: number;
  /** Steps of the experience as they were known when it began, and as they are now. */
  readonly first: number;
  readonly steps: number;
  /** The order of the pass under way, where a part makes it. */
  readonly order: Uint32Array | null;
  /** The last loss of each example, where a part wants them. */
  readonly losses: Float32Array | null;
  /** The state of each part that listens, and what it will be told next. */
  readonly heard: { readonly [part: string]: { readonly state: object; readonly news: Window } };
};

/** Lays out the experiences of a run whose plan changes. */
export interface Planner {
  /** To be saved between two units of work. */
  readonly state: PlanState | undefined;
  /** The steps of an experience, `local` of which were taken. */
  enter(experience: number, examples: Examples, task: number, local: number): Plan;
  /** Tells what the updates came to that were laid out, in order. */
  tell(outcomes: readonly Outcome[]): void;
}

/** The name under which a schedule's state is kept. */
const scheduled = "schedule";

/** The planner of a run, or null where its plan is fixed: then `plan` lays out the steps. */
export function planner(
  spec: RunSpec,
  network: Network,
  root: Rng,
  /** What the head gets for the examples of a table, by the network as it is. */
  featuresOf: (examples: Examples) => Float32Array,
  saved?: PlanState,
): Planner | null {
  const { schedule, training, batching: all = [] } = spec;
  if (all.length === 0 && schedule.listens === undefined) return null;
  const ears: (readonly [name: string, listens: Listening<object>])[] = [
    ...all.map(({ spec: { name }, plan }) => [name, plan.listens] as const),
    [scheduled, schedule.listens] as const,
  ].flatMap(([name, listens]) => (listens === undefined ? [] : [[name, listens] as const]));
  let state = saved;
  let laid: { readonly moment: Required<Moment>; readonly ends: boolean }[] = [];
  let waits = false;
  let foresee = (): void => {};
  const parts: Parts = { all, heard: (name) => state?.heard[name]?.state };
  const orderer = deciding(parts, "order");
  const sided = deciding(parts, "side");
  const resolutionAt = sided && resolutions(sided, network);
  const isOpen = deciding(parts, "batch") !== undefined || deciding(parts, "accumulate") !== undefined;
  const isTold = (every: Listening<object>["every"], step: number, ends: boolean): boolean =>
    every === "epoch" ? ends : (step + 1) % every === 0;

  function enter(experience: number, examples: Examples, task: number, local: number): Plan {
    const rng = root.at("order", experience);
    const made = batches(examples, task);
    const way = course(parts, training, experience, examples.length);
    if (state?.experience !== experience) {
      const heard = ears.map(([name, listens]) => {
        const had = parts.heard(name);
        const now = had === undefined ? listens.begin() : (listens.enter?.(had) ?? had);
        return [name, { state: now, news: noNews }] as const;
      });
      const start = { epoch: 0, taken: 0, seen: 0 };
      const losses = orderer?.plan.losses === true ? new Float32Array(examples.length).fill(Number.NaN) : null;
      const steps = training.steps || training.epochs * Math.ceil(examples.length / training.batch);
      state = { ...start, experience, first: 0, steps, order: null, losses, heard: Object.fromEntries(heard) };
      const found = examples.length === 0 ? 0 : way.foreseen(start, 0, steps).steps;
      state = { ...state, first: found, steps: found };
      // A run that went on with another plan in the middle of an experience.
      if (local > 0) state = { ...state, ...way.foreseen(start, 0, found, local).at };
    }
    [laid, waits] = [[], false];
    let drawn: { readonly epoch: number; readonly order: Uint32Array } | undefined;

    /** Whether the network has to be asked before the pass under way, so that no update may be laid out ahead of it. */
    const looks = (): boolean => state!.order === null && orderer?.plan.features?.(state!.epoch) === true;

    /** The order of the pass under way. */
    function passOrder(): Uint32Array {
      const { epoch, order, losses } = state!;
      if (order !== null) return order;
      if (orderer !== undefined) {
        const { labels } = examples;
        const { epochs, batch } = training;
        const rngs = (n: number): Rng => rng.at("passes", n);
        const features = looks() ? featuresOf(examples) : null;
        const pass = { labels, experience, epoch, epochs, batch, losses, features, rng: rng.at("pass", epoch), rngs };
        const own = orderer.plan.order!(pass, parts.heard(orderer.spec.name));
        requirePlaces(orderer.spec.name, own, examples.length);
        state = { ...state!, order: own };
        return own;
      }
      if (drawn?.epoch === epoch) return drawn.order;
      const straight = (): Uint32Array => Uint32Array.from({ length: examples.length }, (_, i) => i);
      const order_ = training.shuffle ? rng.at("shuffle", epoch).permutation(examples.length) : straight();
      drawn = { epoch, order: order_ };
      return order_;
    }

    foresee = () => {
      const { steps, ...at } = state!;
      const step = laid.at(-1)!.moment.step + 1;
      state = { ...at, steps: way.foreseen(at, step, steps).steps };
    };

    function next(step: number, run: number): Update | null {
      const from = state!;
      if (laid.length > 0 && looks()) return null;
      const pass = passOrder();
      const here = { step, run, steps: from.steps, length: pass.length };
      const found = way.next(from, here);
      if (found === null) return null;
      const { batch, count, to, ends } = found;
      const told = ears.map(([, listens]) => listens).filter(({ every }) => isTold(every, step, ends));
      const hears = hearsOf(told, from.losses !== null);
      // A step that has more to give is a program of its own.
      if (laid.length > 0 && hears?.norm === true) return null;
      const moment = way.moment(from, here);
      const divided = told.map(({ hears: what = [], parts: n = 2 }) => (what.includes("variance") ? n : 1));
      const rows = Math.min(
        batch,
        decided(parts, "most", moment, 0) || batch,
        Math.ceil(count / Math.max(1, ...divided)),
      );
      const views = decided(parts, "views", moment, 1);
      const resolution = resolutionAt?.(moment, parts.heard(sided!.spec.name));
      const cut = Array.from({ length: Math.ceil(count / rows) }, (_, j) =>
        made(pass.slice(from.taken + j * rows, from.taken + Math.min(count, (j + 1) * rows)), views),
      );
      const factor = all.reduce(
        (product, { spec: { name }, plan }) => product * (plan.rate?.(moment, parts.heard(name)) ?? 1),
        schedule.factor(moment, parts.heard(scheduled)),
      );
      state = { ...state!, ...to, ...(ends && { order: null }) };
      laid.push({ moment, ends });
      waits = told.length > 0 || (ends && from.losses !== null);
      return { batches: cut, moment, factor, ...(hears && { hears }), ...(resolution && { resolution }) };
    }

    const isSeen = deciding(parts, "view") !== undefined;
    /** Where a pass turned out to have no step at all. */
    let ended = Number.POSITIVE_INFINITY;
    return {
      examples,
      task,
      steps: state.first,
      done: (step) => examples.length === 0 || step >= ended || way.over(state!, step),
      next(step, run) {
        if (waits || way.over(state!, step)) return null;
        const update = next(step, run);
        if (update === null && laid.length === 0) ended = step;
        return update;
      },
      ...(isSeen && {
        seen: ({ moment }, part, batch) => viewed(all, moment, batch, root.at("views", moment.taken, part)),
      }),
    };
  }

  function tell(outcomes: readonly Outcome[]): void {
    let changed = false;
    for (const [k, outcome] of outcomes.entries()) {
      const { moment, ends } = laid[k]!;
      const heard = ears.map(([name, { every, hears, told }]) => {
        const { state: had, news } = state!.heard[name]!;
        const window = withOutcome(news, outcome);
        if (!isTold(every, moment.step, ends)) return [name, { state: had, news: window }] as const;
        changed = true;
        return [name, { state: told(had, newsOf(window, outcome, hears), moment), news: noNews }] as const;
      });
      state = { ...state!, heard: Object.fromEntries(heard) };
      for (const { at, values } of outcome.losses ?? []) {
        for (let i = 0; i < at.length; i++) state.losses![at[i]!] = values[i]!;
      }
    }
    if (changed && isOpen) foresee();
    [laid, waits] = [[], false];
  }

  return {
    get state() {
      return state;
    },
    enter,
    tell,
  };
}

function requirePlaces(name: string, order: Uint32Array, count: number): void {
  if (order.length === 0)
    throw new RangeError(`${name}: a pass of at least one example is required, got an empty order`);
  const wrong = order.find((i) => i >= count);
  if (wrong !== undefined)
    throw new RangeError(`${name}: an order of places below ${count} is required, got place ${wrong}`);
}
