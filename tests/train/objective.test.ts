import {
  blobs,
  classes,
  erAce,
  fit,
  mlp,
  net,
  type Run,
  regression,
  sgd,
  type TrainEvent,
  table,
  targetLoss,
  targetScore,
  targetTable,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";

type Given = Parameters<typeof targetLoss>[1];
const step = (parts: { logits: number[][]; targets: number[][]; mask?: number[]; weight?: number[] }): Given =>
  ({
    logits: tf.tensor2d(parts.logits),
    targets: tf.tensor2d(parts.targets),
    mask: parts.mask === undefined ? null : tf.tensor2d([parts.mask]),
    weight: parts.weight === undefined ? null : tf.tensor1d(parts.weight),
    y: tf.tensor1d([0, 0], "int32"),
  }) as unknown as Given;
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;

describe("what a stream asks for", () => {
  test("numbers: the mean squared error, weighted by row", () => {
    const given = {
      logits: [
        [1, 2],
        [0, 0],
      ],
      targets: [
        [0, 4],
        [1, 1],
      ],
    };
    expect(value(targetLoss("numbers", step(given)))).toBeCloseTo((1 + 4 + 1 + 1) / 4, 6);
    expect(value(targetLoss("numbers", step({ ...given, weight: [1, 0] })))).toBeCloseTo((1 + 4) / 2, 6);
  });

  test("several labels: the binary cross-entropy of the columns that compete, without overflow", () => {
    const given = {
      logits: [
        [0, 200],
        [Math.log(3), -200],
      ],
      targets: [
        [1, 1],
        [0, 0],
      ],
    };
    // −log ½, −log σ(200) = 0; −log(1 − ¾), −log(1 − σ(−200)) = 0
    expect(value(targetLoss("labels", step(given)))).toBeCloseTo((Math.log(2) + Math.log(4)) / 4, 5);
    expect(value(targetLoss("labels", step({ ...given, mask: [1, 0] })))).toBeCloseTo(
      (Math.log(2) + Math.log(4)) / 2,
      5,
    );
  });

  test("scores: R² for numbers, the share decided right for labels", () => {
    const x = new Float32Array(3);
    const numbers = table(x, new Int32Array(3).fill(-1), [1], 1, targetTable(Float32Array.of(1, 2, 3), 1));
    // errors 0, 1, 0 about a variance of 1 + 0 + 1
    expect(targetScore("numbers", Float32Array.of(1, 3, 3), numbers, [0])).toMatchObject({
      taskAware: 0.5,
      loss: 1 / 3,
    });
    const labels = table(x, new Int32Array(3).fill(-1), [1], 1, targetTable(Float32Array.of(1, 0, 1), 1));
    expect(targetScore("labels", Float32Array.of(2, 2, -2), labels, [0]).taskAware).toBeCloseTo(1 / 3, 12);
  });

  test("a network learns numbers and several labels", async () => {
    const quiet = { quiet: true };
    const numbers = await regression({ examples: 400 })
      .slice(0, 1)
      .learn(net().dense(5).relu())
      .with(sgd({ lr: 0.01 }))
      .train({ batch: 1 })
      .run(quiet);
    const labels = await classes(blobs({ classes: 4, spread: 0.2 }))
      .multiLabel()
      .learn(mlp({ hidden: [16] }))
      .with(sgd({ lr: 0.5 }))
      .train({ epochs: 5 })
      .run(quiet);
    const ends = (run: Run): number[] => [run.matrix().initial[0]!, run.matrix().values[0]![0]!];
    const [before, after] = ends(numbers);
    expect(after).toBeGreaterThan(Math.max(0.2, before!));
    const [chance, learned] = ends(labels);
    expect(learned).toBeGreaterThan(chance! + 0.1);
  });

  test("a memory of classes refuses a stream of numbers, with a sentence", async () => {
    const study = regression({ examples: 20 }).slice(0, 1).learn(net().dense(2));
    expect(() => study.by(erAce({ capacity: 5 }))).toThrow("erAce: a stream that asks for one class is required");
  });
});

describe("examples without a label", () => {
  test("weigh nothing: training on them is training on the others", async () => {
    const data = blobs({ classes: 2, perClass: 40 });
    const losses = async (unlabelled: boolean): Promise<number[]> => {
      const stream = unlabelled ? classes(data).unlabel(0.5) : classes(data);
      const events: TrainEvent[] = [];
      const fitting = fit(stream.learn(mlp({ hidden: [8] })).train({ batch: 80, shuffle: false }).spec);
      for await (const event of fitting) events.push(event);
      fitting.dispose();
      return events.flatMap((e) => (e.type === "step" ? [e.loss] : []));
    };
    const [half] = await losses(true);
    const [all] = await losses(false);
    expect(half).not.toBe(all);
    expect(Math.abs(half! - all!)).toBeLessThan(0.3); // half the labels, not half the loss
  });
});
