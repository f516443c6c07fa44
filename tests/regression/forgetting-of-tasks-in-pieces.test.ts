import fc from "fast-check";
import {
  accuracyMatrix,
  adam,
  bwt,
  classes,
  digits,
  forgetting,
  forgettingByTask,
  fwt,
  intransigence,
  lifelong,
  type Metric,
  mlp,
  stabilityGap,
  type TrainEvent,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { logOf } from "../metrics/logs.ts";

/** Two tasks of three pieces each: accuracy on task 0 and on task 1 after every piece. */
const pieces = [
  [0.1, 0],
  [0.5, 0],
  [0.9, 0.2],
  [0.7, 0.4],
  [0.3, 0.6],
  [0.1, 0.8],
];
const cut = logOf(pieces, { tasks: [0, 0, 0, 1, 1, 1], initial: [0, 0.1], classes: "shared" });

describe("right after learning is after the last piece of a task", () => {
  test("worked by hand: task 0 falls from 0.9 to 0.1", () => {
    expect(bwt.gem(cut).value).toBeCloseTo(-0.8, 12);
    expect(bwt.diaz(cut).value).toBeCloseTo(-0.8, 12);
    expect(forgetting.chaudhry(cut).value).toBeCloseTo(0.8, 12);
    expect(forgetting.initialMinusLast(cut).value).toBeCloseTo(0.8, 12);
    expect(forgetting.mammoth(cut).value).toBeCloseTo(0.8, 12);
    expect(forgettingByTask(cut)).toEqual([{ task: 0, forgetting: 0.8 }]);
    expect(fwt.gem(cut).value).toBeCloseTo(0.2 - 0.1, 12);
    expect(fwt.diaz(cut).value).toBeCloseTo(0.2, 12);
    expect(lifelong.performanceMaintenance(cut).value).toBeCloseTo(-0.8, 12);
    expect(lifelong.backwardTransfer(cut).value).toBeCloseTo((0.1 - 0.9) / (0.1 + 0.9), 12);
    expect(lifelong.forwardTransfer(cut).value).toBeCloseTo((0.2 - 0.1) / (0.2 + 0.1), 12);
    expect(accuracyMatrix(cut).visits).toEqual([
      { task: 0, row: 2 },
      { task: 1, row: 5 },
    ]);
  });

  test("a reference is compared with at the end of a task", () => {
    const joint = logOf([...pieces.slice(0, 5), [0.8, 0.9]], { tasks: [0, 0, 0, 1, 1, 1] });
    expect(intransigence.cumulative(joint)(cut).value).toBeCloseTo((0 + (0.9 - 0.8)) / 2, 12);
  });

  test("pieces of one task have no boundary between them", () => {
    const at = (step: number, on: number, accuracy: number): TrainEvent => ({
      ...({ type: "evaluated", at: "step", after: 0, examples: 9, loss: 1, taskAware: 1, taskAgnostic: 1 } as const),
      step,
      on,
      accuracy,
    });
    const boundary = (experience: number, task: number): TrainEvent => ({
      ...({ type: "boundary", examples: 9, classes: [0], steps: 10 } as const),
      step: 10 * experience,
      experience,
      task,
    });
    const log = [boundary(0, 0), at(9, 0, 0.9), boundary(1, 1), at(12, 0, 0.5), boundary(2, 1), at(22, 0, 0.8)];
    // one fall, from 0.9 to 0.5; not the mean of that and of a rise from 0.5 to 0.8
    expect(stabilityGap.depth(log).value).toBeCloseTo(0.4, 12);
  });
});

describe("tasks that recur", () => {
  test("gain nothing from others by being trained again: worked by hand", () => {
    const log = logOf(
      [
        [0.6, 0],
        [0.2, 0.7],
        [0.9, 0.3],
        [0.5, 0.8],
      ],
      { tasks: [0, 1, 0, 1] },
    );
    // task 0 was learned again at 0.9 and is left with 0.5; the task of the last experience is left out
    expect(bwt.gem(log).value).toBeCloseTo(0.5 - 0.9, 12);
    expect(forgetting.chaudhry(log).value).toBeCloseTo(0.9 - 0.5, 12);
    // after task 1, from 0.6, and after task 1 again, from 0.9
    expect(bwt.diaz(log).value).toBeCloseTo((0.2 - 0.6 + (0.5 - 0.9)) / 2, 12);
  });

  test("a best accuracy of an earlier visit counts as known", () => {
    const log = logOf(
      [
        [0.9, 0],
        [0.2, 0.7],
        [0.6, 0.3],
        [0.5, 0.8],
      ],
      { tasks: [0, 1, 0, 1] },
    );
    expect(forgetting.chaudhry(log).value).toBeCloseTo(0.9 - 0.5, 12);
    expect(bwt.gem(log).value).toBeCloseTo(0.5 - 0.6, 12);
  });

  test("one task alone, however often it comes, is not forgotten for another", () => {
    const log = logOf([[0.2], [0.9], [0.3]], { tasks: [0, 0, 0] });
    for (const metric of [bwt.gem, bwt.diaz, forgetting.chaudhry, forgetting.mammoth, lifelong.performanceMaintenance])
      expect(metric(log).why).toBe("only one task has been learned");
  });
});

describe("on any stream of pieces", () => {
  const accuracy = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
  const streams = fc
    .tuple(fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 4 }))
    .chain(([order, most]) =>
      fc.tuple(
        fc.constant(order.filter((task, i) => task !== order[i - 1])),
        fc.array(
          fc.tuple(
            fc.integer({ min: 1, max: most }),
            fc.array(fc.array(accuracy, { minLength: 4, maxLength: 4 }), { minLength: most, maxLength: most }),
          ),
          {
            minLength: 8,
            maxLength: 8,
          },
        ),
      ),
    );
  /** The run in pieces, and the same without: the last piece of each visit alone. */
  const both = ([order, visits]: readonly [number[], (readonly [number, number[][]])[]]) => {
    const initial = [0.1, 0.2, 0.1, 0.3];
    const rows = order.flatMap((task, i) => visits[i]![1].slice(0, visits[i]![0]).map((row) => ({ task, row })));
    const ends = order.map((task, i) => ({ task, row: visits[i]![1][visits[i]![0] - 1]! }));
    return [rows, ends].map((of) =>
      logOf(
        of.map(({ row }) => row),
        { tasks: of.map(({ task }) => task), initial, classes: "shared" },
      ),
    ) as [TrainEvent[], TrainEvent[]];
  };

  test("cutting changes no measure of what is kept or transferred", () => {
    const metrics: Metric[] = [
      ...Object.values(bwt),
      ...Object.values(forgetting),
      ...Object.values(fwt),
      lifelong.performanceMaintenance,
      lifelong.backwardTransfer,
      lifelong.forwardTransfer,
    ];
    fc.assert(
      fc.property(streams, (made) => {
        const [inPieces, uncut] = both(made);
        for (const metric of metrics) expect(metric(inPieces)).toEqual(metric(uncut));
      }),
      { numRuns: 200, seed: 15 },
    );
  });

  test("backward transfer and forgetting never contradict each other", () => {
    fc.assert(
      fc.property(streams, (made) => {
        const [log] = both(made);
        const [transfer, lost] = [bwt.gem(log).value, forgetting.chaudhry(log).value];
        expect(transfer === undefined).toBe(lost === undefined);
        if (transfer === undefined || lost === undefined) return;
        expect(lost + transfer).toBeGreaterThan(-1e-12); // the best is at least what there was right after learning
        expect(forgetting.initialMinusLast(log).value).toBeCloseTo(-transfer, 12);
        expect(forgetting.mammoth(log).value).toBeGreaterThan(Math.max(0, lost) - 1e-12);
        if (transfer < -1e-12) expect(lost).toBeGreaterThan(0);
        if (lost < -1e-12) expect(transfer).toBeGreaterThan(0);
      }),
      { numRuns: 200, seed: 16 },
    );
  });
});

test("the summary of a run on an online stream says one thing", async () => {
  const study = (cut: boolean) => {
    const split = classes(digits()).split(5).slice(0, 2).limit({ train: 200 }).scenario("class");
    const stream = cut ? split.online({ batch: 10, shuffle: false }) : split;
    return stream
      .learn(mlp({ hidden: [16] }))
      .with(adam({ lr: 0.01 }))
      .train({ batch: 10, shuffle: false });
  };
  const [pieces, uncut] = (await Promise.all(
    [true, false].map((cut) => study(cut).run({ quiet: true, record: false })),
  )) as [Awaited<ReturnType<ReturnType<typeof study>["run"]>>, Awaited<ReturnType<ReturnType<typeof study>["run"]>>];
  const of = (run: typeof pieces) => [bwt.gem, forgetting.chaudhry].map((metric) => run.measure(metric)[0]!.value!);
  const [transfer, lost] = of(pieces) as [number, number];
  expect(lost).toBeGreaterThan(0.8); // naive training forgets the first two classes
  expect(transfer).toBeCloseTo(-lost, 12);
  expect(of(uncut)).toEqual([transfer, lost]); // the same batches in the same order, and so the same network
});
