import { readdirSync } from "node:fs";
import {
  blobs,
  classes,
  compare,
  fromArrays,
  mlp,
  naive,
  type Progress,
  replay,
  runMany,
  specFromJson,
  strategy,
} from "thalweg";
import { afterAll, describe, expect, test, vi } from "vitest";
import { dataOf } from "../../lib/streams/stream.ts";
import { packedData, unpackedData } from "../../lib/sweeps/parts/parcel.ts";
import { small, temporary, timeless } from "../runs/support.ts";

const { folder, clear } = temporary();
afterAll(clear);

/** The processes that this one has started and that still run, by number. */
function children(): number[] {
  const threads = readdirSync("/proc/self/task");
  return threads.flatMap((id) => {
    const { readFileSync } = process.getBuiltinModule("node:fs");
    return readFileSync(`/proc/self/task/${id}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  });
}

describe("runs in worker processes", () => {
  test("equal runs in this process bit for bit", async () => {
    const here = await small().run({ quiet: true, record: false, seeds: 3 });
    const there = await small().run({ quiet: true, record: false, seeds: 3, workers: 2 });
    expect(there.logs.map(({ seed }) => seed)).toEqual([0, 1, 2]);
    expect(there.logs.map(({ events }) => timeless(events))).toEqual(here.logs.map(({ events }) => timeless(events)));
    expect(children()).toEqual([]);
  });

  test("record where runs in this process record", async () => {
    const record = `${folder}/shared`;
    const there = await small().run({ quiet: true, record, seeds: 1, workers: 1 });
    expect((await small().run({ quiet: true, record })).logs).toEqual(there.logs);
  });

  test("go on in another process when theirs is killed, and say so", async () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    let killed = 0;
    const progress: Progress = {
      begin() {},
      end() {},
      event(event) {
        if (event.type === "step" && event.step > 60 && killed === 0) {
          killed++;
          for (const pid of children()) process.kill(pid, "SIGKILL");
        }
      },
    };
    const long = small().train({ epochs: 40 });
    const here = await long.run({ quiet: true, record: false });
    const there = await runMany(long.spec, { workers: 1, progress, record: false, checkpointSeconds: 0.05 });
    const lines = said.mock.calls.map(([line]) => String(line));
    said.mockRestore();
    expect(killed).toBe(1);
    expect(lines.join("")).toContain(
      "the worker of run 1 was killed (SIGKILL); the run goes on from its last checkpoint",
    );
    expect(timeless(there.logs[0]!.events)).toEqual(timeless(here.logs[0]!.events));
  });

  test("stop when they are asked to, and keep what they did", async () => {
    const record = `${folder}/stop`;
    const control = new AbortController();
    const progress: Progress = {
      begin() {},
      end() {},
      event: (event) => void (event.type === "step" && event.step > 60 && control.abort()),
    };
    const long = small().train({ epochs: 40 });
    await expect(
      runMany(long.spec, { workers: 2, seeds: 2, record, progress, signal: control.signal }),
    ).rejects.toThrow("stopped");
    expect(children()).toEqual([]);
    const resumed = await long.resume({ quiet: true, record, seeds: 2 });
    const whole = await long.run({ quiet: true, record: false, seeds: 2 });
    expect(resumed.logs.map(({ events }) => timeless(events))).toEqual(
      whole.logs.map(({ events }) => timeless(events)),
    );
  });

  test("tell the error of a run in its own words", async () => {
    const wild = small().by(replay()).train({ epochs: 1 });
    const { sgd } = await import("thalweg");
    await expect(wild.with(sgd({ lr: 1e20 })).run({ quiet: true, record: false, workers: 1 })).rejects.toThrow(
      /fit: a finite loss is required/,
    );
  });

  test("are trained in this process when the study has a strategy of one's own, and say why", async () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const mine = strategy("mine", {}, () => ({}));
    const run = await small().by(mine()).run({ quiet: true, record: false, workers: 2 });
    const lines = said.mock.calls.map(([line]) => String(line)).join("");
    said.mockRestore();
    expect(run.logs[0]!.events.at(-1)!.type).toBe("finished");
    expect(lines).toContain(
      'a strategy of the library is required, got "mine"; a strategy of your own cannot be made of its name',
    );
  });

  test("work in comparisons too", async () => {
    const study = classes(blobs({ classes: 4 }))
      .split(2)
      .learn(mlp({ hidden: [8] }));
    const both = await compare(study.by(naive()), study.by(replay({ capacity: 20 })), {
      seeds: 2,
      workers: 2,
      quiet: true,
    });
    expect(both.runs.map((run) => run.logs.length)).toEqual([2, 2]);
  });
});

describe("what is sent to a worker", () => {
  test("is the same data set, whatever it was made of", () => {
    const x = [
      [0, 1],
      [1, 0],
      [0, 2],
      [2, 0],
    ];
    const data = fromArrays(x, [0, 1, 0, 1]);
    expect(unpackedData(packedData(data)).checksum).toBe(data.checksum);
    const stream = classes(data).split(2);
    expect(dataOf(stream.spec)).toEqual([data]);
  });

  test("is the same experiment made of its JSON", () => {
    const { spec } = small();
    const again = specFromJson(JSON.parse(JSON.stringify(small())), dataOf(spec.stream.spec));
    expect(JSON.stringify(again.model)).toBe(JSON.stringify(spec.model));
    expect(JSON.stringify(again.stream)).toBe(JSON.stringify(spec.stream));
  });
});
