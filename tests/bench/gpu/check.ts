/**
 * Training on a GPU, checked from one file without a network: `DEVICE=cuda node check.mjs`, as gpu.sh calls it.
 *
 * Each check is one entry of gpu.json: whether it holds and its figures. One that fails does not stop the others; one for which there is no
 * time left is left out. `check.mjs gpu …` is the command `thalweg gpu`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { useNamed } from "../../../lib/engine/devices.ts";
import { engine, gpuCommand } from "../../../lib/index.ts";
import { type Check, checks } from "./checks.ts";

if (process.argv[2] === "gpu") {
  const voice = { out: console.log, note: console.error, bar: null, ask: null, signal: new AbortController().signal };
  process.exit(await gpuCommand(process.argv.slice(3), voice));
}

const device = process.env.DEVICE ?? "cuda";
const out = process.env.OUT ?? "out";
const ends = 1000 * (Number(process.env.BEGAN ?? Date.now() / 1000) + Number(process.env.LIMIT ?? 460));
const left = (): number => (ends - Date.now()) / 1000;

interface Outcome {
  readonly check: string;
  readonly outcome: "holds" | "fails" | "left out";
  readonly seconds?: number;
  readonly figures: unknown;
}
const outcomes: Outcome[] = [];
const { cards, driver } = await engine.gpu();
const about = {
  device,
  cards: cards.map(({ name }) => name),
  driver,
  processor: `${cpus().length} × ${cpus()[0]!.model.trim()}`,
  node: process.version,
};

/** What is known so far is on disk at any moment. */
function tell(outcome: Outcome): void {
  outcomes.push(outcome);
  writeFileSync(join(out, "gpu.json"), `${JSON.stringify({ ...about, outcomes }, null, 2)}\n`);
  console.log(`${outcome.outcome.padEnd(8)} ${outcome.check}  ${JSON.stringify(outcome.figures)}`);
}

async function done({ name, seconds, run }: Check): Promise<void> {
  if (left() < seconds) {
    tell({
      check: name,
      outcome: "left out",
      figures: `${Math.round(left())} s are left, ${seconds} are needed`,
    });
    return;
  }
  const began = Date.now();
  const took = () => (Date.now() - began) / 1000;
  try {
    const { holds, figures } = await run(device, left);
    tell({ check: name, outcome: holds ? "holds" : "fails", seconds: took(), figures });
  } catch (error) {
    tell({ check: name, outcome: "fails", seconds: took(), figures: (error as Error).message });
  }
}

try {
  await useNamed(device);
} catch (error) {
  tell({ check: "the device", outcome: "fails", figures: (error as Error).message });
  process.exit(1);
}
console.log(`${JSON.stringify(about)}\n`);
for (const check of checks) await done(check);

/** The specs of tfjs-core, in another process: they bring a TensorFlow.js of their own. */
function conformance(): void {
  const file = join(import.meta.dirname ?? ".", "conformance.mjs");
  const seconds = Math.floor(Math.min(left() - 5, 90));
  if (!existsSync(file) || seconds < 20) {
    tell({ check: "specs of tfjs-core", outcome: "left out", figures: "no time, or not brought" });
    return;
  }
  const only = "^(matmul|conv2d|softmax|relu|reduction|concat|gather|batchNorm|pad|transpose|oneHot|cumsum)";
  const args = [file, "--specs", "specs.mjs", "--device", device.split("+")[0]!, "--only", only];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: seconds * 1000 });
  const said = `${stdout}${status === null ? "stopped: no time left" : stdout ? "" : stderr.slice(-400)}`
    .trim()
    .split("\n");
  tell({
    check: "specs of tfjs-core",
    outcome: status === 0 ? "holds" : status === null ? "left out" : "fails",
    figures: said.slice(0, 12),
  });
}
conformance();

/** PyTorch on the same card, where the machine has it. */
function torch(): void {
  const file = join(import.meta.dirname ?? ".", "torch.py");
  const has = spawnSync("python3", ["-c", "import torch"], { timeout: 60_000 }).status === 0;
  if (!has || left() < 30) {
    tell({ check: "PyTorch beside it", outcome: "left out", figures: has ? "no time left" : "no PyTorch here" });
    return;
  }
  const on = device.startsWith("cuda") ? "cuda" : "cpu";
  const { stdout, stderr } = spawnSync("python3", [file, on, `${left() - 20}`], {
    encoding: "utf8",
    timeout: 1000 * (left() - 5),
  });
  const rows = stdout
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
  tell({
    check: "PyTorch beside it",
    outcome: rows.length > 0 ? "holds" : "left out",
    figures: rows.length > 0 ? rows : stderr.slice(-400),
  });
}
torch();

const failed = outcomes.filter(({ outcome }) => outcome === "fails").length;
console.log(
  `\n${outcomes.length - failed} of ${outcomes.length} checks did not fail, ${Math.round(left())} s were left.`,
);
process.exit(failed > 0 ? 1 : 0);
