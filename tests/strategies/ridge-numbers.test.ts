import { acil, fromArrays, net, ranpac, ridge, type Strategy, sequence, sgd } from "thalweg";
import { describe, expect, test } from "vitest";
import { table, targetTable } from "../../lib/data/dataset.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { contextOf, hooksOf, small } from "./by-hand.ts";
import { run, spec } from "./support.ts";

/** The solution of a small system by elimination. */
function solved(a: number[][], b: number[]): number[] {
  const m = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < m.length; i++) {
    for (let k = i + 1; k < m.length; k++) {
      const f = m[k]![i]! / m[i]![i]!;
      m[k] = m[k]!.map((v, j) => v - f * m[i]![j]!);
    }
  }
  const x = new Array<number>(m.length).fill(0);
  for (let i = m.length - 1; i >= 0; i--)
    x[i] = (m[i]!.at(-1)! - x.reduce((sum, v, j) => (j > i ? sum + v * m[i]![j]! : sum), 0)) / m[i]![i]!;
  return x;
}

describe("ridge regression onto numbers", () => {
  const rows = (x: number[][], y: number[][]) =>
    table(
      Float32Array.from(x.flat()),
      new Int32Array(x.length).fill(-1),
      [x[0]!.length],
      1,
      targetTable(Float32Array.from(y.flat()), y[0]!.length),
    );

  test("on the inputs is the line by hand: slope 4.5/(2 + 1), through the means", () => {
    const { net: of, weights } = small([3], 1, 1);
    const stream = { target: "numbers", head: "single" };
    const { learn } = hooksOf(ridge({ ridge: 1 }));
    const context = contextOf(of, weights, { stream: stream as never });
    const first = learn({ sums: null, tensors: undefined }, { train: rows([[1], [2]], [[2], [4]]) } as never, context);
    const { tensors } = learn(first, { train: rows([[3]], [[6.5]]) } as never, context); // one after the other
    const [slope, intercept] = tensors.kernel.dataSync();
    expect(slope).toBeCloseTo(1.5, 5);
    expect(intercept).toBeCloseTo(12.5 / 3 - 1.5 * 2, 5);
  });

  test.each([
    ["acil", acil({ of: "inputs", units: 4, ridge: 0.5 })],
    ["ranpac", ranpac({ of: "inputs", units: 4, ridge: 0.5 })],
  ] as [string, Strategy][])("with the random layer of %s is the regression of both columns onto it", (_, own) => {
    const { net: of, weights } = small([3], 2, 2);
    const x = [
      [1, 0.5],
      [-0.3, 2],
      [0.7, -1],
      [1.5, 1],
      [-1, -0.2],
    ];
    const y = x.map(([a, b]) => [a! - 2 * b!, a! * b!]);
    const context = contextOf(of, weights, { stream: { target: "numbers", head: "single" } as never });
    const { tensors } = hooksOf(own).learn({ sums: null, tensors: undefined }, { train: rows(x, y) } as never, context);
    const p = tensors.projection.arraySync() as number[][];
    const h = x.map((row) => p[0]!.map((_, u) => Math.max(0, row[0]! * p[0]![u]! + row[1]! * p[1]![u]!)));
    const gram = p[0]!.map((_, a) =>
      p[0]!.map((__, b) => h.reduce((sum, r) => sum + r[a]! * r[b]!, a === b ? 0.5 : 0)),
    );
    const kernel = tensors.kernel.arraySync() as number[][];
    for (const column of [0, 1]) {
      const wanted = solved(
        gram,
        p[0]!.map((_, u) => h.reduce((sum, r, i) => sum + r[u]! * y[i]![column]!, 0)),
      );
      wanted.forEach((w, u) => {
        expect(kernel[u]![column]).toBeCloseTo(w, 4);
      });
    }
  });

  test("forgets no experience and predicts what is scored", () => {
    const n = 90;
    const x = Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(7 * i));
    const y = Float32Array.from({ length: n }, (_, i) => 3 * x[2 * i]! - x[2 * i + 1]! + 2);
    const data = fromArrays(x, y, { shape: [2], target: "numbers" });
    const { events } = run(
      spec(sequence(data, 3) as never, [ridge({ ridge: 1e-6 })], {
        model: net().dense(3).relu() as never,
        optimizer: sgd({ lr: 0.01 }),
        training: training({ batch: 10 }),
        evaluation: evaluation({ atStart: false }),
      }),
    );
    const last = events.flatMap((event) => (event.type === "evaluated" && event.after === 2 ? [event.accuracy] : []));
    expect(last.length).toBe(3);
    for (const r2 of last) expect(r2).toBeGreaterThan(0.999);
  });
});
