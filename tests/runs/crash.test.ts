import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { random } from "thalweg";
import { afterAll, expect, test } from "vitest";
import { checkpoints, latestCheckpoint } from "../../lib/runs/record.ts";
import { runFolders, small, temporary, timeless } from "./support.ts";

// Six by default; THALWEG_KILLS=50 for all that the design asks.
const kills = Number(process.env.THALWEG_KILLS ?? 6);
const { folder, clear } = temporary();
afterAll(clear);
const program = new URL("./crash.ts", import.meta.url).pathname;

/** Starts the run and kills it when the log has grown so many bytes further; true when it came to its end before that. */
async function killed(record: string, bytes: number): Promise<boolean> {
  const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), program, record], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const ended = new Promise<boolean>((resolve) => child.once("exit", (code) => resolve(code === 0)));
  const written = (): number => {
    const [run] = existsSync(record) ? runFolders(record) : [];
    const log = run === undefined ? undefined : join(run, "events.jsonl");
    return (log === undefined ? undefined : statSync(log, { throwIfNoEntry: false }))?.size ?? 0;
  };
  const start = written();
  const timer = setInterval(() => written() >= start + bytes && child.kill("SIGKILL"), 5);
  try {
    return await ended;
  } finally {
    clearInterval(timer);
  }
}

test(`a run with replay and EWC that is killed ${kills} times at random moments ends as if it never had been`, async () => {
  const whole = await small().train({ epochs: 25 }).run({ quiet: true, record: false });
  const rng = random(Date.now() % 100_000).at("kills");
  let done = 0;
  let resumedFrom = 0;
  for (let round = 0; done < kills; round++) {
    const record = join(folder, `round-${round}`);
    while (done < kills && !(await killed(record, Math.floor(rng.uniform() * 150_000)))) {
      done++;
      const [run] = existsSync(record) ? runFolders(record) : [];
      if (run !== undefined && latestCheckpoint(run, Number.POSITIVE_INFINITY) !== undefined) resumedFrom++;
    }
    const run = await small().train({ epochs: 25 }).run({ quiet: true, record });
    expect(timeless(run.logs[0]!.events)).toEqual(timeless(whole.logs[0]!.events));
    expect(checkpoints(runFolders(record)[0]!).length).toBeGreaterThan(0);
  }
  expect(resumedFrom).toBeGreaterThan(0); // some of the kills came after a checkpoint, and the runs went on from there
}, 1_800_000);
