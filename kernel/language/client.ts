/** The kernel's side of TypeScript's language service, which lives in another thread: loading and checking never delay a message. */
import type { ErrorContent } from "../protocol.ts";
import type { Diagnostic } from "./diagnostics.ts";
import type { Completeness, Completions, Questions, SessionOptions, Told } from "./protocol.ts";
import { seat } from "./thread.ts";

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

export interface LanguageOptions extends SessionOptions {
  /** Whether a library is being preloaded: cells are not checked before its names are known. */
  preloading?: boolean;
  /** TypeScript takes more memory than all the rest: after this long without a question it is let go, until the next one. 10 minutes. */
  restMs?: number;
}

export function languageClient({ preloading = false, restMs = 600_000, ...options }: LanguageOptions): Language {
  let settle = (): void => {};
  const namesKnown = preloading ? new Promise<void>((resolve) => (settle = resolve)) : Promise.resolve();
  let closed = false;
  let resting: NodeJS.Timeout | undefined;
  /** What a session that begins anew must be told. */
  let told: Told[] = [];
  const place = seat(
    options,
    () => told,
    () => {
      if (closed || !place.idle) return;
      clearTimeout(resting);
      resting = setTimeout(() => place.leave(false), restMs).unref();
    },
  );

  function ask<K extends keyof Questions>(
    op: K,
    question: Questions[K]["question"],
  ): Promise<Questions[K]["answer"] | undefined> {
    if (closed) return Promise.resolve(undefined);
    clearTimeout(resting);
    return place.ask(op, question);
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
      const known: Told = { op: "preloaded", question: { names, url, package: packageName } };
      place.tell(known);
      told.push(known);
      settle();
    },
    warm: () => void ask("complete", { code: "", cursor: 0 }),
    async close() {
      closed = true;
      settle();
      clearTimeout(resting);
      place.leave(true);
    },
  };
}
