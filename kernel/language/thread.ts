/**
 * The thread of TypeScript. A process has one: kernels side by side, and a kernel after a restart, share what it has read of the library and
 * of the language, which is most of its time and memory. Each sits at a seat of its own, and sees nothing of the others' cells.
 */
import type { Worker } from "node:worker_threads";
import { thread } from "../runtime.ts";
import type { Questions, SessionOptions, Told } from "./protocol.ts";

export interface Seat {
  ask<K extends keyof Questions>(
    op: K,
    question: Questions[K]["question"],
  ): Promise<Questions[K]["answer"] | undefined>;
  /** What needs no answer, if the session is there: it is told anew what is known when it is not. */
  tell(known: Told): void;
  /** Whether no question waits for its answer. */
  readonly idle: boolean;
  /** The session ends; what waits has no answer. With `keep`, another may come soon: the thread stays for a minute when this was the last. */
  leave(keep: boolean): void;
}

/** What no other session came for. */
const keepMs = 60_000;
/** A question that takes longer is one that TypeScript does not come back from soon: its session takes the thread with it. */
const stuckMs = 10_000;

let worker: Worker | undefined;
let ending: NodeJS.Timeout | undefined;
let seats = 0;
const taken = new Map<number, { answered(id: number, answer: unknown): void; lost(): void; idle(): boolean }>();

function start(): Worker {
  const started = thread("./language/worker", {
    execArgv: [],
    // A small nursery costs TypeScript 3 % of its time and saves 30 MB.
    resourceLimits: { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 4 },
    stdout: true,
    stderr: true,
  });
  started.unref();
  started.on("message", ({ seat, id, answer }: { seat: number; id: number; answer: unknown }) => {
    taken.get(seat)?.answered(id, answer);
    if (allIdle()) started.unref();
  });
  const gone = () => worker === started && lose();
  started.on("error", gone).on("exit", gone);
  return started;
}

const allIdle = (): boolean => [...taken.values()].every((one) => one.idle());

/** Without the thread nobody sits; who asks again begins anew. */
function lose(): void {
  const last = worker;
  worker = undefined;
  clearTimeout(ending);
  const all = [...taken.values()];
  taken.clear();
  for (const one of all) one.lost();
  void last?.terminate();
}

/** @param known what a session must be told that begins, or begins anew: in order. */
export function seat(options: SessionOptions, known: () => readonly Told[], answered: () => void): Seat {
  const number = ++seats;
  let ids = 0;
  const waiting = new Map<number, { since: number; resolve: (answer: unknown) => void }>();

  function lost(): void {
    for (const { resolve } of waiting.values()) resolve(undefined);
    waiting.clear();
  }

  function sit(): Worker {
    clearTimeout(ending);
    worker ??= start();
    if (taken.has(number)) return worker;
    taken.set(number, {
      answered(id, answer) {
        waiting.get(id)?.resolve(answer);
        if (waiting.delete(id)) answered();
      },
      lost,
      idle: () => waiting.size === 0,
    });
    worker.postMessage({ seat: number, op: "open", options });
    for (const one of known()) tell(one);
    return worker;
  }

  function tell({ op, question }: Told): void {
    worker?.postMessage({ seat: number, id: 0, op, ...question });
  }

  return {
    ask(op, question) {
      const at = sit();
      const id = ++ids;
      const answer = new Promise<unknown>((resolve) => waiting.set(id, { since: performance.now(), resolve }));
      at.ref();
      at.postMessage({ seat: number, id, op, ...question });
      return answer as Promise<Questions[typeof op]["answer"] | undefined>;
    },
    tell(one) {
      if (taken.has(number)) tell(one);
    },
    get idle() {
      return waiting.size === 0;
    },
    leave(keep) {
      if (!taken.delete(number)) return;
      const oldest = Math.min(...[...waiting.values()].map(({ since }) => since));
      const stuck = performance.now() - oldest > stuckMs;
      const wanted = waiting.size === 0 && keep;
      lost();
      if (stuck || (taken.size === 0 && !wanted)) return lose();
      worker?.postMessage({ seat: number, op: "close" });
      if (allIdle()) worker?.unref();
      if (taken.size === 0) ending = setTimeout(lose, keepMs).unref();
    },
  };
}
