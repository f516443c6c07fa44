import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { anytime, cost } from "../../lib/metrics/index.ts";
import { wait } from "../../lib/strategies/index.ts";
import { megabatches } from "../../lib/streams/sources/megabatches.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import type { TrainEvent } from "../../lib/train/events.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { run, spec } from "./support.ts";

const chunks = 7;
const data = blobs({ classes: 3, dimensions: 3, perClass: 35, testPerClass: 20 });
const arriving = megabatches(data, chunks) as unknown as Stream;
const each = arriving.experience(0).train.length;
const log = (strategy: ReturnType<typeof wait>): readonly TrainEvent[] =>
  run(
    spec(arriving, [strategy as never], {
      training: training({ batch: 5, epochs: 1 }),
      evaluation: evaluation({ atStart: true, share: 0 }),
    }),
  ).events;
const stepsOf = (events: readonly TrainEvent[]): number[] =>
  Array.from({ length: chunks }, (_, i) => events.filter((e) => e.type === "step" && e.experience === i).length);

describe("waiting", () => {
  test("trains on so many experiences at once when they have come, and on what is left at the end", () => {
    expect(stepsOf(log(wait({ experiences: 1 })))).toEqual(Array(chunks).fill(each / 5));
    const three = (n: number): number => (n * each) / 5;
    expect(stepsOf(log(wait({ experiences: 3 })))).toEqual([0, 0, three(3), 0, 0, three(3), three(1)]);
  });

  test("takes all of the past again where it is told to", () => {
    expect(stepsOf(log(wait({ experiences: 3, past: "all" }))).filter((n) => n > 0)).toEqual(
      [3, 6, 7].map((n) => (n * each) / 5),
    );
  });

  test("counts the error at every arrival, that of the network before while it waits", () => {
    const events = log(wait({ experiences: 3 }));
    const accuracies = events.flatMap((e) => (e.type === "evaluated" ? [e.accuracy] : []));
    // before any training, after three, after six, after all
    expect(accuracies).toHaveLength(4);
    const [start, three, six, end] = accuracies.map((a) => 1 - a) as [number, number, number, number];
    expect(anytime.cumulativeError(events).value).toBeCloseTo(2 * start + 3 * three + six + end, 10);
    expect(anytime.cumulativeMemory(events).value).toBe(chunks * cost.stateBytes(events).value!);
  });

  test("says what is missing where nothing was evaluated before the first training", () => {
    const events = log(wait({ experiences: 3 })).filter((e) => e.type !== "evaluated" || e.at !== "start");
    expect(anytime.cumulativeError(events)).toMatchObject({ why: expect.stringContaining("atStart") });
    expect(() => wait({ experiences: 0 })).toThrow("experiences must be a whole number");
  });
});
