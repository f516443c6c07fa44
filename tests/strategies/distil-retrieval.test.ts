/** Halves of examples that find each other, in plain arithmetic. */
import { describe, expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { trained } from "../../lib/models/trained.ts";
import { distilRetrieval } from "../../lib/strategies/index.ts";
import { exampleHalves, type Weighing } from "../../lib/strategies/objectives/distil-retrieval.ts";
import {
  contextOf,
  dot,
  entropy,
  hooksOf,
  length,
  mean,
  normal,
  perceptron,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 4, 3);
const other = small([12], 4, 3, 20).weights;
const teacher = trained({ model: mlp({ hidden: [12] }), input: [4], weights: other });
const x = normal(6, 4, 7);
const context = contextOf(net, weights, {
  stream: { classes: [], target: "class", head: "single" } as never,
  columns: 3,
});

/** Scores of all pairs at a temperature of 0.5. */
const scores = (of: typeof weights): number[][] => {
  const [one, two] = [x.map(([a, b]) => [a!, b!, 0, 0]), x.map(([, , c, d]) => [0, 0, c!, d!])].map(
    (half) => perceptron(of, half).features,
  ) as [number[][], number[][]];
  return one.map((a) => two.map((b) => (dot(a, b) / Math.max(length(a) * length(b), 1e-9)) * 2));
};
const turned = (rows: number[][]): number[][] => rows[0]!.map((_, j) => rows.map((row) => row[j]!));
const [own, taught] = [scores(weights), scores(other)];

/** The loss of one direction with the two hardest others. */
function wanted(s: number[][], t: number[][], weigh: Weighing): number {
  const rows = s.map((row, i) => {
    const hard = row
      .map((_, j) => j)
      .filter((j) => j !== i)
      .sort((a, b) => t[i]![b]! - t[i]![a]!)
      .slice(0, 2);
    const at = [i, ...hard];
    return { s: at.map((j) => row[j]!), t: at.map((j) => t[i]![j]!) };
  });
  const squares = rows.map((row) => mean(row.t.map((v, k) => (v - row.s[k]!) ** 2)));
  const each = rows.map((row) => mean(row.s.map((v, k) => Math.log1p(Math.exp(v)) - (k === 0 ? v : 0))));
  if (weigh === "none") return 0.3 * mean(squares) + 0.7 * mean(each);
  if (weigh === "student") {
    const ratio = rows.map((row) => 1 - Math.exp(-entropy(row.s, 0) / entropy(row.t, 0)));
    return 0.3 * mean(squares.map((v, i) => v * ratio[i]!)) + mean(rows.map((row) => entropy(row.s, 0)));
  }
  const unsure = rows.map((row) => -softmax(row.t).reduce((sum, p) => sum + p * Math.log(p), 0));
  const share = unsure.map((v) => v / unsure.reduce((a, b) => a + b, 0));
  const sure = softmax(share.map((v) => (1 - v) ** 2));
  const sum = (a: number[], b: number[]): number => a.reduce((total, v, i) => total + v * b[i]!, 0);
  return 0.3 * sum(squares, sure) + 0.7 * sum(each, share);
}

describe("P011: halves of examples", () => {
  test.each(["teacher", "student", "none"] as const)(
    "learn hard pairs that a teacher chose, weighed by %s",
    (weigh) => {
      const hooks = hooksOf(distilRetrieval({ teacher, negatives: 2, weight: 0.3, temperature: 0.5, weigh }));
      const step = stepOf({ net, weights, x });
      const found = hooks.taskLoss(hooks.init(context), step).dataSync()[0]!;
      expect(found).toBeCloseTo((wanted(own, taught, weigh) + wanted(turned(own), turned(taught), weigh)) / 2, 4);
    },
  );

  test("learn the right half alone without a teacher, and nothing from an example by itself", () => {
    const hooks = hooksOf(distilRetrieval({ temperature: 0.5 }));
    const loss = (rows: number[][]): number =>
      hooks.taskLoss({ tensors: {} }, stepOf({ net, weights, x: rows })).dataSync()[0]!;
    const both = [own, turned(own)].map((s) => mean(s.map((row, i) => entropy(row, i))));
    expect(loss(x)).toBeCloseTo(mean(both), 4);
    expect(loss(x.slice(0, 1))).toBeCloseTo(0, 6);
  });

  test("are the upper rows and the others", () => {
    const [one, two] = exampleHalves(tf.ones([1, 3, 2, 1]));
    expect([...one.dataSync()]).toEqual([1, 1, 1, 1, 0, 0]);
    expect([...two.dataSync()]).toEqual([0, 0, 0, 0, 1, 1]);
  });
});
