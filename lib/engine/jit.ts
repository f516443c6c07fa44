/** Functions over trees of tensors, run as one program. */
import * as tf from "@tensorflow/tfjs-core";
import { bound } from "./capi/device.ts";
import type { Arr } from "./graph/arr.ts";
import { target } from "./graph/target.ts";
import type { Rng } from "./random.ts";
import { backend, backendName, TraceError } from "./runtime/backend.ts";
import { detached } from "./runtime/detached.ts";
import { loopPlan } from "./runtime/loop.ts";
import { manyByOne, oneByOne } from "./runtime/one-by-one.ts";
import { type Plan, plan } from "./runtime/plan.ts";
import { type Found, matches, type Pattern, patternOf, rebuild } from "./runtime/signature.ts";
import { flopsDone } from "./runtime/tally.ts";
import { Trace } from "./runtime/trace.ts";
import { operationIn, userLine, warnOnce } from "./runtime/where.ts";
import { disposeTree, leaves, mapTree, type Tree } from "./tree.ts";

/** Settings of `jit` and `steps`. */
export interface JitOptions {
  /** Shown in errors and profiles. Default: the function's name. */
  readonly name?: string;
  /** Positions of arguments that the call consumes: their tensors are disposed and their memory may be used again. */
  readonly donate?: readonly number[];
}

/** Settings of `steps`. */
export interface StepsOptions extends Omit<JitOptions, "donate"> {
  /** Whether the given state stays the caller's. Default: it is consumed. */
  readonly keep?: boolean;
}

/** How many signatures of one function stay compiled. */
const planLimit = 32;

/** What a call gave, and the floating-point operations that it took. */
export interface Spent<R> {
  readonly value: R;
  readonly flops: number;
}

/** A compiled function. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: A): R;
  /**
   * Many calls as one program, with an axis over the calls that no operation of the function sees (vmap): what each of them gives, in order.
   * Calls of different signatures are done apart. Results agree with those of single calls to rounding.
   *
   * @example
   * ```ts
   * import { jit, tf } from "thalweg";
   * const product = jit((a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b));
   * const calls = [1, 2].map((x) => [tf.fill([2, 3], x), tf.ones([3, 1])] as [tf.Tensor, tf.Tensor]);
   * product.together(calls).map(({ value }) => [...value.dataSync()]); // [[3, 3], [6, 6]]
   * ```
   */
  together(calls: readonly A[]): Spent<R>[];
}

/** What is known about calls of one signature. A missing plan: the function cannot be compiled for them. */
interface Known {
  readonly pattern: Pattern;
  readonly plan: Plan | null;
  readonly result: Pattern;
}

/** Whether a call must run as plain TensorFlow.js: on another backend, inside another compiled function, or under a tape. */
const isPlain = (): boolean =>
  tf.getBackend() !== backendName || backend.tracing !== null || tf.engine().state.gradientDepth > 0;

/**
 * Compiles a function over trees of tensors.
 *
 * Tensors in the arguments are inputs; an `Rng` is a source of noise; every other value is part of the signature, for which the
 * function is traced once. The result's tensors are new and belong to the caller. Tensors from outside the function that it
 * uses are constants, variables are read and assigned at every call. A function that cannot be traced runs as plain
 * TensorFlow.js, after one warning that says why.
 *
 * @example
 * ```ts
 * import { jit, tf } from "thalweg";
 * const double = jit((x: tf.Tensor) => tf.mul(x, 2));
 * [...double(tf.tensor1d([1, 2])).dataSync()]; // [2, 4]
 * ```
 */
export function jit<A extends readonly unknown[], R>(fn: (...args: A) => R, options: JitOptions = {}): Compiled<A, R> {
  const name = options.name ?? (fn.name || "function");
  const donate = options.donate ?? [];
  const compiled = new Recent((pattern, found) => {
    let result: Pattern = { kind: "value", value: undefined };
    const traced = attempt(name, () => {
      const trace = new Trace();
      const wanted = record(name, trace, pattern, found, (own) => {
        const out = fn(...(own as unknown as A));
        result = patternOf(out);
        return out;
      });
      return plan(name, trace, wanted);
    });
    return { pattern, plan: traced, result };
  });
  const call = (...args: A): R => {
    if (isPlain()) {
      const out = detached(() => fn(...args));
      if (!backend.tracing) for (const at of donate) disposeTree(args[at]);
      return out;
    }
    const { found, known } = compiled.find(args);
    let out: R;
    if (known.plan) {
      const tensors = known.plan.call(found.tensors, found.noise);
      out = rebuild(known.result, tensors.values(), [].values()) as R;
    } else {
      out = detached(() => fn(...args));
      backend.flush();
    }
    for (const at of donate) disposeTree(args[at]);
    return out;
  };
  const finish = (args: A): void => {
    for (const at of donate) disposeTree(args[at]);
  };
  return Object.assign(call, { together: manyCalls(call, (args) => compiled.find(args), finish) });
}

/** A call with what is known of its signature. */
interface Asked {
  readonly found: Found;
  readonly known: Known;
}

/** `together` of a compiled function, whose calls `find` looks up; `finish` frees what a call consumes. */
function manyCalls<A extends readonly unknown[], R>(
  call: (...args: A) => R,
  find: (args: A) => Asked,
  finish: (args: A) => void,
): Compiled<A, R>["together"] {
  return (calls) => {
    const alone = (args: A): Spent<R> => {
      const before = flopsDone();
      const value = call(...args);
      return { value, flops: flopsDone() - before };
    };
    if (isPlain() || calls.length === 1) return calls.map(alone);
    const groups = new Map<Known, { readonly at: number; readonly found: Found }[]>();
    calls.forEach((args, at) => {
      const { found, known } = find(args);
      groups.set(known, [...(groups.get(known) ?? []), { at, found }]);
    });
    const out = new Array<Spent<R>>(calls.length);
    for (const [{ plan, result }, members] of groups) {
      if (members.length === 1 || plan?.together === undefined) {
        for (const { at } of members) out[at] = alone(calls[at]!);
        continue;
      }
      const before = flopsDone();
      const results = plan.together(members.map(({ found }) => found));
      const flops = (flopsDone() - before) / members.length;
      members.forEach(({ at }, i) => {
        out[at] = { value: rebuild(result, results[i]!.values(), [].values()) as R, flops };
        finish(calls[at]!);
      });
    }
    return out;
  };
}

/**
 * Compiles a training step and runs it K times in one program.
 *
 * `fn(state, x, rng, ...constants)` returns `[state, y]`. The compiled function takes the state (consumed unless `keep`), the inputs of all
 * steps with a leading axis of length K on every leaf, K noise sources or `null`, and the constants; it gives the last state and
 * every `y` stacked along a leading axis.
 */
export function steps<S, X, Y, C extends readonly unknown[]>(
  fn: (state: S, x: X, rng: Rng | null, ...constants: C) => readonly [S, Y],
  options: StepsOptions = {},
): Compiled<[state: S, xs: X, rngs: readonly Rng[] | null, ...constants: C], [S, Y]> {
  const name = options.name ?? (fn.name || "steps");
  const one = jit<[S, X, Rng | null, ...C], readonly [S, Y]>(fn as never, { name });
  const { keep = false } = options;
  type Args = [state: S, xs: X, rngs: readonly Rng[] | null, ...constants: C];
  const counted = (xs: X, rngs: readonly Rng[] | null): number => {
    const counts = leaves(xs as Tree).map(({ shape }) => shape[0] ?? 0);
    const count = counts[0] ?? 0;
    const other = counts.find((one) => one !== count);
    if (other !== undefined)
      throw new RangeError(`steps: inputs with one leading axis are required, got lengths ${count} and ${other}`);
    if (count === 0) throw new RangeError("steps: at least one step is required, got inputs with a leading axis of 0");
    if (rngs && rngs.length !== count)
      throw new RangeError(`steps: one noise source for each of ${count} steps is required, got ${rngs.length}`);
    return count;
  };
  type OneStep = [S, X, Rng | null, ...C];
  const compiled = new Recent((pattern, found, args) => {
    let result: Pattern = { kind: "value", value: undefined };
    const [stateCount, inputCount] = (args as OneStep).slice(0, 2).map((tree) => leaves(tree as Tree).length) as [
      number,
      number,
    ];
    const traced = attempt(name, () => {
      const trace = new Trace();
      const sizes = found.tensors.map(({ shape }, i) =>
        i >= stateCount && i < stateCount + inputCount ? shape.slice(1) : shape,
      );
      const wanted = record(
        name,
        trace,
        pattern,
        found,
        (own) => {
          const given = own as unknown as OneStep;
          const [next, y] = fn(...given);
          const out = [inOrder(given[0], next), y];
          result = patternOf(out);
          return out;
        },
        sizes,
      );
      return loopPlan(name, trace, wanted, { stateCount, inputCount, sizes });
    });
    return { pattern, plan: traced, result };
  });
  const find = ([state, xs, rngs, ...constants]: Args): Asked => {
    const { found, known } = compiled.find([state, xs, rngs ? rngs[0]! : null, ...constants] satisfies OneStep);
    return { known, found: { tensors: found.tensors, noise: rngs ? [...rngs] : [] } };
  };
  const call = (...args: Args): [S, Y] => {
    const [state, xs, rngs, ...constants] = args;
    const count = counted(xs, rngs);
    if (isPlain() || bound.device?.options.graphs) return oneByOne(one, count, state, xs, rngs, constants, keep);
    const { found, known } = find(args);
    if (!known.plan) return oneByOne(one, count, state, xs, rngs, constants, keep);
    const tensors = known.plan.call(found.tensors, found.noise);
    if (!keep) disposeTree(state);
    return rebuild(known.result, tensors.values(), [].values()) as [S, Y];
  };
  const many = manyCalls<Args, [S, Y]>(call, find, ([state]) => void (keep || disposeTree(state)));
  const together: typeof many = (calls) =>
    bound.device?.options.graphs && calls.length > 1 ? manyByOne(one, calls, counted, keep) : many(calls);
  return Object.assign(call, { together });
}

/** The next state with its keys in the order of the state before: loops carry them by place. */
function inOrder<S>(state: S, next: S): S {
  const [had, has] = [leaves(state as Tree).length, leaves(next as Tree).length];
  if (had !== has) throw new TypeError(`steps need a state whose tensors stay, got ${had} and then ${has}`);
  return mapTree((_: unknown, leaf: unknown) => leaf, state, next) as S;
}

/** Traces a call with stand-ins for its tensors and noise; gives the recorded values of its result's tensors. */
function record(
  name: string,
  trace: Trace,
  pattern: Pattern,
  found: Found,
  body: (args: unknown) => unknown,
  shapes: readonly (readonly number[])[] = found.tensors.map(({ shape }) => shape),
): Arr[] {
  const limit = Error.stackTraceLimit;
  // Deep enough that errors from within TensorFlow.js still show the user's line.
  Error.stackTraceLimit = 60;
  try {
    return trace.run(() =>
      detachedScope(() => {
        const tensors = found.tensors.map(({ dtype }, i) => trace.argument(shapes[i]!, dtype));
        const noise = found.noise.map((rng, i) => trace.noise(rng, i));
        const out = body(rebuild(pattern, tensors.values(), noise.values()));
        if (out instanceof Promise)
          throw new TypeError(
            "a function that returns its result at once is required, got a promise; await outside of it",
          );
        return leaves<unknown>(out as Tree<unknown>)
          .filter((leaf) => leaf instanceof tf.Tensor)
          .map((leaf) => backend.arr(leaf as tf.Tensor));
      }),
    );
  } catch (error) {
    if (error instanceof TraceError || !(error instanceof Error)) throw error;
    const [line, operation] = [userLine(error), operationIn(error)];
    const isNamed =
      !operation || error.message.startsWith("tf.") || error.message.toLowerCase().includes(operation.toLowerCase());
    error.message = `${name}: ${isNamed ? "" : `in ${operation}: `}${error.message}${line ? ` (at ${line})` : ""}`;
    throw error;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** Runs a body whose tensors, all stand-ins, go when it returns. */
function detachedScope<R>(body: () => R): R {
  let out: R | undefined;
  tf.tidy(() => {
    out = body();
  });
  return out as R;
}

/** Compiles, or warns once and gives null when the function cannot be traced. */
function attempt(name: string, make: () => Plan): Plan | null {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    const line = userLine(error);
    warnOnce(`${name} runs uncompiled, and slower: ${error.message}${line ? ` (at ${line})` : ""}; ${error.remedy}.`);
    return null;
  }
}

/** The compiled signatures of one function, the last used first. */
class Recent {
  readonly #entries: Known[] = [];
  readonly #make: (pattern: Pattern, found: Found, args: readonly unknown[]) => Known;
  #generation = target.generation;

  constructor(make: (pattern: Pattern, found: Found, args: readonly unknown[]) => Known) {
    this.#make = make;
  }

  find(args: readonly unknown[]): Asked {
    if (this.#generation !== target.generation) {
      for (const { plan } of this.#entries.splice(0)) plan?.dispose();
      this.#generation = target.generation;
    }
    for (let i = 0; i < this.#entries.length; i++) {
      const known = this.#entries[i]!;
      const found: Found = { tensors: [], noise: [] };
      if (matches(known.pattern, args, found)) {
        if (i > 0) this.#entries.unshift(...this.#entries.splice(i, 1));
        return { found, known };
      }
    }
    const pattern = patternOf(args);
    const found: Found = { tensors: [], noise: [] };
    matches(pattern, args, found);
    const known = this.#make(pattern, found, args);
    this.#entries.unshift(known);
    if (this.#entries.length > planLimit) this.#entries.pop()!.plan?.dispose();
    return { found, known };
  }
}
