/**
 * The kernel beside ipykernel, tslab and Deno's kernel, over the same sockets and with the same client, turn by turn.
 *
 *   npm run bench -- kernel
 *
 * ipykernel is measured where `python3 -m ipykernel` works. tslab and Deno come from the registry into a temporary folder
 * (or from KERNEL_PEERS, a folder where `npm i tslab deno` was run). The published form of our kernel is measured when `npm run build`
 * has been run, and the sources through tsx always. Written to reference.json; ratios are what to look at.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createConnection } from "../../kernel/connection.ts";
import { connect } from "../kernel/support/client.ts";
import { record } from "../support/reference.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const starts = Number(process.env.KERNEL_STARTS ?? 5);
const cells = Number(process.env.KERNEL_CELLS ?? 200);

interface Codes {
  trivial: string;
  ten: string;
  /** Imports TensorFlow.js core; nothing comparable in Python. */
  tensorflow?: string;
  /** Tells how many times as long a loop over a cell's own variable takes as one over a function's. */
  topLevel: string;
  loop: string;
  asyncLoop: string;
  lines(n: number): string;
}

const typescript: Codes = {
  trivial: "1 + 1",
  ten: `interface Point { x: number; y: number }
const points: Point[] = [{ x: 1, y: 2 }, { x: 3, y: 4 }]
function norm(p: Point): number { return Math.hypot(p.x, p.y) }
const total = points.map(norm).reduce((a: number, b: number) => a + b, 0)
function identity<T>(value: T): T { return value }
let label: string = \`total \${total.toFixed(2)}\`
const counts = new Map<string, number>([["a", 1]])
for (const [key, n] of counts) label += key + String(n)
type Pair = [number, string]
identity<Pair>([total, label])`,
  tensorflow: 'import * as tf from "@tensorflow/tfjs-core"; typeof tf.tidy',
  topLevel: `let t0 = performance.now(), total = 0; for (let n = 0; n < 2e7; n++) total += n;
const top = performance.now() - t0
function inside() { let sum = 0; for (let n = 0; n < 2e7; n++) sum += n; return sum }
t0 = performance.now(); inside(); console.log(top / (performance.now() - t0))`,
  loop: "while (true) {}",
  asyncLoop: "while (true) { await new Promise((r) => setTimeout(r, 1)) }",
  lines: (n) => `for (let i = 0; i < ${n}; i++) console.log(i)`,
};
const python: Codes = {
  trivial: "1 + 1",
  ten: `import math
from dataclasses import dataclass
@dataclass
class Point:
    x: float
    y: float
points = [Point(1, 2), Point(3, 4)]
total = sum(math.hypot(p.x, p.y) for p in points)
label = f"total {total:.2f}" + "".join(k + str(n) for k, n in {"a": 1}.items())
(total, label)`,
  topLevel: `import time
t0 = time.perf_counter(); total = 0
for n in range(2_000_000): total += n
top = time.perf_counter() - t0
def inside():
    total = 0
    for n in range(2_000_000): total += n
t0 = time.perf_counter(); inside(); print(top / (time.perf_counter() - t0))`,
  loop: "while True: pass",
  asyncLoop: "import asyncio\nwhile True: await asyncio.sleep(0.001)",
  lines: (n) => `for i in range(${n}): print(i)`,
};

interface Contender {
  name: string;
  codes: Codes;
  argv(file: string): string[];
  /** tslab knows only the signal. */
  interrupt: "message" | "signal";
}

const bin = join(root, "kernel/bin.mjs");
const built = join(root, "dist/kernel/cli.js");
const ours = { codes: typescript, interrupt: "message" as const };
const contenders: Contender[] = [
  { ...ours, name: "thalweg (sources)", argv: (file) => [process.execPath, bin, "kernel", file, "--no-preload"] },
];
if (existsSync(built)) {
  const start = `import(${JSON.stringify(built)}).then((m) => m.main(process.argv.slice(1)))`;
  contenders.unshift({
    ...ours,
    name: "thalweg",
    argv: (file) => [process.execPath, "-e", start, "kernel", file, "--no-preload"],
  });
}
for (const candidate of ["python3", "/usr/bin/python3"]) {
  if (contenders.some((c) => c.name === "ipykernel") || spawnSync(candidate, ["-c", "import ipykernel"]).status !== 0)
    continue;
  contenders.push({
    name: "ipykernel",
    codes: python,
    interrupt: "signal",
    argv: (file) => [candidate, "-m", "ipykernel_launcher", "-f", file],
  });
}
const peers = process.env.KERNEL_PEERS ?? realpathSync(mkdtempSync(join(tmpdir(), "kernel-peers-")));
if (!process.env.KERNEL_PEERS)
  spawnSync("npm", ["install", "--prefix", peers, "tslab@1.0.22", "deno@2.9.6"], { stdio: "ignore" });
const tslab = join(peers, "node_modules/tslab/bin/tslab");
if (existsSync(tslab))
  contenders.push({
    name: "tslab",
    codes: typescript,
    interrupt: "signal",
    argv: (file) => [process.execPath, tslab, "kernel", `--config-path=${file}`],
  });
const denoFolder = join(peers, "node_modules/@deno");
const deno = existsSync(denoFolder)
  ? readdirSync(denoFolder)
      .map((name) => join(denoFolder, name, "deno"))
      .find(existsSync)
  : undefined;
if (deno)
  contenders.push({
    name: "deno",
    codes: typescript,
    interrupt: "message",
    argv: (file) => [deno, "jupyter", "--kernel", "--conn", file],
  });

interface Running {
  contender: Contender;
  process: ChildProcess;
  client: ReturnType<typeof connect>;
  ready: number;
}

async function start(contender: Contender): Promise<Running> {
  const file = join(mkdtempSync(join(tmpdir(), "kernel-bench-")), "connection.json");
  const connection = await createConnection(file);
  const [command, ...args] = contender.argv(file) as [string, ...string[]];
  const began = performance.now();
  // Kernels that know the variable end when this process does.
  const env = { ...process.env, JPY_PARENT_PID: String(process.pid) };
  const child = spawn(command, args, { cwd: root, stdio: "ignore", env });
  const client = connect(connection);
  // The first request may come before the sockets do: zeromq keeps it until they are there.
  const first = await client.request("shell", "kernel_info_request", {}, 30_000);
  await first.reply();
  const ready = performance.now() - began;
  await client.execute(contender.codes.trivial, {}, 30_000).catch(() => {});
  return { contender, process: child, client, ready };
}

function stop({ process: child, client }: Running): Promise<void> {
  client.close();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  return exited;
}

/** Resident memory of a process and its children, MB. */
function residentMb(pid: number): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((n) => /^\d+$/.test(n))) {
    try {
      parents.set(
        Number(name),
        Number(
          readFileSync(`/proc/${name}/stat`, "utf8")
            .replace(/^.*\) /, "")
            .split(" ")[1],
        ),
      );
    } catch {}
  }
  const family = new Set([pid]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [child, parent] of parents)
      if (family.has(parent) && !family.has(child)) grown = family.add(child).size > 0;
  }
  const kb = [...family].map((p) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${p}/status`, "utf8"))?.[1] ?? 0));
  return kb.reduce((a, b) => a + b, 0) / 1024;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!;
const round = (value: number) => Number(value.toPrecision(3));

type Row = Record<string, number | string | null>;
const rows: Record<string, Row> = Object.fromEntries(contenders.map(({ name }) => [name, {}]));
const note = (name: string, measure: string, value: number | string | null) => {
  rows[name]![measure] = typeof value === "number" ? round(value) : value;
};

// Start to ready, turn by turn.
const readies = new Map<string, number[]>();
const running: Running[] = [];
for (let i = 0; i < starts; i++) {
  for (const contender of contenders) {
    const one = await start(contender);
    readies.set(contender.name, [...(readies.get(contender.name) ?? []), one.ready]);
    if (i === starts - 1) running.push(one);
    else await stop(one);
  }
}
for (const [name, values] of readies) note(name, "readyMs", median(values));
for (const { contender, process: child } of running) note(contender.name, "idleMb", residentMb(child.pid!));

// Cells, turn by turn, each from request to idle.
for (const [measure, pick] of [
  ["trivialMs", (c: Codes) => c.trivial],
  ["tenLinesMs", (c: Codes) => c.ten],
] as const) {
  const taken = new Map<string, number[]>();
  const silent = new Map<string, number>();
  for (let i = 0; i < cells; i++) {
    for (const { contender, client } of running) {
      const { name } = contender;
      if ((silent.get(name) ?? 0) > 2) continue;
      const began = performance.now();
      const answered = await client.execute(pick(contender.codes), {}, 5000).then(
        () => true,
        () => false,
      );
      if (answered) taken.set(name, [...(taken.get(name) ?? []), performance.now() - began]);
      else silent.set(name, (silent.get(name) ?? 0) + 1);
      client.got.length = 0;
    }
  }
  for (const [name, times] of silent) console.warn(`${name}: ${times} cells were not answered within 5 s (${measure})`);
  for (const [name, values] of taken) note(name, measure, median(values));
}

for (const one of running) {
  const { contender, client, process: child } = one;
  const { name, codes } = contender;
  if (codes.tensorflow) {
    const began = performance.now();
    const { reply } = await client
      .execute(codes.tensorflow, {}, 30_000)
      .catch(() => ({ reply: { status: "no answer" } }));
    note(name, "importTfMs", reply.status === "ok" ? performance.now() - began : String(reply.status));
  }
  note(name, "afterImportMb", residentMb(child.pid!));
  const { messages } = await client.execute(codes.topLevel, {}, 60_000).catch(() => ({ messages: [] }));
  const said = messages.filter((m) => m.header.msg_type === "stream").map((m) => String(m.content.text));
  note(name, "topLevelLoop", Number(said.join("")) || "no answer");

  const ask = async () => {
    if (contender.interrupt === "signal") child.kill("SIGINT");
    else await client.request("control", "interrupt_request");
  };
  // Heartbeat while a loop runs, then the interrupt of it.
  for (const [measure, code] of [
    ["interruptMs", codes.loop],
    ["interruptAsyncMs", codes.asyncLoop],
  ] as const) {
    const taken: number[] = [];
    let wedged = false;
    for (let i = 0; i < 5 && !wedged; i++) {
      // tslab answers whatever comes within 200 ms of an error without running it.
      await new Promise((r) => setTimeout(r, 400));
      const cell = await client.request(
        "shell",
        "execute_request",
        { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: false },
        5000,
      );
      await new Promise((r) => setTimeout(r, 150));
      if (measure === "interruptMs" && i === 0) {
        const beats: number[] = [];
        const beat = async () => {
          for (let n = 0; n < 200; n++) {
            beats.push(await client.heartbeat());
            await new Promise((r) => setTimeout(r, 5));
          }
        };
        const answered = await Promise.race([
          beat().then(() => true),
          new Promise<boolean>((r) => setTimeout(() => r(false), 8000)),
        ]);
        note(name, "heartbeatP99Ms", answered ? quantile(beats, 0.99) : "no answer");
        // The request socket of a heartbeat that was never answered cannot be used again, nor need it be.
      }
      if (cell.mine().some((m) => m.channel === "shell")) continue;
      const began = performance.now();
      await ask();
      await cell.reply().then(
        () => taken.push(performance.now() - began),
        () => (wedged = true),
      );
    }
    note(name, measure, wedged || taken.length === 0 ? "no answer" : median(taken));
    if (wedged) break;
  }
  await stop(one);
}

// A million lines in a fresh kernel: seconds until the end of the cell, and how many arrived before it.
const lines = Number(process.env.KERNEL_LINES ?? 1_000_000);
for (const contender of contenders) {
  const one = await start(contender);
  const began = performance.now();
  const cell = await one.client.request(
    "shell",
    "execute_request",
    {
      code: contender.codes.lines(lines),
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    },
    40_000,
  );
  const ended = await cell.idle().then(
    () => true,
    () => false,
  );
  note(contender.name, "millionLinesS", ended ? (performance.now() - began) / 1000 : "no end in 40 s");
  let arrived = 0;
  for (const { message } of cell.mine())
    if (message.header.msg_type === "stream")
      for (const char of String(message.content.text)) if (char === "\n") arrived++;
  note(contender.name, "linesArrived", arrived);
  note(contender.name, "floodMb", residentMb(one.process.pid!));
  await stop(one);
}

const base = rows.thalweg ?? rows["thalweg (sources)"]!;
/** Theirs over ours: above 1, ours is faster or smaller. */
const ratios: Record<string, Row> = {};
for (const [name, row] of Object.entries(rows)) {
  if (row === base) continue;
  ratios[name] = Object.fromEntries(
    Object.entries(row).map(([measure, value]) => {
      const own = base[measure];
      return [measure, typeof value === "number" && typeof own === "number" && own > 0 ? round(value / own) : value];
    }),
  );
}
console.table(rows);
console.log("theirs / ours");
console.table(ratios);
const cpu = cpus();
record("kernel", {
  machine: { cores: cpu.length, node: process.version },
  starts,
  cells,
  lines,
  measured: rows,
  ratios,
});
process.exit(0);
