/** Declares stream operators: functions from arguments to functions from stream to stream. */
import type { Json, Kind, Target } from "../data/dataset.ts";
import { needTarget } from "./parts/target.ts";
import {
  type CaseOperator,
  type Cases,
  type Changed,
  type Fact,
  type FactChange,
  makeStream,
  type Operator,
  type Stream,
} from "./stream.ts";

/** What an operator applies to: some kinds of example alone, or what some targets ask for, where it says so; and what it makes of them. */
interface Limits<On extends Kind, To extends Kind = never> {
  readonly kinds?: readonly On[];
  readonly gives?: To;
  readonly targets?: readonly Target[];
}

/**
 * Declares a stream operator. `build(...args)` gives a function from a stream to the parts that change; name, arguments and facts are
 * recorded in the stream's spec. Where an argument is "run", or options have the seed "run", and where the stream itself waits for the
 * run's seed, the operator is applied again once that seed is known.
 */
export function operator<
  Args extends readonly unknown[],
  Needs extends Fact = never,
  Adds extends Fact = never,
  Drops extends Fact = never,
  On extends Kind = Kind,
  To extends Kind = never,
>(
  name: string,
  build: (...args: Args) => (stream: Stream) => Changed,
  change: FactChange<Needs, Adds, Drops> & Limits<On, To> = {},
): Operator<Args, Needs, Adds, Drops, On, To> {
  const make = (...args: Args) => {
    const apply = build(...args);
    return (stream: Stream) => applied(name, args, change, apply, (...settled: Args) => make(...settled))(stream);
  };
  return Object.assign(make, { operator: name, facts: change }) as unknown as Operator<
    Args,
    Needs,
    Adds,
    Drops,
    On,
    To
  >;
}

/** Declares an operator whose first argument, a word of `cases`, decides what happens to the facts. */
export function operatorByCase<const C extends Cases, Rest extends readonly unknown[]>(
  name: string,
  cases: C,
  build: (word: keyof C & string, ...rest: Rest) => (stream: Stream) => Changed,
): CaseOperator<C, Rest> {
  const make = (word: keyof C & string, ...rest: Rest) => {
    const change = cases[word];
    if (change === undefined)
      throw new TypeError(`${name}: one of ${Object.keys(cases).join(", ")} is required, got ${String(word)}`);
    const apply = build(word, ...rest);
    const again = (...[w, ...r]: [keyof C & string, ...Rest]) => make(w, ...r);
    return (stream: Stream) => applied(name, [word, ...rest] as const, change, apply, again)(stream);
  };
  return Object.assign(make, { operator: name, cases }) as unknown as CaseOperator<C, Rest>;
}

function applied<Args extends readonly unknown[]>(
  name: string,
  args: Args,
  change: FactChange<Fact, Fact, Fact> & Limits<Kind, Kind>,
  apply: (stream: Stream) => Changed,
  again: (...args: Args) => (stream: Stream) => Stream,
): (stream: Stream) => Stream {
  const waits = args.some((arg) => isRun(arg));
  return (stream) => {
    for (const fact of change.needs ?? []) {
      if (!stream.facts.includes(fact))
        throw new TypeError(
          `${name}: a stream that tells "${fact}" is required, got one that tells ${stream.facts.join(", ") || "nothing"}`,
        );
    }
    if (change.kinds !== undefined && !change.kinds.includes(stream.kind))
      throw new TypeError(`${name}: a stream of ${change.kinds.join(" or ")} examples is required, got ${stream.kind}`);
    if (change.targets !== undefined) needTarget(name, stream, change.targets);
    const kept = stream.facts.filter((fact) => !change.drops?.includes(fact));
    const { args: written = args.map(plain), ...changed } = apply(stream);
    const length = changed.length ?? stream.length;
    const facts = [...new Set([...kept, ...(change.adds ?? [])])].filter((f) => f !== "length" || length !== Infinity);
    const result: Stream = makeStream<Fact, Kind>({
      kind: change.gives ?? stream.kind,
      shape: stream.shape,
      length,
      classes: stream.classes,
      head: stream.head,
      target: stream.target,
      ...(stream.budget && { budget: stream.budget }),
      ...(stream.recall && { recall: true }),
      experience: (i) => stream.experience(i),
      ...(changed.experience === undefined && {
        tasks: stream.tasks,
        countOf: (i: number) => stream.countOf(i),
        taskOf: (i: number) => stream.taskOf(i),
        classesOf: (task: number) => stream.classesOf(task),
        test: (task: number) => stream.test(task),
      }),
      seeded: (seed) => {
        const settled = stream.seeded(seed);
        if (settled === stream && !waits) return result;
        return again(...(args.map((arg) => settle(arg, seed)) as unknown as Args))(settled);
      },
      ...changed,
      facts,
      spec: { name, args: written, of: stream.spec },
    });
    return result;
  };
}

function isRun(arg: unknown): boolean {
  if (isStream(arg)) return arg.seeded(0) !== arg;
  return arg === "run" || (typeof arg === "object" && arg !== null && "seed" in arg && arg.seed === "run");
}

function settle(arg: unknown, seed: number): unknown {
  if (isStream(arg)) return arg.seeded(seed);
  if (arg === "run") return seed;
  return isRun(arg) ? { ...(arg as object), seed } : arg;
}

/** Whether an argument is a stream, as it is for operators that put two together. */
export function isStream(arg: unknown): arg is Stream {
  return typeof arg === "object" && arg !== null && "experience" in arg && "seeded" in arg;
}

/** Whether an argument in a spec stands for a stream. */
export function isSpec(arg: Json): arg is { readonly stream: Json } {
  return typeof arg === "object" && arg !== null && !Array.isArray(arg) && "stream" in arg;
}

function plain(arg: unknown): Json {
  return isStream(arg) ? { stream: arg.spec as unknown as Json } : (arg as Json);
}
