/** One run as a machine that does one unit of work at a time, and whose whole state between units is one value. */

import type { Examples } from "../data/dataset.ts";
import { disposeTree, encode, random, scoped, type Tree } from "../engine/index.ts";
import { countParameters, type Params } from "../models/model.ts";
import type { Network, Weights } from "../models/network.ts";
import { flopsPerExample } from "../models/parts/flops.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Batch, Context, State, Strategy } from "../strategies/strategy.ts";
import type { Experience } from "../streams/stream.ts";
import { testTime } from "./adapt.ts";
import { columns as allColumns, highest, needed } from "./columns.ts";
import { tasksDue } from "./due.ts";
import type { Frozen } from "./evaluate.ts";
import type { Evaluated, TrainEvent } from "./events.ts";
import {
  freshLearner,
  frozenOf,
  gatheredNoMore,
  gathering,
  hold as held,
  type States,
  stateOf as stateFrom,
} from "./held.ts";
import { type Asking, alone, metered } from "./parts/asking.ts";
import { again, meter, requireAsked, requireRoom, requireWithinMemory, spentBy, withinSteps } from "./parts/budget.ts";
import { forgetful, requestOf, served } from "./parts/forgetting.ts";
import { knowing } from "./parts/known.ts";
import { type Done, layOut, outcomesOf, updateEvents } from "./parts/laying.ts";
import { costs } from "./parts/ledger.ts";
import { type Current, looks, stretch } from "./parts/looks.ts";
import { probeDue, probed } from "./parts/probing.ts";
import { programsOf } from "./parts/programs.ts";
import { type Program, ran } from "./parts/running.ts";
import { startOf } from "./parts/starting.ts";
import { askingShown, tellsTask, withShown } from "./parts/trained.ts";
import { type Plan, plan } from "./plan.ts";
import { planner } from "./planner.ts";
import { scored } from "./score.ts";
import { type RunSpec, settled, specHash } from "./spec.ts";
import { type Group, stacked } from "./stacked.ts";
import { type Cursor, outset, type Place, reached, readState, type Saved } from "./state.ts";
import type { Learner } from "./step.ts";
import { widenedState } from "./widen.ts";

/** Steps taken in one program run, where no strategy needs the host between steps. */
const chunk = 16;

/** A run under way. */
export interface Session {
  readonly cursor: Cursor;
  /** Events that happened but were not taken yet. */
  readonly queue: TrainEvent[];
  /** Does the next unit of work and puts its events into the queue; false when the run is over, or has come to where it is to stop. */
  advance(stop?: Place): boolean;
  /** The same for whoever calls the programs that it asks for. */
  work(stop?: Place): Asking<boolean>;
  /** The whole state, untaken events included, as bytes. Throws when a unit of work failed halfway. */
  save(): Uint8Array;
  /** The trained network as it is now; the tensors belong to the session. */
  readonly learner: Learner;
  readonly network: Network;
  /** Frees the session's tensors. */
  dispose(): void;
}

/** Opens a run: a new one, or one that goes on from saved bytes. Throws before any training when the parts do not fit. */
export function open(given: RunSpec, seed: number, device: string, from?: Uint8Array, programs = programsOf): Session {
  const spec = settled(given, seed);
  const { stream, strategies, schedule, training, evaluation } = spec;
  const root = random(seed);
  const { network: net, optimizer, step, stem, judge: plain } = programs(spec);

  const saved = from === undefined ? undefined : readState(from, given, seed);
  let cursor: Cursor = saved?.cursor ?? outset;
  let broken = false;
  /** The arithmetic of this process before the unit of work under way. */
  let mark = 0;
  const queue: TrainEvent[] = [...(saved?.queue ?? [])];
  const columns = allColumns(
    stream,
    saved?.columns ?? (stream.classes.length || highest(stream.experience(0).classes)),
    saved?.met ?? [],
    saved?.forgotten ?? [],
  );
  let remembered = forgetful(stream, columns.forgotten);
  let states: States = saved?.states ?? {};
  let learner: Learner =
    saved === undefined ? freshLearner(net, optimizer, root.at("init"), columns.count) : withOptimizer(saved.learner);
  const known = knowing(stem, net, () => learner);
  const judge = known.judge(plain);
  const program: Program = { step, network: net, strategies, target: stream.target, noise: root.at("noise") };
  const test = testTime(net, strategies, judge, saved?.adapted ?? null);
  const plans = planner(spec, net, root, (examples) => outputs(examples).features, saved?.plan);
  let now: Current | undefined;

  function withOptimizer(had: Saved["learner"]): Learner {
    return { ...had, optimizer: had.optimizer ?? scoped(() => optimizer.init(had.weights as unknown as Tree)) };
  }
  const frozen = (weights = learner.weights): Frozen => frozenOf(strategies, states, learner, weights);
  const shown = (): [Optimizer, Weights, Tree] => [optimizer, learner.weights, learner.optimizer];
  const told = (task: number): number | null => (stream.facts.includes("task") ? task : null);

  const outputs: Context["outputs"] = (examples, weights) =>
    judge.outputs(frozen(weights), examples, told(now?.experience.task ?? stream.taskOf(cursor.experience)));
  function context({ spec: { name } }: Strategy, at: number = cursor.step, part = 0): Context {
    const rng = root.at("strategy", name);
    return {
      rng: part === 0 ? rng : rng.at("part", part),
      stream: remembered,
      network: net,
      columns: columns.count,
      batch: training.batch,
      epochs: training.epochs,
      experience: cursor.experience,
      step: at,
      weights: learner.weights,
      statistics: learner.statistics,
      mask: columns.mask,
      outputs,
    };
  }

  function hold({ spec: { name } }: Strategy, state: State): void {
    const next = held(name, state, optimizer, states, learner, net.frozen);
    ({ states, learner } = next);
    for (const text of next.notes)
      queue.push({ type: "note", step: cursor.step, experience: cursor.experience, from: name, text });
  }

  const stateOf = ({ spec: { name } }: Strategy): State => stateFrom(name, states, learner);

  function each(hook: "beforeExperience" | "afterExperience", experience: Experience, which = strategies): void {
    for (const s of which) {
      const run = s.hooks[hook];
      if (run !== undefined) hold(s, run(stateOf(s), experience, context(s)));
    }
  }

  const evaluations = (at: Evaluated["at"]): Pick<Cursor, "pending" | "at"> => ({
    pending: tasksDue(stream, evaluation, at, cursor.experience),
    at,
  });

  /** Begins strategies: their parameters are trained from now on, their state is made. */
  function enrol(which: readonly Strategy[]): void {
    const added = which.flatMap((s) =>
      s.hooks.parameters === undefined ? [] : [[s.spec.name, s.hooks.parameters(context(s))] as const],
    );
    if (added.length > 0) {
      disposeTree(learner.optimizer);
      const weights = { ...learner.weights, added: { ...learner.weights.added, ...Object.fromEntries(added) } };
      learner = { ...learner, weights, optimizer: scoped(() => optimizer.init(weights as Tree)) };
    }
    for (const s of which) hold(s, s.hooks.init?.(context(s)) ?? {});
  }

  /** Strategies that a saved state does not know begin in the middle of the run, and of the experience where there is one. */
  function join(): void {
    const late = strategies.filter((s) => states[s.spec.name] === undefined);
    enrol(late);
    const within = cursor.phase === "train" || cursor.phase === "after" || cursor.at === "step";
    if (within) each("beforeExperience", stream.experience(cursor.experience), late);
  }

  function begin(): void {
    requireRoom(stream, strategies);
    enrol(strategies);
    queue.push(startOf(stream, seed, countParameters(learner.weights as Params), device));
    cursor = evaluation.atStart
      ? { ...cursor, phase: "evaluate", ...evaluations("start") }
      : { ...cursor, phase: "before" };
  }

  function grow(experience: Experience): void {
    const wanted = needed(experience, columns.count, stream.head);
    if (wanted === columns.count) return;
    const old = learner;
    const weights = net.grow(old.weights, root.at("init"), wanted);
    const state = widenedState(optimizer, old.optimizer, weights);
    disposeTree([old.optimizer, old.weights.head] as unknown as Tree);
    columns.count = wanted;
    learner = { ...old, weights, optimizer: state };
  }

  /** The examples of an experience, as a strategy wants them; the plan is the same however often it is made. */
  function enter(): Current {
    if (now?.experience.index === cursor.experience) return now;
    const experience = stream.experience(cursor.experience);
    const chooser = strategies.find((s) => s.hooks.data !== undefined);
    const examples =
      chooser === undefined ? experience.train : chooser.hooks.data!(stateOf(chooser), experience, context(chooser));
    const steps = examples === null ? null : laid(examples, experience.task);
    now = {
      experience,
      plan: steps,
      looks: looks(stream, evaluation, experience.index, steps?.steps ?? 0, training.batch, together),
      meter: meter(stream.budget, () => flopsPerExample(net, learner.weights)),
      seconds: 0,
    };
    return now;
  }

  function laid(examples: Examples, task: number): Plan {
    const { experience, local } = cursor;
    const made =
      plans?.enter(experience, examples, task, local) ??
      plan(examples, task, training, schedule, experience, root.at("order", experience));
    return withinSteps(made, stream.budget);
  }

  function before(): void {
    const arriving = stream.experience(cursor.experience);
    for (const column of arriving.classes) columns.met.add(column);
    grow(arriving);
    forget(arriving.forget ?? []);
    const labels = arriving.oracle?.left ?? 0;
    each("beforeExperience", arriving);
    requireAsked(arriving, labels);
    const { experience, plan: steps } = enter();
    const closed = strategies.some((s) => s.hooks.learn !== undefined);
    queue.push({
      type: "boundary",
      step: cursor.step,
      experience: experience.index,
      task: experience.task,
      examples: steps?.examples.length ?? 0,
      classes: experience.classes,
      steps: closed || steps === null ? null : steps.steps,
    });
    cursor = { ...cursor, phase: "train", local: 0 };
  }

  /** Serves a deletion request. */
  function forget(classes: readonly number[]): void {
    if (classes.length === 0) return;
    for (const column of classes) columns.forgotten.add(column);
    remembered = forgetful(stream, columns.forgotten);
    const request = requestOf(stream, columns.forgotten, classes, cursor.experience);
    for (const s of strategies) hold(s, served(s, stateOf(s), request, context(s)));
    queue.push({ type: "forgot", step: cursor.step, experience: cursor.experience, classes });
  }

  function* train(stop?: Place): Asking<void> {
    const current = enter();
    const started = performance.now();
    const learning = strategies.find((s) => s.hooks.learn !== undefined);
    if (learning !== undefined && current.plan !== null) {
      const table = { ...current.experience, train: current.plan.examples };
      hold(learning, learning.hooks.learn!(stateOf(learning), table, context(learning)));
    } else if (current.plan !== null && !current.plan.done(cursor.local) && current.meter.open(cursor.flops, [])) {
      yield* descend(current, current.plan, stop);
      current.seconds += (performance.now() - started) / 1000;
      return;
    }
    current.seconds += (performance.now() - started) / 1000;
    cursor = { ...cursor, phase: "after" };
  }

  /** Steps in one program: one where a strategy needs the host between steps. */
  const together = strategies.some((s) => s.hooks.afterStep !== undefined) ? 1 : chunk;

  /** A batch as the strategies change it, for the `k`-th update to come. */
  const prepared = (given: Batch, k: number, part: number): Batch =>
    strategies.reduce(
      (batch, s) => s.hooks.batch?.(states[s.spec.name]!, batch, context(s, cursor.step + k, part)) ?? batch,
      given,
    );

  function* descend({ looks: planned, meter: within }: Current, steps: Plan, stop?: Place): Asking<void> {
    const first = cursor;
    const count = stretch(planned, evaluation, first, together, stop);
    const { passes, gathers, whole } = layOut(steps, { count, chunk, rate: optimizer.rate }, first, within, prepared);
    if (passes.length === 0) return;
    const tasks = stream.facts.includes("task") && tellsTask(strategies, optimizer);
    if (gathers) learner = gathering(learner);
    const done: Done[] = [];
    const alone = together === 1 ? Number.POSITIVE_INFINITY : whole;
    for (const group of stacked(passes, columns.mask, stream.shape, alone, tasks, gathers, known.rows))
      done.push(...(yield* run(group)));
    if (gathers) learner = gatheredNoMore(learner);
    const events = updateEvents(done);
    queue.push(...events);
    plans?.tell(outcomesOf(done, events));
    cursor = { ...cursor, flops: first.flops + within.cost(passes.map(({ batch }) => batch)) };
    const { everySteps } = evaluation;
    if (everySteps > 0 ? cursor.step % everySteps === 0 : planned.at.includes(cursor.local)) {
      cursor = { ...cursor, phase: "evaluate", pending: planned.tasks, at: "step" };
    }
  }

  function* run(group: Group): Asking<Done[]> {
    const { done, seen, ...next } = yield* ran(program, learner, states, group);
    ({ learner } = next);
    const [{ batch }] = group.passes as [Group["passes"][number]];
    for (const s of strategies)
      s.hooks.afterStep?.(states[s.spec.name]!, { batch, outputs: seen[s.spec.name]! }, context(s));
    const updates = group.passes.filter(({ last }) => last).length;
    cursor = { ...cursor, local: cursor.local + updates, step: cursor.step + updates };
    return done;
  }

  function after(): void {
    const { experience, plan: steps, seconds } = enter();
    const started = performance.now();
    if (steps !== null) each("afterExperience", { ...experience, train: steps.examples });
    requireWithinMemory(stream.budget, states, learner.carried, again(strategies, experience, steps));
    const last = experience.index === stream.length - 1;
    queue.push({
      type: "learned",
      step: cursor.step,
      experience: experience.index,
      ...spentBy(steps, cursor.local),
      seconds: seconds + (performance.now() - started) / 1000,
    });
    queue.push(...costs(cursor, cursor.work + known.worked() - mark, learner, states, stream.classes));
    cursor =
      steps !== null && (evaluation.every === "experience" || last)
        ? { ...cursor, phase: "evaluate", ...evaluations("experience") }
        : onward();
  }

  function onward(): Cursor {
    now = undefined;
    const last = cursor.experience === stream.length - 1;
    return {
      ...cursor,
      phase: last ? "done" : "before",
      experience: cursor.experience + (last ? 0 : 1),
      local: 0,
      flops: 0,
      pending: [],
    };
  }

  function* evaluate(): Asking<void> {
    const [task, ...left] = cursor.pending;
    if (task !== undefined) {
      const given = cursor.at === "step" ? enter().looks.test(task) : stream.test(task);
      const time = test && { test, rng: root.at("test time", cursor.step, task) };
      const predicts = (own: Weights) => scored(judge, frozen(own), stream, columns, cursor, task, given, time);
      queue.push(yield* askingShown(...shown(), predicts));
      learner = test?.into(learner) ?? learner;
      if (left.length === 0) test?.end();
    }
    if (left.length === 0 && probeDue(spec, cursor)) {
      queue.push(...withShown(...shown(), (own) => probed(net, strategies, frozen(own), stream, cursor)));
      cursor = { ...cursor, probed: cursor.step };
    }
    if (left.length > 0) cursor = { ...cursor, pending: left };
    else if (cursor.at === "experience") cursor = onward();
    else cursor = { ...cursor, phase: cursor.at === "start" ? "before" : "train", pending: [] };
  }

  if (saved !== undefined && cursor.phase !== "start") join();
  const units = { start: begin, before, train, after, evaluate };
  function* work(stop?: Place): Asking<boolean> {
    if (cursor.phase === "done" || (stop !== undefined && reached(cursor, stop))) return false;
    broken = true;
    mark = known.worked();
    const { phase } = cursor;
    const unit = units[phase](stop);
    if (unit !== undefined) yield* metered(unit, (others) => void (mark += others));
    if (phase !== "evaluate") cursor = { ...cursor, work: cursor.work + known.worked() - mark };
    broken = false;
    return true;
  }
  return {
    get cursor() {
      return cursor;
    },
    queue,
    get learner() {
      return learner;
    },
    network: net,
    work,
    advance: (stop) => alone(work(stop)),
    save() {
      if (broken) throw new Error("save: a run that did not fail is required; go on from its last checkpoint");
      return encode({
        format: 1,
        spec: specHash(given),
        seed,
        cursor,
        queue,
        learner,
        states,
        ...(plans?.state && { plan: plans.state }),
        columns: columns.count,
        met: [...columns.met],
        forgotten: [...columns.forgotten],
        ...(test?.held && { adapted: test.held }),
      } satisfies Saved);
    },
    dispose() {
      disposeTree([learner, states, test?.held ?? null] as unknown as Tree);
    },
  };
}
