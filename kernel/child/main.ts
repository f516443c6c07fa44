/** The process that runs the user's code. The kernel starts it, speaks to it over pipes, and starts another when it dies. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { transpile } from "../cell/transpile.ts";
import type { Content } from "../messages.ts";
import type { ChildOptions, ToChild } from "../protocol.ts";
import { fds } from "../protocol.ts";
import { comm, receiveComm } from "./comm.ts";
import { installConsole } from "./console.ts";
import { type ControlData, controlSource, shared, type ToMain } from "./control.ts";
import { controls } from "./controls/index.ts";
import { display } from "./display.ts";
import { errorContent, installStackTraces } from "./errors.ts";
import { evaluator } from "./evaluate.ts";
import { installImmediates } from "./immediates.ts";
import { interrupts } from "./interrupts.ts";
import { preloadModule, receiveSourceMaps, usePackages } from "./modules.ts";
import { captureStreams, type DisplayOptions, emit, print, show } from "./output.ts";
import { displaySymbol } from "./show.ts";
import { installStdin, receiveAnswer } from "./stdin.ts";
import { test } from "./test.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as ChildOptions;
process.argv.splice(1, process.argv.length, "notebook");

const memory = new SharedArrayBuffer(4 * shared.length);
const cells = new Int32Array(memory);
Atomics.store(cells, shared.running, -1);

captureStreams();
installConsole();
installStdin();
installImmediates();
installStackTraces(receiveSourceMaps);
const define = (name: string | symbol, value: unknown) =>
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: false });
if (options.packages !== undefined) usePackages(options.packages);
define("display", display);
define("comm", comm);
define("test", test);
for (const [name, value] of Object.entries(controls)) define(name, value);
define("require", createRequire(join(process.cwd(), "notebook.ts")));
define("__dirname", process.cwd());
define("__filename", join(process.cwd(), "notebook.ts"));
define(displaySymbol, (bundle: Record<string, unknown>, shown?: DisplayOptions) => show(bundle, shown));
define(Symbol.for("Jupyter.interrupt"), interrupts(cells));
define(Symbol.for("Jupyter.status"), (status: Content) => emit({ op: "status", status }));

const evaluation = evaluator(cells, options.marker);
const stray = (label: string) => (thrown: unknown) => {
  const { ename, traceback } = errorContent(thrown);
  if (ename !== "Interrupted") print("stderr", `${label}\n${traceback.join("\n")}\n`);
};
process.on("uncaughtException", stray("Uncaught, outside of the cell's own await:"));
process.on("unhandledRejection", stray("Unhandled rejection of a promise:"));

// Beyond this, its memory can only be told by the process dying; the kernel then starts another.
const worker = new Worker(controlSource(), {
  eval: true,
  execArgv: [],
  workerData: { memory, commands: fds.commands, inspector: fds.inspector, graceMs: 100 } satisfies ControlData,
});
let loading: Promise<unknown> | undefined = preload().then(() => {
  loading = undefined;
  Atomics.compareExchange(cells, shared.running, -1, 0);
});
worker.on("message", (message: ToMain) => {
  if (message.kind === "stop") return evaluation.acknowledge(message.run);
  if (message.kind === "finish") return evaluation.cancel(message.run);
  const command = message.command as ToChild;
  if (command.op === "execute") {
    // At once where it can be: a loop that is stopped inside a microtask takes the microtasks behind it with it.
    if (loading) void loading.then(() => evaluation.execute(command));
    else void evaluation.execute(command);
  } else if (command.op === "go") evaluation.go(command.run);
  else if (command.op === "comm") receiveComm(command);
  else if (command.op === "answer") receiveAnswer(command.value);
});
emit({ op: "ready" });

async function preload(): Promise<void> {
  // The compiler is loaded now: an interrupt that hit the loading of it in the first cell would leave half a module behind.
  transpile("", "warm-up.ts");
  if (options.preload === undefined) return;
  // The kernel is to answer first: let the loop turn before the library is read.
  await new Promise((resolve) => setImmediate(resolve));
  try {
    const { url, package: name, namespace } = await preloadModule(options.preload);
    // A name that the session has from the kernel stays what it is; the library's is there by an import.
    const names = Object.keys(namespace).filter((name) => name !== "default" && !(name in controls));
    for (const exported of names) define(exported, namespace[exported]);
    emit({ op: "preloaded", names, url, package: name });
  } catch (error) {
    emit({ op: "preloaded", names: [], error: error instanceof Error ? error.message : String(error) });
  }
}
