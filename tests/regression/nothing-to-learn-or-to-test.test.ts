import { audit, blobs, classes, fromArrays, lints, mlp, net, type Study, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { makeDataset, table } from "../../lib/data/dataset.ts";
import { nn } from "../../lib/engine/index.ts";

const quiet = { quiet: true, record: false } as const;
const run = (study: Study) => study.run(quiet);
const small = () => mlp({ hidden: [4] });
const data = blobs({ classes: 2, perClass: 10, testPerClass: 4 });

/** Rows of two numbers with classes in turn. */
const rows = (n: number, odd?: { readonly number?: number; readonly label?: number }) => {
  const x = Float32Array.from({ length: 2 * n }, (_, i) => i / n);
  const labels = Int32Array.from({ length: n }, (_, i) => i % 2);
  if (odd?.number !== undefined) x[3] = odd.number;
  if (odd?.label !== undefined) labels[1] = odd.label;
  return table(x, labels, [2], 1);
};
const made = (test: ReturnType<typeof rows>) =>
  makeDataset({ name: "made", kind: "vector", classes: ["a", "b"], train: rows(12), test, source: "made" });

describe("what would be counted wrong without a word is said", () => {
  const bad: [string, () => Promise<unknown>, string][] = [
    [
      "a task without test examples",
      () =>
        run(
          classes(fromArrays([[1], [2], [3], [4], [5]], ["a", "a", "a", "a", "b"]))
            .split(2)
            .learn(small()),
        ),
      "evaluate: at least one test example of every task is required, got none of task 1 (b)",
    ],
    [
      "a test example without a class",
      () => run(classes(made(rows(6, { label: -1 }))).learn(small())),
      "evaluate: a class for every test example is required, got none at example 1 of task 0 (a, b)",
    ],
    [
      "NaN among the test examples",
      () => run(classes(made(rows(6, { number: Number.NaN }))).learn(small())),
      "evaluate: a finite loss is required, got NaN on task 0 after step 0",
    ],
    [
      "a batch that is larger than the table, where batches that are not full are left out",
      () => run(classes(data).learn(small()).train({ batch: 64, dropLast: true })),
      "train: a batch of at most 20 examples is required with dropLast, got 64",
    ],
    [
      "half a seed",
      () =>
        classes(data)
          .learn(small())
          .run({ ...quiet, seeds: 1.5 }),
      "run: seeds must be a count",
    ],
  ];
  test.each(bad)("%s", async (_, make, message) => {
    await expect(make()).rejects.toThrow(message);
  });

  test.each([
    ["1.5", 1.5],
    ["9", 9],
    ["−1", -1],
  ])("a token of %s, where there are four", async (_, token) => {
    const x = Array.from({ length: 12 }, (_, i) => [i % 4, i === 7 ? token : (i + 1) % 4]);
    const tokens = fromArrays(
      x,
      x.map((_, i) => i % 2),
      { kind: "sequence" },
    );
    const study = classes(tokens).learn(net().embedding(4, 3).flatten());
    await expect(run(study)).rejects.toThrow(
      `embedding: tokens that are whole numbers from 0 to 3 are required, got ${token}`,
    );
  });

  test("a run in which no example had a label", async () => {
    const unlabelled = await run(classes(data).unlabel(1).learn(small()));
    expect(lints(unlabelled.logs[0]!.events)).toEqual([expect.stringContaining("fit: every loss was exactly zero")]);
    const learnt = await run(classes(data).learn(small()));
    expect(lints(learnt.logs[0]!.events)).toEqual([]);
  });

  test("a class that is tested and never seen", () => {
    const other = fromArrays([[1], [2]], [3, 7], { test: { x: [[3]], y: [100] } });
    expect(audit(classes(other))).toEqual(["tested but never seen: 100"]);
  });
});

describe("one class alone", () => {
  test("is learnt, with nothing to tell apart", async () => {
    const one = fromArrays([[1], [2], [3], [4]], ["a", "a", "a", "a"], { test: 0.5 });
    expect((await run(classes(one).learn(small()))).matrix().values).toEqual([[1]]);
  });

  test("is where a head begins that grows class by class", async () => {
    const stream = classes(blobs({ classes: 3, perClass: 20, testPerClass: 5 })).split(3);
    const grown = await run(stream.scenario("class", { head: "growing" }).learn(small()));
    expect(grown.matrix().values[0]![0]).toBe(1);
    const single = await run(stream.scenario("domain").learn(small()));
    expect(single.matrix().values.at(-1)).toEqual([1, 1, 1]);
  });

  test("has a cross-entropy of 0, and no gradient; an example without a label too", () => {
    const logits = tf.tensor2d([[3], [-2]]);
    const [both, one] = [tf.tensor1d([0, 0], "int32"), tf.tensor1d([0, -1], "int32")];
    expect([...nn.crossEntropies(logits, both).dataSync()]).toEqual([0, 0].map((v) => expect.closeTo(v, 12)));
    expect([...nn.crossEntropies(logits, one).dataSync()]).toEqual([0, 0].map((v) => expect.closeTo(v, 12)));
    const slope = tf.grad((z) => tf.sum(nn.crossEntropies(z, both)))(logits);
    expect([...slope.dataSync()]).toEqual([0, 0]);
  });
});
