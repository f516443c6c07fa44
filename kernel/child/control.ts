/**
 * The control thread of the process that runs the user's code. It reads the commands, so that an interrupt arrives while the main
 * thread is in a loop, and it dies with the kernel: when the pipe ends, so does the process.
 *
 * `control` becomes the source text of a worker: it may use nothing from outside itself.
 */

/**
 * Cells of the shared memory. RUNNING: the run in progress, 0 when idle, -1 while the session is loaded. STOP: the run asked to stop.
 * ACK: the run whose stop the main thread has seen. POLLED: when library code last asked, ms, 0 when it did not. STEP: how long before
 * that it had asked, ms. NATIVE: 1 while the main thread is in native code that must not be stopped. ENDING: 1 while a loop is stopped.
 */
export const shared = { running: 0, stop: 1, ack: 2, polled: 3, step: 4, native: 5, ending: 6, length: 7 } as const;

/** The time, as the cells hold it. */
export const clock = () => Date.now() & 0x3fffffff;

export type ControlData = { memory: SharedArrayBuffer; commands: number; inspector: number; graceMs: number };

export type ToMain =
  | { kind: "command"; command: unknown }
  | { kind: "stop"; run: number }
  | { kind: "finish"; run: number };

export function control(): void {
  const { parentPort, workerData } = require("node:worker_threads") as typeof import("node:worker_threads");
  const { Session } = require("node:inspector") as { Session: new () => ControlSession };
  const { Socket } = require("node:net") as typeof import("node:net");
  const { writeSync } = require("node:fs") as typeof import("node:fs");
  const { memory, commands, inspector, graceMs } = workerData as ControlData;
  const cells = new Int32Array(memory);
  const [RUNNING, STOP, ACK, POLLED, STEP, NATIVE, ENDING] = [0, 1, 2, 3, 4, 5, 6];
  /** What is being interrupted: a run, or a negative number for what goes on between runs. */
  let interrupting: number | undefined;
  let askedAgain = false;
  let between = -1;

  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const sincePolled = () => ((Date.now() & 0x3fffffff) - Atomics.load(cells, POLLED!)) & 0x3fffffff;

  /**
   * Tells whether the process has had `ms` of processor time by now: on a busy machine the clock says nothing about what the
   * main thread had time to do. One that waits uses none, so after `limit` the clock decides.
   */
  const patience = (ms: number, limit: number) => {
    const spent = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const [from, began] = [spent(), Date.now()];
    return () => Date.now() - began > ms && (spent() - from > ms || Date.now() - began > limit);
  };

  /**
   * Asks V8 to stop what the main thread is in. Resolves when it has stopped something, or when that is no longer `wanted`. Native code
   * that was about to call JavaScript would abort, so its end is awaited, and none is begun meanwhile (`native` in interrupts.ts).
   * A session left open would hold up process.exit.
   */
  const terminate = async (wanted: () => boolean): Promise<void> => {
    Atomics.store(cells, ENDING!, 1);
    while (wanted() && Atomics.load(cells, NATIVE!) === 1) await sleep(2);
    if (wanted()) {
      const session = new Session();
      session.connectToMainThread();
      const stopped = new Promise((resolve) => session.post("Runtime.terminateExecution", resolve));
      await Promise.race([stopped, sleep(500)]);
      session.disconnect();
      // Stopped at the door of native code, it could not take this back; with ENDING raised nothing went in.
      Atomics.store(cells, NATIVE!, 0);
    }
    Atomics.store(cells, ENDING!, 0);
  };

  const interrupt = async (): Promise<void> => {
    const run = Atomics.load(cells, RUNNING!);
    // A library that is stopped while it is loaded stays half loaded; the kernel asks again when the cell begins.
    if (run === -1) return;
    if (interrupting !== undefined) {
      if (run > 0 && run !== interrupting) askedAgain = true;
      return;
    }
    // No cell runs: what an earlier one left behind may hold the main thread, and then it does not answer.
    const asked = run === 0 ? --between : run;
    interrupting = asked;
    const acknowledged = () => Atomics.load(cells, ACK!) === asked;
    const active = () => Atomics.load(cells, RUNNING!) === run && !(run === 0 && acknowledged());
    const ask = () => parentPort!.postMessage({ kind: "stop", run: asked });
    Atomics.store(cells, STOP!, asked);
    if (run === 0) ask();
    // Library code that polls gets the chance to stop by itself, between two steps of the length that they have.
    const grace = Math.max(graceMs, 3 * Atomics.load(cells, STEP!));
    if (sincePolled() < 10 * grace) {
      const enough = patience(grace, grace + 200);
      while (active() && !enough()) await sleep(2);
    }
    let deaf = patience(12, 1000);
    let seen = false;
    let terminating: Promise<void> | undefined;
    for (let turn = 0; active(); turn++) {
      ask();
      // This thread's own time counts too: it must not use much of it.
      await sleep(turn < 10 ? 3 : 10);
      // The main thread saw the message, so it is waiting, not running; a termination that is under way must land first.
      if (!seen && acknowledged()) {
        seen = true;
        deaf = patience(12, 1000);
      }
      if (seen && !terminating && run > 0) parentPort!.postMessage({ kind: "finish", run });
      // It had the time to see the message and did not: it is in a loop. Anything else that was stopped now would be lost.
      if (!terminating && active() && deaf()) {
        terminating = terminate(active).then(() => {
          terminating = undefined;
          deaf = patience(12, 1000);
        });
      }
    }
    await terminating;
    Atomics.compareExchange(cells, STOP!, asked, run === 0 ? 0 : asked);
    interrupting = undefined;
    if (askedAgain) void interrupt();
    askedAgain = false;
  };

  const tell = (value: unknown): void => {
    const body = Buffer.from(JSON.stringify(value));
    const bytes = Buffer.allocUnsafe(4 + body.length);
    bytes.writeUInt32LE(body.length, 0);
    body.copy(bytes, 4);
    for (let at = 0; at < bytes.length; ) {
      try {
        at += writeSync(inspector, bytes, at);
      } catch (error) {
        if ((error as { code?: string }).code !== "EAGAIN") throw error;
      }
    }
  };

  /** The debugger's session: open only while somebody debugs, since a process with one waits for it at its end. */
  let debugging: ControlSession | undefined;
  const release = (): void => {
    debugging?.disconnect();
    debugging = undefined;
  };
  const inspect = ({ id, method, params = {} }: { id: number; method?: string; params?: object }): void => {
    if (method === undefined) {
      release();
      return;
    }
    if (!debugging) {
      debugging = new Session();
      debugging.connectToMainThread();
      debugging.on("inspectorNotification", (told) => {
        if (told.method === "NodeRuntime.waitingForDisconnect") release();
        else if (told.method === "Debugger.scriptParsed") {
          const { scriptId, url } = told.params as { scriptId: string; url: string };
          if (url) tell({ method: told.method, params: { scriptId, url } });
        } else if (/^Debugger\.(paused|resumed)$/.test(told.method)) tell({ method: told.method, params: told.params });
      });
      debugging.post("NodeRuntime.notifyWhenWaitingForDisconnect", { enabled: true }, () => {});
    }
    debugging.post(method, params, (error, result) => tell(error ? { id, error: error.message } : { id, result }));
  };

  const input = new Socket({ fd: commands, readable: true, writable: false });
  let pending: Buffer = Buffer.alloc(0);
  input.on("data", (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readUInt32LE(0)) {
      const end = 4 + pending.readUInt32LE(0);
      const command = JSON.parse(pending.toString("utf8", 4, end)) as { op: string };
      pending = pending.subarray(end);
      if (command.op === "interrupt") void interrupt();
      else if (command.op === "inspect") inspect(command as unknown as Parameters<typeof inspect>[0]);
      else parentPort!.postMessage({ kind: "command", command });
    }
  });
  const orphaned = () => process.kill(process.pid, "SIGKILL");
  input.on("end", orphaned).on("error", orphaned).on("close", orphaned);
}

/** What of node:inspector's Session the control thread uses; @types/node hides `connectToMainThread` of worker threads. */
interface ControlSession {
  connectToMainThread(): void;
  post(method: string, callback: (value: unknown) => void): void;
  post(method: string, params: object, callback: (error: Error | null, result: unknown) => void): void;
  on(event: "inspectorNotification", listener: (told: { method: string; params: unknown }) => void): void;
  disconnect(): void;
}

/** Source text of the worker. tsx names functions through a helper, which must then be there. */
export const controlSource = () => `const __name = (f) => f; (${control.toString()})();`;
