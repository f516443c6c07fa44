import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ewc, naive, replay, store, type TrainEvent } from "thalweg";
import { afterAll, describe, expect, test } from "vitest";
import { takeLock } from "../../lib/runs/parts/lock.ts";
import { openLog, readLog } from "../../lib/runs/parts/log-file.ts";
import { checkpoints, latestCheckpoint } from "../../lib/runs/record.ts";
import { runFolders, small, temporary, timeless } from "./support.ts";

const { folder, clear } = temporary();
afterAll(clear);
const fresh = (name: string): string => join(folder, name);

/** Runs a study and stops it at the first step from `step` on. */
async function stopped(record: string, step: number): Promise<Error> {
  const control = new AbortController();
  const progress = {
    begin() {},
    end() {},
    event: (event: TrainEvent) => void (event.type === "step" && event.step >= step && control.abort()),
  };
  const { runMany } = await import("thalweg");
  return runMany(small().spec, { record, signal: control.signal, progress }).then(
    () => {
      throw new Error("the run was not stopped");
    },
    (error: Error) => error,
  );
}

describe("a recorded run", () => {
  test("is what the run would be without a record, and is not trained a second time", async () => {
    const record = fresh("twice");
    const plain = await small().run({ quiet: true, record: false });
    const first = await small().run({ quiet: true, record });
    const [run] = runFolders(record);
    const written = readFileSync(join(run!, "events.jsonl"), "utf8");
    const again = await small().run({ quiet: true, record });
    expect(timeless(first.logs[0]!.events)).toEqual(timeless(plain.logs[0]!.events));
    expect(again.logs).toEqual(first.logs); // the seconds too: nothing was trained
    expect(readFileSync(join(run!, "events.jsonl"), "utf8")).toBe(written);
    expect(readdirSync(run!).sort()).toEqual([
      "checkpoints",
      "environment.json",
      "events.jsonl",
      "result.json",
      "spec.json",
    ]);
  });

  test("is another for another strategy, seed or setting, and the same for the same", async () => {
    const record = fresh("keys");
    const study = small().train({ epochs: 1 });
    await study.by(naive()).run({ quiet: true, record, seeds: 2 });
    await study.by(replay({ capacity: 10 })).run({ quiet: true, record });
    expect(runFolders(record)).toHaveLength(3);
    await study.by(naive()).run({ quiet: true, record, seeds: [1, 0] });
    await study.by(replay({ capacity: 11 })).run({ quiet: true, record });
    expect(runFolders(record)).toHaveLength(4);
  });

  test("goes on bit for bit where it was stopped, and the message says how", async () => {
    const whole = await small().run({ quiet: true, record: false });
    for (const step of [1, 40, 97, 200]) {
      const record = fresh(`stop-${step}`);
      const error = await stopped(record, step);
      expect(error.name).toBe("Interrupted");
      expect(error.message).toContain("study.resume() goes on from here");
      expect(error.message).toContain(record);
      const [run] = runFolders(record);
      const saved = latestCheckpoint(run!, Number.POSITIVE_INFINITY)!;
      expect(saved.step).toBeGreaterThanOrEqual(step); // what was done is not done again
      const resumed = await small().resume({ quiet: true, record });
      expect(timeless(resumed.logs[0]!.events)).toEqual(timeless(whole.logs[0]!.events));
    }
  });

  test("cannot be resumed when there is none", async () => {
    await expect(small().resume({ record: fresh("none") })).rejects.toThrow(
      "resume: a recorded run of this study is required",
    );
  });

  test("is mended when its last line or its newest checkpoint was cut short", async () => {
    const whole = await small().run({ quiet: true, record: false });
    const record = fresh("torn");
    await stopped(record, 150);
    const [run] = runFolders(record);
    appendFileSync(join(run!, "events.jsonl"), '{"type":"step","step":1');
    const newest = checkpoints(run!)[0]!.file;
    writeFileSync(newest, readFileSync(newest).subarray(0, 300));
    const resumed = await small().resume({ quiet: true, record });
    expect(timeless(resumed.logs[0]!.events)).toEqual(timeless(whole.logs[0]!.events));
    expect(readLog(join(run!, "events.jsonl")).events).toEqual(resumed.logs[0]!.events);
  });

  test("keeps the log of a run that failed, and says where, and where it was still good", async () => {
    const record = fresh("failed");
    const study = small().by(ewc({ lambda: 1e30, samples: 5 }));
    await expect(study.run({ quiet: true, record, checkpointSeconds: 0 })).rejects.toThrow(
      /finite loss.*its log is kept in .*; the last good one of its checkpoints is that of step 96 \(checkpoints\/000000096(-kept)?\.bin\)/,
    );
    expect(
      readLog(join(runFolders(record)[0]!, "events.jsonl")).events.filter((e) => e.type === "step").length,
    ).toBeGreaterThan(0);
    expect(store(record).list().rows()[0]).toMatchObject({ name: "ewc", state: "stopped" });
  });

  test("is trained once when it is asked for twice at the same time", async () => {
    const record = fresh("both");
    const [a, b] = await Promise.all([small().run({ quiet: true, record }), small().run({ quiet: true, record })]);
    expect(b.logs).toEqual(a.logs);
  });

  test("keeps the newest two checkpoints and those at the ends of experiences", async () => {
    const record = fresh("kept");
    await small().run({ quiet: true, record, checkpointSeconds: 0 });
    const kept = checkpoints(runFolders(record)[0]!);
    expect(kept.length).toBeLessThanOrEqual(5);
    expect(kept[0]!.step).toBe(288);
  });
});

describe("a folder that cannot be written to", () => {
  test("is told before any training, whatever the reason", async () => {
    const file = fresh("file");
    writeFileSync(file, "");
    await expect(small().run({ quiet: true, record: join(file, "runs") })).rejects.toThrow(
      /record: a folder that can be written to is required.*(is a file|a file of that name)/,
    );
  });

  test("can be read: a finished run is given from a read-only folder, another says what is wrong", async () => {
    const record = fresh("read-only");
    await small().run({ quiet: true, record });
    chmodSync(folder, 0o755);
    for (const path of [record, ...runFolders(record)]) chmodSync(path, 0o555);
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid!(65534); // nobody: what is read-only for others is not for root
    try {
      const done = await small().run({ quiet: true, record });
      expect(done.logs[0]!.events.at(-1)!.type).toBe("finished");
      await expect(small().run({ quiet: true, seeds: [7], record })).rejects.toThrow(
        /record: a folder that can be written to is required.*it may not be written to/,
      );
    } finally {
      if (root) process.seteuid!(0);
      for (const path of [record, ...runFolders(record)]) chmodSync(path, 0o755);
    }
  });

  test("may fill up: the error says so, and what was written can be read", async () => {
    const record = fresh("full");
    await stopped(record, 100);
    const [run] = runFolders(record);
    const before = readLog(join(run!, "events.jsonl")).events;
    // Files may not grow beyond 24 blocks of 512 bytes: the disk is full for the log.
    const script = `
      const { small } = await import(${JSON.stringify(new URL("./support.ts", import.meta.url).pathname)});
      console.log(await small().run({ quiet: true, record: ${JSON.stringify(record)} }).then(() => "no error", (error) => error.message));`;
    const said = inNode(script, "ulimit -f 24; ");
    expect(said).toMatch(
      /record: a folder that can be written to is required.*(a file may not grow further|the disk is full).*its log is kept/,
    );
    const after = readLog(join(run!, "events.jsonl")).events;
    expect(timeless(after.slice(0, before.length))).toEqual(timeless(before.slice(0, after.length)));
    const whole = await small().run({ quiet: true, record: false });
    expect(timeless((await small().resume({ quiet: true, record })).logs[0]!.events)).toEqual(
      timeless(whole.logs[0]!.events),
    );
  });

  test("that is full from the start leaves whole lines", () => {
    if (!existsSync("/dev/full")) return;
    const path = fresh("device.jsonl");
    symlinkSync("/dev/full", path);
    const log = openLog(path, 0);
    log.append({ type: "checkpoint", step: 1, experience: 0 });
    expect(() => log.flush()).toThrow("ENOSPC");
    log.close();
    rmSync(path);
  });
});

describe("a lock", () => {
  test("is held by one, is free again when it is released, and is taken over from the dead", () => {
    mkdirSync(fresh("locks"));
    const path = join(fresh("locks"), "lock");
    const lock = takeLock(path)!;
    expect(takeLock(path)).toBeUndefined();
    lock.release();
    const again = takeLock(path)!;
    const holder = JSON.parse(readFileSync(path, "utf8")) as { pid: number };
    writeFileSync(path, JSON.stringify({ ...holder, pid: 2 ** 22 + 1, token: "gone" }));
    expect(() => again.requireHeld()).toThrow("one process at a time");
    const taken = takeLock(path)!;
    expect(() => taken.requireHeld()).not.toThrow();
    again.release(); // does not open somebody else's
    expect(takeLock(path)).toBeUndefined();
    taken.release();
  });

  test("is taken over from a process that has the number of a dead one", () => {
    if (!existsSync("/proc/self/stat")) return;
    const path = join(fresh("locks"), "reused");
    const lock = takeLock(path)!;
    const holder = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...holder, born: "1" }));
    expect(takeLock(path)).toBeDefined();
    lock.release();
  });
});

describe("the log file", () => {
  test("gives back every number as it was", () => {
    const path = fresh("numbers.jsonl");
    const log = openLog(path, 0);
    const event: TrainEvent = {
      type: "step",
      step: 1,
      experience: 0,
      epoch: 0,
      loss: 0.1 + 0.2,
      terms: { task: Number.NaN, ewc: Number.POSITIVE_INFINITY },
    };
    const note: TrainEvent = { type: "note", step: 1, experience: 0, from: "ewc", text: "NaN" };
    log.append(event);
    log.append(note);
    log.flush(true);
    log.close();
    expect(readLog(path).events).toEqual([event, note]);
  });
});

/** Runs a module in a Node of its own and gives what it prints. */
function inNode(script: string, before = ""): string {
  const file = join(folder, `script-${Math.random().toString(36).slice(2)}.mts`);
  writeFileSync(file, script);
  chmodSync(file, 0o644);
  const loader = import.meta.resolve("tsx");
  return execFileSync("/bin/sh", ["-c", `${before}exec "${process.execPath}" --import "${loader}" "${file}"`], {
    encoding: "utf8",
    cwd: new URL("../..", import.meta.url).pathname,
    env: { ...process.env, NODE_OPTIONS: "", TSX_DISABLE_CACHE: "1" },
  });
}
