/** The kernel's side of the process that runs the user's code: starts it, feeds it, reads what it says, replaces it when it dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { frame, unframer } from "./frames.ts";
import {
  type ChildOptions,
  type ErrorContent,
  type Execute,
  type FromChild,
  type FromInspector,
  fds,
  type ToChild,
} from "./protocol.ts";
import { entry } from "./runtime.ts";

export type Output = Exclude<FromChild, { op: "done" | "ready" | "started" | "preloaded" | "compiled" }>;
export type Compiled = Extract<FromChild, { op: "compiled" }>;
export type Done = Extract<FromChild, { op: "done" }>;
export type Preloaded = Extract<FromChild, { op: "preloaded" }>;

export interface EvaluatorOptions {
  cwd: string;
  preload?: string;
  packages?: string;
  env?: NodeJS.ProcessEnv;
  /** Everything a cell says, in order. The next is not read before the returned promise settles: that is the back-pressure. */
  onOutput(output: Output): void | Promise<void>;
  /** It is up; what it preloads is not there yet. */
  onReady?(): void;
  onPreloaded?(result: Preloaded): void;
  /** A cell that is to be debugged waits until this is settled. */
  onCompiled?(cell: Compiled): Promise<void>;
  /** V8's inspector says that the process stands, or goes on. */
  onInspector?(method: string, params: Record<string, unknown>): void;
  /** The process ended, whether or not another takes its place. */
  onEnd?(): void;
  /** The process died between cells. */
  onDeath?(message: string): void;
}

export interface Evaluator {
  execute(request: Omit<Execute, "op">): Promise<Done>;
  interrupt(): void;
  /** Answers a question that the user's code asked. */
  answer(value: string): void;
  send(command: ToChild): void;
  /** Asks V8's inspector; answered also while the process stands at a breakpoint. */
  inspect(method: string, params?: object): Promise<Record<string, unknown>>;
  /** Lets go of the inspector. */
  release(): void;
  /** Ends the process; with `again`, a fresh one takes its place. */
  stop(again: boolean): Promise<void>;
  readonly pid: number | undefined;
}

export function evaluator(options: EvaluatorOptions): Evaluator {
  /** Questions to the inspector that were not answered yet. */
  const asked = new Map<number, (answer: FromInspector) => void>();
  let child = start();
  let job: Job | undefined;
  let stopping = false;
  let interruptedAt = 0;
  let gone = false;
  let questions = 0;

  function start() {
    const marker = `\u0000\u001b]${randomUUID()};`;
    const { file, flags } = entry("./child/main");
    const argument: ChildOptions = {
      marker,
      ...(options.preload === undefined ? {} : { preload: options.preload }),
      ...(options.packages === undefined ? {} : { packages: options.packages }),
    };
    // Without the flag, stopping a loop that runs in a timer makes Node abort: its bookkeeping of async hooks is unwound by force.
    const process_ = spawn(
      process.execPath,
      ["--no-force-async-hooks-checks", ...flags, file, JSON.stringify(argument)],
      {
        cwd: options.cwd,
        env: { ...(options.env ?? process.env), FORCE_COLOR: "0" },
        stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe", "pipe"],
      },
    );
    const pipes: ArrayLike<unknown> = process_.stdio;
    const commands = pipes[fds.commands] as Writable;
    const answers = pipes[fds.answers] as Writable;
    for (const stream of [commands, answers]) stream.on("error", () => {});
    const rawEnds = [rawOutput(process_.stdout!, "stdout", marker), rawOutput(process_.stderr!, "stderr", marker)];
    const started = {
      process: process_,
      commands,
      answers,
      ended: Promise.resolve(),
      ready: false,
      asking: undefined as undefined | "sync" | "async",
    };
    void readInspector(pipes[fds.inspector] as Readable);
    const events = readEvents(pipes[fds.events] as Readable, rawEnds, started);
    const exited = new Promise<string>((resolve) => {
      process_.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
      process_.once("error", (error) => resolve(error.message));
    });
    started.ended = exited.then(async (reason) => {
      // A grandchild may hold the pipes open: wait for what is in them, not for their end.
      await Promise.race([
        Promise.all([events, ...rawEnds.map((raw) => raw.end)]),
        new Promise((r) => setTimeout(r, 200)),
      ]);
      died(started.process, reason);
    });
    return started;
  }

  /** Output that did not pass through process.stdout: native code and child processes. */
  function rawOutput(stream: Readable, name: "stdout" | "stderr", marker: string) {
    let reached = 0;
    let waiters: { run: number; resolve(): void }[] = [];
    const end = (async () => {
      let rest = "";
      stream.setEncoding("utf8");
      for await (const chunk of stream as AsyncIterable<string>) {
        rest += chunk;
        for (let at = rest.indexOf(marker); at >= 0; at = rest.indexOf(marker)) {
          const close = rest.indexOf(";", at + marker.length);
          if (close < 0) break;
          if (at > 0) await options.onOutput({ op: "stream", name, text: rest.slice(0, at) });
          reached = Number(rest.slice(at + marker.length, close));
          rest = rest.slice(close + 1);
          waiters = waiters.filter((waiter) => waiter.run > reached || waiter.resolve());
        }
        // What may be the beginning of a marker waits for the rest of it.
        const keep = rest.lastIndexOf("\u0000");
        const cut = keep >= 0 && marker.startsWith(rest.slice(keep, keep + marker.length)) ? keep : rest.length;
        if (cut > 0) await options.onOutput({ op: "stream", name, text: rest.slice(0, cut) });
        rest = rest.slice(cut);
      }
    })().catch(() => {});
    return {
      end,
      /** Settles when all that run wrote has been read. */
      reached: (run: number) =>
        reached >= run ? Promise.resolve() : new Promise<void>((resolve) => waiters.push({ run, resolve })),
    };
  }

  async function readEvents(
    stream: Readable,
    raw: { reached(run: number): Promise<void> }[],
    owner: { ready: boolean; asking?: "sync" | "async" | undefined },
  ): Promise<void> {
    const next = unframer();
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        for (const event of next(chunk) as FromChild[]) {
          if (event.op === "preloaded") options.onPreloaded?.(event);
          else if (event.op === "done") {
            const limit = new Promise<void>((resolve) => setTimeout(resolve, 1000).unref());
            await Promise.race([Promise.all(raw.map((r) => r.reached(event.run))), limit]);
            if (job?.request.run === event.run) finish(event);
          } else if (event.op === "ready") {
            owner.ready = true;
            options.onReady?.();
          } else if (event.op === "started") begun(event.run);
          else if (event.op === "compiled") void compiled(event);
          else {
            if (event.op === "input") owner.asking = event.sync ? "sync" : "async";
            await options.onOutput(event);
          }
        }
      }
    } catch {
      // The process died in the middle of a frame; its end is reported by `ended`.
    }
  }

  async function compiled(cell: Compiled): Promise<void> {
    await options.onCompiled?.(cell).catch(() => {});
    child.commands.write(frame({ op: "go", run: cell.run } satisfies ToChild));
  }

  async function readInspector(stream: Readable): Promise<void> {
    const next = unframer();
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        for (const told of next(chunk) as FromInspector[]) {
          if ("method" in told) options.onInspector?.(told.method, told.params);
          else asked.get(told.id)?.(told);
        }
      }
    } catch {}
  }

  function finish(done: Done): void {
    const finished = job;
    job = undefined;
    interruptedAt = 0;
    child.asking = undefined;
    finished?.resolve(done);
  }

  /** The cell runs: from here on its death is its own, and an interrupt can reach it. */
  function begun(run: number): void {
    if (job?.request.run !== run) return;
    job.started = true;
    if (interruptedAt > 0) child.commands.write(frame({ op: "interrupt" } satisfies ToChild));
  }

  function died(process_: ChildProcess, reason: string): void {
    for (const [id, answer] of asked) answer({ id, error: "the process ended" });
    options.onEnd?.();
    if (process_ !== child.process || stopping) return;
    const { ready } = child;
    const error = deathError(reason);
    if (job?.started === false && job.attempts < 3) {
      // It died before it came to the cell: the cell runs in the next one.
      if (ready) options.onDeath?.(error.evalue);
      child = start();
      submit(job);
    } else if (job) {
      finish({ op: "done", run: job.request.run, error, expressions: {} });
      child = start();
    } else {
      options.onDeath?.(error.evalue);
      // One that could not even start would not start a moment later; the next cell tries again.
      if (ready) child = start();
      else gone = true;
    }
  }

  function submit(next: Job): void {
    if (gone) child = start();
    gone = false;
    next.attempts++;
    child.commands.write(frame({ op: "execute", ...next.request } satisfies ToChild));
  }

  return {
    get pid() {
      return child.process.pid;
    },
    execute(request) {
      return new Promise((resolve) => {
        job = { request, resolve, started: false, attempts: 0 };
        submit(job);
      });
    },
    send: (command) => void child.commands.write(frame(command)),
    inspect(method, params = {}) {
      const id = ++questions;
      return new Promise((resolve, reject) => {
        asked.set(id, (answer) => {
          asked.delete(id);
          if ("result" in answer) resolve(answer.result);
          else reject(new Error("error" in answer ? answer.error : method));
        });
        child.commands.write(frame({ op: "inspect", id, method, params } satisfies ToChild));
      });
    },
    release: () => void child.commands.write(frame({ op: "inspect", id: 0 } satisfies ToChild)),
    answer(value) {
      if (child.asking === "sync") child.answers.write(frame({ value }));
      else if (child.asking === "async") child.commands.write(frame({ op: "answer", value } satisfies ToChild));
      child.asking = undefined;
    },
    interrupt() {
      // Whatever occupies its main thread is to stop, also what an earlier cell left behind.
      if (!job) return void child.commands.write(frame({ op: "interrupt" } satisfies ToChild));
      if (child.asking === "sync") {
        child.answers.write(frame({ interrupted: true }));
        child.asking = undefined;
        return;
      }
      const now = Date.now();
      // A native call cannot be stopped; who asks again after a while would rather lose the state than wait.
      if (interruptedAt > 0 && now - interruptedAt > 3000) return void child.process.kill("SIGKILL");
      interruptedAt ||= now;
      child.commands.write(frame({ op: "interrupt" } satisfies ToChild));
      const { run } = job.request;
      setTimeout(() => {
        if (job?.request.run !== run) return;
        const text =
          "Still inside a native call, which cannot be interrupted. Interrupt again to end the process; its state will be lost.\n";
        void options.onOutput({ op: "stream", name: "stderr", text });
      }, 3000).unref();
    },
    async stop(again) {
      stopping = true;
      const old = child;
      old.process.kill("SIGKILL");
      await old.ended;
      if (job)
        finish({ op: "done", run: job.request.run, error: deathError("the kernel was restarted"), expressions: {} });
      if (!again) return;
      stopping = false;
      child = start();
    },
  };
}

interface Job {
  request: Omit<Execute, "op">;
  resolve(done: Done): void;
  started: boolean;
  attempts: number;
}

function deathError(reason: string): ErrorContent {
  const evalue = `the process that ran the cell ended (${reason}); its state is lost, a fresh one was started`;
  return {
    ename: "ProcessEnded",
    evalue,
    traceback: [`\u001b[1m\u001b[31mProcessEnded\u001b[39m\u001b[22m: ${evalue}`],
  };
}
