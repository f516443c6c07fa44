/** The state of a run as one value: what is saved, read again, and carried over into a run with other parts. */
import { decode, disposeTree, encode, type Tree } from "../engine/index.ts";
import type { Weights } from "../models/network.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { Adaptation } from "./adapt.ts";
import type { Evaluated, TrainEvent } from "./events.ts";
import type { States } from "./held.ts";
import type { PlanState } from "./planner.ts";
import { type RunSpec, specHash } from "./spec.ts";
import type { Learner } from "./step.ts";

/** Where a run is. */
export interface Cursor {
  readonly phase: "start" | "before" | "train" | "after" | "evaluate" | "done";
  readonly experience: number;
  /** Steps taken on this experience, and in the run. */
  readonly local: number;
  readonly step: number;
  /** Floating-point operations spent on this experience, where the stream limits them; else 0. */
  readonly flops: number;
  /** Floating-point operations that training has taken in the run, what strategies compute included. */
  readonly work: number;
  /** The step at which the network was probed last. */
  readonly probed: number;
  /** Evaluations still to do in this round, and why they are done. */
  readonly pending: readonly number[];
  readonly at: Evaluated["at"];
}

/** A place in a run: so many steps into an experience; with 0 of them, before it begins. */
export interface Place {
  readonly experience: number;
  readonly local: number;
}

/** Whether a run has come to a place, or is past it. */
export function reached({ phase, experience, local }: Cursor, stop: Place): boolean {
  if (experience !== stop.experience) return experience > stop.experience;
  return stop.local === 0 ? phase === "before" : (phase === "train" || phase === "after") && local >= stop.local;
}

/** Everything a run needs to go on. */
export interface Saved {
  readonly format: 1;
  readonly spec: string;
  readonly seed: number;
  readonly cursor: Cursor;
  readonly queue: readonly TrainEvent[];
  readonly learner: Omit<Learner, "optimizer"> & {
    /** Null where the run goes on with another optimizer, whose state begins anew. */
    readonly optimizer: Tree | null;
  };
  readonly states: States;
  /** Where its plan is, and what it heard; absent where the plan is fixed. */
  readonly plan?: PlanState;
  readonly columns: number;
  readonly met: readonly number[];
  /** Columns that the learner was asked to forget. */
  readonly forgotten: readonly number[];
  /** What learning at test time has made of the network so far in a round of evaluations. */
  readonly adapted?: Adaptation;
}

/** Where a run begins. */
export const outset: Cursor = {
  phase: "start",
  experience: 0,
  local: 0,
  step: 0,
  flops: 0,
  work: 0,
  probed: 0,
  pending: [],
  at: "start",
};

/** Reads saved bytes; throws when they are of another experiment or seed. */
export function readState(bytes: Uint8Array, spec: RunSpec, seed: number): Saved {
  const saved = decode(bytes) as Saved;
  if (saved.format !== 1 || saved.spec !== specHash(spec) || saved.seed !== seed) {
    throw new Error(
      `resume: the state of this experiment with seed ${seed} is required, got that of another (seed ${saved.seed}); start anew or restore its own`,
    );
  }
  return saved;
}

/**
 * The state of a run as the state of another that differs in strategies, optimizer, schedule, training or evaluation: what both have goes
 * on, strategies that are new begin here, those that are gone are forgotten with the tensors they trained. A strategy with other options is
 * a new one, unless `keep` says that one of the same name keeps what it holds: right for a strength, wrong for the size of a buffer.
 *
 * @throws Error when stream or model differ: their state has nowhere to go.
 */
export function carriedOver(
  bytes: Uint8Array,
  from: RunSpec,
  to: RunSpec,
  seed: number,
  { keep = false }: { readonly keep?: boolean } = {},
): Uint8Array {
  for (const part of ["stream", "model"] as const) {
    if (JSON.stringify(from[part].toJSON()) !== JSON.stringify(to[part].toJSON()))
      throw new Error(`fork: the ${part} of the run is required, got another; fork may change everything else`);
  }
  const saved = readState(bytes, from, seed);
  const key = (part: { toJSON(): unknown }): string => JSON.stringify(part.toJSON());
  const same = (s: Strategy): string => (keep ? s.spec.name : key(s));
  const before = new Set(from.strategies.map(same));
  const stay = to.strategies.filter((s) => before.has(same(s))).map((s) => s.spec.name);
  const { added, ...plain } = saved.learner.weights;
  const trained = of(added ?? {}, stay);
  const weights = (Object.keys(trained).length > 0 ? { ...plain, added: trained } : plain) as Weights;
  const kept =
    key(from.optimizer) === key(to.optimizer) && Object.keys(trained).length === Object.keys(added ?? {}).length;
  const { adapted, plan, ...rest } = saved;
  const adapting = to.strategies.find(({ hooks }) => hooks.adapt !== undefined)?.spec.name;
  const plans = (spec: RunSpec): string => JSON.stringify([spec.batching ?? [], spec.schedule, spec.training]);
  const next: Saved = {
    ...rest,
    ...(adapted !== undefined && adapting !== undefined && stay.includes(adapting) && { adapted }),
    ...(plan !== undefined && plans(from) === plans(to) && { plan }),
    spec: specHash(to),
    learner: {
      ...saved.learner,
      weights,
      optimizer: kept ? saved.learner.optimizer : null,
      carried: of(saved.learner.carried, stay),
    },
    states: of(saved.states, stay),
  };
  const out = encode(next);
  disposeTree([saved.learner, saved.states, adapted ?? null] as unknown as Tree);
  return out;
}

function of<T>(values: { readonly [name: string]: T }, names: readonly string[]): { readonly [name: string]: T } {
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name)));
}
