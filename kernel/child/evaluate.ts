/** Runs cells, one at a time; knows which run is in progress and which were cancelled. */
import { Script } from "node:vm";
import { type Cell, compileCell } from "../cell/cell.ts";
import { CellSyntaxError } from "../cell/transpile.ts";
import { writeAll } from "../frames.ts";
import type { Execute, ExpressionResult, FromChild } from "../protocol.ts";
import { shared } from "./control.ts";
import { displaysSettled, forgetDisplays } from "./display.ts";
import { errorContent, Interrupted, rememberCell } from "./errors.ts";
import { importFromCell, meta } from "./modules.ts";
import { emit, flushAll, plain, resetBurst } from "./output.ts";
import { brief, bundleNow, bundleOf } from "./show.ts";
import { allowStdin } from "./stdin.ts";

export function evaluator(memory: Int32Array, marker: string) {
  const declared = new Set<string>();
  const cancelled = new Set<number>();
  let current: { request: Execute; cell: Cell | undefined } | undefined;
  let lastRun = 0;
  let lastValue: unknown;
  let stops = 0;
  /** The cell that waits for its breakpoints. */
  let ready: { run: number; go(): void } | undefined;

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
    brief,
    inspect: (value: unknown) => JSON.stringify(plain(bundleNow(value))),
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

  /** Declares what the cell declares, and runs its body. */
  async function evaluate(cell: Cell): Promise<void> {
    const fresh = cell.names.filter((name) => !declared.has(name));
    if (fresh.length > 0) new Script(`let ${fresh.join(", ")};`).runInThisContext();
    for (const name of fresh) declared.add(name);
    const body = new Script(cell.script, { filename: cell.name }).runInThisContext() as () => Promise<void>;
    await body();
  }

  /** Says what the cell became, and waits until the debugger has looked at it. */
  async function breakpoints(run: number, cell: Cell): Promise<void> {
    const { pointsOf } = await import("../debug/points.ts");
    const told = new Promise<void>((go) => (ready = { run, go }));
    emit({ op: "compiled", run, name: cell.name, source: cell.source, points: pointsOf(cell) });
    await told;
  }

  async function expressions(request: Execute): Promise<Record<string, ExpressionResult>> {
    const results: Record<string, ExpressionResult> = {};
    for (const [name, code] of Object.entries(request.expressions)) {
      try {
        const cell = compileCell(code, `expression_${request.run}.ts`, request.run, declared);
        rememberCell(cell);
        lastValue = undefined;
        await evaluate(cell);
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
    forgetDisplays();
    current = { request, cell: undefined };
    for (const cell of [shared.stop, shared.polled, shared.step]) Atomics.store(memory, cell, 0);
    Atomics.store(memory, shared.running, run);
    emit({ op: "started", run });
    try {
      const cell = compileCell(code, name, run, declared);
      rememberCell(cell);
      current.cell = cell;
      if (request.debug) await breakpoints(run, cell);
      await evaluate(cell);
      if (current?.request.run !== run) return;
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
          ? { name, source: code, names: [], script: "", locate: (line: number, column: number) => ({ line, column }) }
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
  }

  return {
    execute,
    running,
    go(run: number) {
      if (ready?.run === run) ready.go();
    },
    /** The control thread asks: is the main thread free? That this runs at all is the answer. */
    acknowledge(run: number) {
      // A negative number stands for what goes on between runs: there is nothing to cancel.
      if (running() !== Math.max(run, 0)) return;
      if (run > 0) cancelled.add(run);
      Atomics.store(memory, shared.ack, run);
    },
    /** Ends the run as interrupted; what it awaits stays behind, guarded. */
    cancel(run: number) {
      if (running() === run) finish(run, { error: errorContent(new Interrupted()), expressions: {} });
    },
  };
}
