/** The kernel's side of TypeScript's language service, which lives in a thread of its own: loading and checking never delay a message. */
import type { Worker } from "node:worker_threads";
import type { ErrorContent } from "../protocol.ts";
import { thread } from "../runtime.ts";
import type { Diagnostic } from "./diagnostics.ts";
import type { Completeness, Completions, Questions } from "./protocol.ts";

export interface Language {
  complete(code: string, cursor: number): Promise<Completions>;
  /** A MIME bundle, or undefined when there is nothing known at the cursor. */
  inspect(code: string, cursor: number): Promise<Record<string, string> | undefined>;
  isComplete(code: string): Promise<Completeness>;
  /** Type errors of a cell; with `keep`, its declarations are there for the cells after it. */
  check(run: number, name: string, code: string, keep: boolean): Promise<Diagnostic[]>;
  /** The run ended in an error. */
  failed(run: number, error: ErrorContent): void;
  preloaded(names: string[], url: string | undefined, packageName: string | undefined): void;
  /** Reads the types of the library and of the language now, so that the first completion comes within the time that frontends wait for one. */
  warm(): void;
  close(): Promise<void>;
}

export interface LanguageOptions {
  cwd: string;
  /** Whether a library is being preloaded: cells are not checked before its names are known. */
  preloading?: boolean;
  /** The folder of packages that the notebook pins. */
  packages?: string;
  /** TypeScript takes more memory than all the rest: after this long without a question it is let go, until the next one. 10 minutes. */
  restMs?: number;
}

export function languageClient({ preloading = false, restMs = 600_000, ...options }: LanguageOptions): Language {
  let settle = (): void => {};
  const namesKnown = preloading ? new Promise<void>((resolve) => (settle = resolve)) : Promise.resolve();
  let worker: Worker | undefined;
  let closed = false;
  let ids = 0;
  let resting: NodeJS.Timeout | undefined;
  /** What a fresh worker must be told when one had to be replaced. */
  let told: Told[] = [];
  const waiting = new Map<number, (answer: unknown) => void>();

  function start(): Worker {
    const started = thread("./language/worker", {
      workerData: options,
      execArgv: [],
      // A small nursery costs TypeScript 3 % of its time and saves 30 MB.
      resourceLimits: { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 4 },
      stdout: true,
      stderr: true,
    });
    started.unref();
    started.on("message", ({ id, answer }: { id: number; answer: unknown }) => {
      waiting.get(id)?.(answer);
      waiting.delete(id);
      if (waiting.size > 0) return;
      started.unref();
      clearTimeout(resting);
      resting = setTimeout(rest, restMs).unref();
    });
    const lost = () => {
      if (worker !== started) return;
      worker = undefined;
      for (const resolve of waiting.values()) resolve(undefined);
      waiting.clear();
    };
    started.on("error", lost).on("exit", lost);
    for (const { op, question } of told) started.postMessage({ id: 0, op, ...question });
    return started;
  }

  function rest(): void {
    const last = worker;
    worker = undefined;
    void last?.terminate();
  }

  function ask<K extends keyof Questions>(
    op: K,
    question: Questions[K]["question"],
  ): Promise<Questions[K]["answer"] | undefined> {
    if (closed) return Promise.resolve(undefined);
    clearTimeout(resting);
    worker ??= start();
    const id = ++ids;
    const answered = new Promise((resolve) => waiting.set(id, resolve));
    worker.ref();
    worker.postMessage({ id, op, ...question });
    return answered as Promise<Questions[K]["answer"] | undefined>;
  }

  return {
    complete: async (code, cursor) =>
      (await ask("complete", { code, cursor })) ?? { matches: [], start: cursor, end: cursor },
    inspect: (code, cursor) => ask("inspect", { code, cursor }),
    isComplete: async (code) => (await ask("isComplete", { code })) ?? { status: "unknown" },
    async check(run, name, code, keep) {
      await namesKnown;
      const found = ask("check", { run, name, code, keep });
      if (keep) told.push({ op: "declare", question: { run, name, code } });
      return (await found) ?? [];
    },
    failed(run, error) {
      if (error.ename === "SyntaxError" || error.ename === "ProcessEnded") {
        void namesKnown.then(() => {
          told = told.filter((t) => t.op !== "declare" || t.question.run !== run);
          return ask("forget", { run });
        });
      }
    },
    preloaded(names, url, packageName) {
      const question = { names, url, package: packageName };
      told.push({ op: "preloaded", question });
      worker?.postMessage({ id: 0, op: "preloaded", ...question });
      settle();
    },
    warm: () => void ask("complete", { code: "", cursor: 0 }),
    async close() {
      closed = true;
      settle();
      clearTimeout(resting);
      const last = worker;
      worker = undefined;
      for (const resolve of waiting.values()) resolve(undefined);
      waiting.clear();
      await last?.terminate();
    },
  };
}

type Told = { [K in "declare" | "preloaded"]: { op: K; question: Questions[K]["question"] } }["declare" | "preloaded"];
