/** Runs cells, one at a time, in V8's REPL mode; knows which run is in progress and which were cancelled. */
import { Session } from "node:inspector";
import { type Cell, compileCell } from "../cell/cell.ts";
import { CellSyntaxError } from "../cell/transpile.ts";
import { writeAll } from "../frames.ts";
import type { Execute, ExpressionResult, FromChild } from "../protocol.ts";
import { shared } from "./control.ts";
import { displaysSettled } from "./display.ts";
import { errorContent, Interrupted, rememberCell } from "./errors.ts";
import { importFromCell, meta } from "./modules.ts";
import { emit, flushAll, plain, resetBurst } from "./output.ts";
import { bundleOf } from "./show.ts";
import { allowStdin } from "./stdin.ts";

type Outcome = { ok: true; value: unknown } | { ok: false; thrown: unknown };

export function evaluator(memory: Int32Array, marker: string) {
  const session = new Session();
  session.connect();
  const cancelled = new Set<number>();
  let current: { request: Execute; cell: Cell | undefined } | undefined;
  let lastRun = 0;
  let lastValue: unknown;
  let stops = 0;

  const running = () => Atomics.load(memory, shared.running);

  /** Where a cancelled run ends: an error first, so that `finally` and `using` clean up; silence for loops that swallow errors. */
  function stopped(): Promise<never> {
    return ++stops <= 8 ? Promise.reject(new Interrupted()) : new Promise(() => {});
  }

  /** What cells compile to calls to (cell/rewrite.ts). */
  const cellRuntime = {
    last(value: unknown) {
      lastValue = value;
    },
    run: () => lastRun,
    guard(value: unknown, run: number): unknown {
      if (cancelled.has(run)) return stopped();
      if (
        value === null ||
        (typeof value !== "object" && typeof value !== "function") ||
        typeof (value as { then?: unknown }).then !== "function"
      )
        return value;
      return Promise.resolve(value).then(
        (result) => (cancelled.has(run) ? stopped() : result),
        (error) => (cancelled.has(run) ? stopped() : Promise.reject(error)),
      );
    },
    iterate(iterable: AsyncIterable<unknown> | Iterable<unknown>, run: number) {
      const isAsync = Symbol.asyncIterator in iterable;
      const inner = (
        isAsync
          ? (iterable as AsyncIterable<unknown>)[Symbol.asyncIterator]()
          : (iterable as Iterable<unknown>)[Symbol.iterator]()
      ) as AsyncIterator<unknown>;
      const { guard } = cellRuntime;
      return {
        [Symbol.asyncIterator]: () => ({
          async next() {
            const result = (await guard(inner.next(), run)) as IteratorResult<unknown>;
            return isAsync || result.done ? result : { done: false, value: await guard(result.value, run) };
          },
          async return(value?: unknown) {
            return (await inner.return?.(value)) ?? { done: true, value };
          },
        }),
      };
    },
    import: importFromCell,
    /** Where names are taken from: those of a CommonJS module that Node did not foresee are on its default export. */
    named(namespace: Record<string, unknown>): unknown {
      const fallback = namespace.default;
      if (fallback === null || (typeof fallback !== "object" && typeof fallback !== "function")) return namespace;
      return new Proxy(namespace, {
        get: (target, name) => (name in target ? Reflect.get(target, name) : Reflect.get(fallback, name)),
      });
    },
    meta,
  };
  Object.defineProperty(globalThis, "__cell", { value: Object.freeze(cellRuntime) });

  /** Evaluates a script; the live value of a thrown error comes back, not its description. */
  function evaluate(expression: string): Promise<Outcome> {
    return new Promise((resolve) => {
      // @types/node does not know replMode.
      const request = { expression, replMode: true, awaitPromise: true, objectGroup: "cell" } as { expression: string };
      session.post("Runtime.evaluate", request, (error: Error | null, result?: EvaluateResult) => {
        // Only a termination makes the request itself fail.
        if (error) resolve({ ok: false, thrown: new Interrupted() });
        else if (result?.exceptionDetails) resolve({ ok: false, thrown: thrownValue(result.exceptionDetails) });
        else resolve({ ok: true, value: undefined });
      });
    });
  }

  function thrownValue(details: NonNullable<EvaluateResult["exceptionDetails"]>): unknown {
    const remote = details.exception;
    if (remote?.objectId === undefined) {
      return remote
        ? remote.unserializableValue === undefined
          ? remote.value
          : unserializable(remote.unserializableValue)
        : new Error(details.text);
    }
    let thrown: unknown;
    const key = Symbol.for("kernel.thrown");
    session.post(
      "Runtime.callFunctionOn",
      {
        objectId: remote.objectId,
        functionDeclaration: 'function () { globalThis[Symbol.for("kernel.thrown")] = this; }',
        silent: true,
      },
      () => {
        thrown = (globalThis as { [key: symbol]: unknown })[key];
        delete (globalThis as { [key: symbol]: unknown })[key];
      },
    );
    return thrown;
  }

  async function expressions(request: Execute): Promise<Record<string, ExpressionResult>> {
    const results: Record<string, ExpressionResult> = {};
    for (const [name, code] of Object.entries(request.expressions)) {
      try {
        const cell = compileCell(code, `expression_${request.run}.ts`, request.run);
        rememberCell(cell);
        lastValue = undefined;
        const outcome = await evaluate(cell.script);
        if (!outcome.ok) throw outcome.thrown;
        results[name] = {
          status: "ok",
          data: plain((await bundleOf(lastValue)) ?? { "text/plain": "undefined" }),
          metadata: {},
        };
      } catch (thrown) {
        results[name] = { status: "error", ...errorContent(thrown) };
      }
    }
    return results;
  }

  async function execute(request: Execute): Promise<void> {
    const { run, code, name } = request;
    lastRun = run;
    lastValue = undefined;
    stops = 0;
    allowStdin(request.stdin);
    resetBurst();
    current = { request, cell: undefined };
    Atomics.store(memory, shared.stop, 0);
    Atomics.store(memory, shared.running, run);
    emit({ op: "started", run });
    try {
      const cell = compileCell(code, name, run);
      rememberCell(cell);
      current.cell = cell;
      const outcome = await evaluate(cell.script);
      if (current?.request.run !== run) return;
      if (!outcome.ok) throw outcome.thrown;
      const shown = await bundleOf(lastValue);
      await displaysSettled();
      const results = await expressions(request);
      if (current?.request.run !== run) return;
      finish(run, { ...(shown ? { data: plain(shown), metadata: {} } : {}), expressions: results });
    } catch (thrown) {
      if (current?.request.run !== run) return;
      const cell =
        current.cell ??
        (thrown instanceof CellSyntaxError
          ? { name, source: code, script: "", locate: (line: number, column: number) => ({ line, column }) }
          : undefined);
      await displaysSettled();
      finish(run, { error: errorContent(thrown, cell), expressions: {} });
    }
  }

  function finish(run: number, result: Omit<Extract<FromChild, { op: "done" }>, "op" | "run">): void {
    flushAll();
    for (const fd of [1, 2]) writeAll(fd, Buffer.from(`${marker}${run};`));
    emit({ op: "done", run, ...result });
    current = undefined;
    lastValue = undefined;
    Atomics.store(memory, shared.running, 0);
    session.post("Runtime.releaseObjectGroup", { objectGroup: "cell" });
  }

  return {
    execute,
    running,
    /** The control thread asks: is the main thread free? That this runs at all is the answer. */
    acknowledge(run: number) {
      if (running() !== run) return;
      cancelled.add(run);
      Atomics.store(memory, shared.ack, run);
    },
    /** Ends the run as interrupted; what it awaits stays behind, guarded. */
    cancel(run: number) {
      if (running() === run) finish(run, { error: errorContent(new Interrupted()), expressions: {} });
    },
  };
}

interface EvaluateResult {
  exceptionDetails?: { text: string; exception?: { objectId?: string; value?: unknown; unserializableValue?: string } };
}

function unserializable(text: string): unknown {
  return text.endsWith("n") ? BigInt(text.slice(0, -1)) : Number(text);
}
