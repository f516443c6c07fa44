import { describe, expect, test } from "vitest";
import { table } from "../../lib/data/dataset.ts";
import { random, tf } from "../../lib/engine/index.ts";
import { cholesky, principal, solveSymmetric, symmetricEigen } from "../../lib/engine/linear-algebra.ts";
import { mlp } from "../../lib/models/index.ts";
import { network } from "../../lib/models/network.ts";
import { merged, pull } from "../../lib/strategies/parts/anchor.ts";
import { fitBias } from "../../lib/strategies/parts/bias.ts";
import { type Buffer, deal, emptyBuffer, type Keep, offer } from "../../lib/strategies/parts/buffer.ts";
import { softCrossEntropies } from "../../lib/strategies/parts/distillation.ts";
import { herded } from "../../lib/strategies/parts/exemplars.ts";
import { fisher, importanceOf } from "../../lib/strategies/parts/fisher.ts";
import { awayFrom, cone, dot } from "../../lib/strategies/parts/projection.ts";
import { largestShare } from "../../lib/strategies/parts/quantile.ts";
import { emptyRecords, placesInput, read, written } from "../../lib/strategies/parts/recorded.ts";
import { ridgeWeights, withRidgeRows } from "../../lib/strategies/parts/ridge.ts";
import type { Batch, Context } from "../../lib/strategies/strategy.ts";
import { numbers } from "./support.ts";

/** What the Fisher information asks of a run. */
function context(hidden: number[], columns: number, inputs: number): Context {
  const net = network(mlp({ hidden }), [inputs]);
  return {
    rng: random(3),
    network: net,
    weights: net.init(random(1), columns),
    statistics: {},
    columns,
    batch: 5,
    experience: 0,
    mask: () => null,
  } as unknown as Context;
}

function examples(n: number, inputs: number, columns: number) {
  const rng = random(9);
  const x = rng.fillNormal(new Float32Array(n * inputs));
  return table(
    x,
    Int32Array.from({ length: n }, () => rng.int(columns)),
    [inputs],
    1,
  );
}

const near = (a: unknown, b: readonly number[], digits = 5): void => {
  const got = numbers(a);
  expect(got.length).toBe(b.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(b[i]!, digits);
  });
};

describe("Fisher information", () => {
  test.each(["all", "sampled", "true"] as const)(
    "for labels %s is the same in one pass and example by example",
    (labels) => {
      const at = context([7, 5], 4, 3);
      const of = examples(20, 3, 4);
      const measured = { labels, samples: 20, task: 0 };
      near(fisher(of, measured, at), numbers(fisher(of, { ...measured, oneByOne: true }, at)));
    },
  );

  test("of a softmax model is the mean of x² p (1 − p)", () => {
    const at = context([], 3, 2);
    const of = examples(11, 2, 3);
    const { kernel, bias } = at.weights.head as { kernel: tf.Tensor2D; bias: tf.Tensor1D };
    const [w, b] = [kernel.arraySync(), bias.arraySync()];
    const wanted = [0, 1].map(() => [0, 0, 0]);
    const wantedBias = [0, 0, 0];
    const row = new Float32Array(2);
    for (let n = 0; n < 11; n++) {
      of.read([n], row);
      const z = [0, 1, 2].map((c) => Math.exp(b[c]! + w[0]![c]! * row[0]! + w[1]![c]! * row[1]!));
      const total = z.reduce((s, v) => s + v, 0);
      for (let c = 0; c < 3; c++) {
        const p = z[c]! / total;
        wantedBias[c]! += (p * (1 - p)) / 11;
        for (const d of [0, 1]) wanted[d]![c]! += (row[d]! ** 2 * p * (1 - p)) / 11;
      }
    }
    near(fisher(of, { labels: "all", samples: 11, task: 0 }, at).head, [...wanted.flat(), ...wantedBias]);
  });

  test("of batches is smaller than that of examples, by about their size", () => {
    const at = context([8], 4, 3);
    const of = examples(100, 3, 4);
    const size = (labels: "true" | "batch"): number =>
      numbers(fisher(of, { labels, samples: 100, task: 0 }, at)).reduce((a, b) => a + b, 0);
    expect(size("batch")).toBeLessThan(size("true") / 2);
  });

  test("and the sensitivity of outputs takes absolute gradients of single examples", () => {
    const at = context([6], 3, 2);
    const of = examples(9, 2, 3);
    const f = (logits: tf.Tensor): tf.Tensor => tf.sum(tf.square(logits), -1);
    const measured = { samples: 9, task: 0 };
    near(importanceOf(of, 1, f, measured, at), numbers(importanceOf(of, 1, f, { ...measured, oneByOne: true }, at)));
  });
});

describe("anchors", () => {
  const tree = (rng: ReturnType<typeof random>) => ({
    model: { w: rng.uniforms([3]) },
    head: { w: rng.uniforms([2]) },
  });
  test("two penalties and the one they are merged into have the same slope", () => {
    const rng = random(4);
    const anchor = () => ({ importance: tree(rng), center: tree(rng) });
    const [a, b, at] = [anchor(), anchor(), tree(rng)];
    const slope = (of: (w: typeof at) => tf.Tensor, i: number): number => {
      const moved = (by: number) => ({
        ...at,
        model: { w: tf.tensor1d([...at.model.w.dataSync()].map((v, k) => v + (k === i ? by : 0))) },
      });
      return (of(moved(1e-2)).dataSync()[0]! - of(moved(-1e-2)).dataSync()[0]!) / 2e-2;
    };
    for (let i = 0; i < 3; i++) {
      const two = slope((w) => tf.add(pull(a, w, 3), pull(b, w, 3)), i);
      expect(slope((w) => pull(merged(a, b), w, 3), i)).toBeCloseTo(two, 2);
      const own = (x: typeof a): number =>
        3 * x.importance.model.w.dataSync()[i]! * (at.model.w.dataSync()[i]! - x.center.model.w.dataSync()[i]!);
      expect(two).toBeCloseTo(own(a) + own(b), 2);
    }
  });
});

describe("projections", () => {
  test("a gradient against the reference loses exactly that part, another stays as it is", () => {
    const as = (v: number[]) => ({ model: { w: tf.tensor1d(v.slice(0, 2)) }, head: { w: tf.tensor1d(v.slice(2)) } });
    const reference = as([1, 2, -1]);
    near(awayFrom(as([1, 0, 0]), reference, 0), [1, 0, 0]);
    const changed = awayFrom(as([-1, -1, 2]), reference, 0);
    expect(dot(changed, reference).dataSync()[0]).toBeCloseTo(0, 5);
    near(changed, [-1 + 5 / 6, -1 + 10 / 6, 2 - 5 / 6]);
  });

  test.each([0, 0.5])("the cone's multipliers are those of trying every set of active bounds (margin %s)", (margin) => {
    const rng = random(8);
    for (let trial = 0; trial < 20; trial++) {
      const t = 3;
      const g = Array.from({ length: t }, () => Array.from({ length: 6 }, () => rng.normal()));
      const P = g.map((a) => g.map((b) => a.reduce((s, v, i) => s + v * b[i]!, 0)));
      const q = g.map(() => 3 * rng.normal());
      const cost = (v: number[]): number =>
        v.reduce((s, a, i) => s + q[i]! * a + 0.5 * v.reduce((r, b, j) => r + a * P[i]![j]! * b, 0), 0);
      let best: number[] = [];
      let least = Number.POSITIVE_INFINITY;
      for (let set = 0; set < 2 ** t; set++) {
        const free = [...Array(t).keys()].filter((i) => (set >> i) & 1);
        const v = Array<number>(t).fill(margin);
        if (free.length > 0) {
          const a = Float64Array.from(free.flatMap((i) => free.map((j) => P[i]![j]!)));
          const b = Float64Array.from(
            free,
            (i) => -q[i]! - [...Array(t).keys()].reduce((s, j) => s + (free.includes(j) ? 0 : P[i]![j]! * margin), 0),
          );
          solveSymmetric(a, b, free.length, 1).forEach((value, k) => {
            v[free[k]!] = value;
          });
        }
        if (v.every((value) => value >= margin - 1e-9) && cost(v) < least) [best, least] = [v, cost(v)];
      }
      const found = [...cone(tf.tensor2d(P), tf.tensor1d(q), margin, 200).dataSync()];
      expect(cost(found)).toBeLessThan(least + 1e-3 * (1 + Math.abs(least)));
      found.forEach((value, i) => {
        expect(value).toBeCloseTo(best[i]!, 2);
      });
    }
  });
});

describe("memories", () => {
  const fill = (keep: Keep, labels: number[], capacity: number, seed: number): Buffer => {
    const from = table(
      Float32Array.from(labels, (_, i) => i),
      Int32Array.from(labels),
      [1],
      1,
    );
    const buffer = emptyBuffer(capacity, from);
    labels.forEach((label, i) => {
      const batch = {
        current: 1,
        y: Int32Array.of(label),
        task: Int32Array.of(0),
        at: Uint32Array.of(i),
        from,
        targets: null,
      };
      offer(buffer, batch as unknown as Batch, keep, random(seed).at(i));
    });
    return buffer;
  };

  test("a reservoir keeps every example with the same probability (chi-square)", () => {
    const counts = Array<number>(40).fill(0);
    const trials = 2000;
    for (let seed = 0; seed < trials; seed++)
      for (const kept of fill("reservoir", Array(40).fill(0), 10, seed).rows) counts[kept]!++;
    const wanted = (trials * 10) / 40;
    const chi = counts.reduce((sum, count) => sum + (count - wanted) ** 2 / wanted, 0);
    expect(chi).toBeLessThan(72); // 39 degrees of freedom: p = 0.001
  });

  test("a balanced memory holds as many of a rare class as of a common one, while there are enough", () => {
    const labels = [...Array(60).fill(0), ...Array(6).fill(1), ...Array(30).fill(2)];
    const kept = [...fill("classBalanced", labels, 18, 5).labels];
    expect([0, 1, 2].map((label) => kept.filter((l) => l === label).length)).toEqual([6, 6, 6]);
  });

  test("a deck deals every place once before any again", () => {
    const buffer = fill("reservoir", Array(7).fill(0), 7, 1);
    const deck = { left: new Uint32Array(0) };
    const dealt = [0, 1, 2, 3, 4, 5, 6].flatMap((i) => [...deal(deck, buffer, 3, random(i))]);
    for (let round = 0; round < 3; round++) expect(new Set(dealt.slice(round * 7, round * 7 + 7)).size).toBe(7);
  });

  test("records hold what was written last at each place", () => {
    let records = emptyRecords(4, 2);
    const write = (places: number[], rows: number[][]): void => {
      const at = placesInput(places, 4);
      records = written(records, tf.tensor1d(at.data as Int32Array, "int32"), tf.tensor2d(rows));
    };
    write(
      [2, -1],
      [
        [1, 2],
        [9, 9],
      ],
    );
    write(
      [0, 2],
      [
        [3, 4],
        [5, 6],
      ],
    );
    near(read(records, tf.tensor1d([2, 0, 1], "int32")), [5, 6, 3, 4, 0, 0]);
  });

  test("herding takes the row nearest to the mean first, then what brings the mean nearest", () => {
    const vectors = Float32Array.of(0, 0, 4, 0, 1, 0, 3, 0);
    expect([...herded(vectors, 2, 4)].slice(0, 1)).toEqual([2]);
    const order = herded(vectors, 2, 2);
    expect([...order].sort()).toEqual([2, 3]); // 1 and 3 have the mean 2, that of all
  });
});

describe("linear algebra", () => {
  const symmetric = (n: number, seed: number): Float64Array => {
    const rng = random(seed);
    const b = Float64Array.from({ length: n * n }, () => rng.normal());
    return Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < n; k++) sum += b[i * n + k]! * b[j * n + k]!;
      return sum;
    });
  };

  test("a factor times itself is the matrix, and a solution solves", () => {
    const a = symmetric(6, 1);
    const l = cholesky(a, 6);
    for (let i = 0; i < 6; i++)
      for (let j = 0; j < 6; j++) {
        let sum = 0;
        for (let k = 0; k < 6; k++) sum += l[i * 6 + k]! * l[j * 6 + k]!;
        expect(sum).toBeCloseTo(a[i * 6 + j]!, 9);
      }
    const x = solveSymmetric(a, Float64Array.of(1, 2, 3, 4, 5, 6), 6, 1);
    for (let i = 0; i < 6; i++) expect([...x].reduce((s, v, j) => s + a[i * 6 + j]! * v, 0)).toBeCloseTo(i + 1, 9);
    expect(() => cholesky(Float64Array.of(1, 2, 2, 1), 2)).toThrow("cholesky: a positive definite matrix is required");
  });

  test("eigenvectors are orthonormal and are only scaled by the matrix", () => {
    const n = 7;
    const a = symmetric(n, 2);
    const { values, vectors } = symmetricEigen(a, n);
    for (let r = 0; r < n; r++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += a[i * n + j]! * vectors[r * n + j]!;
        expect(sum).toBeCloseTo(values[r]! * vectors[r * n + i]!, 7);
      }
      if (r > 0) expect(values[r]).toBeLessThanOrEqual(values[r - 1]!);
    }
  });

  test.each([
    [3, 8],
    [9, 4],
  ])("principal directions of %i rows of %i numbers hold all their length", (n, width) => {
    const rows = random(5).fillNormal(new Float32Array(n * width));
    const { directions, shares } = principal(rows, width);
    expect(directions.length).toBe(Math.min(n, width));
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    directions.forEach((a, i) => {
      directions.forEach((b, j) => {
        expect(a.reduce((s, v, k) => s + v * b[k]!, 0)).toBeCloseTo(i === j ? 1 : 0, 6);
      });
    });
  });
});

describe("closed forms", () => {
  test("a ridge regression in parts is that of all rows at once, in any order", () => {
    const rng = random(6);
    const [n, d, classes] = [60, 5, 3];
    const rows = rng.fillNormal(new Float32Array(n * d));
    const labels = Int32Array.from({ length: n }, () => rng.int(classes));
    const part = (from: number, to: number, sums: ReturnType<typeof withRidgeRows> | null) =>
      withRidgeRows(sums, rows.slice(from * d, to * d), d, labels.slice(from, to), classes);
    const inParts = ridgeWeights(part(0, 20, part(45, 60, part(20, 45, null))), 0.3);
    const gram = new Float64Array(d * d);
    const cross = new Float64Array(d * classes);
    for (let i = 0; i < n; i++)
      for (let a = 0; a < d; a++) {
        cross[a * classes + labels[i]!]! += rows[i * d + a]!;
        for (let b = 0; b < d; b++) gram[a * d + b]! += rows[i * d + a]! * rows[i * d + b]!;
      }
    for (let a = 0; a < d; a++) gram[a * d + a]! += 0.3;
    for (let a = 0; a < d; a++)
      for (let c = 0; c < classes; c++) {
        let sum = 0;
        for (let b = 0; b < d; b++) sum += gram[a * d + b]! * inParts[b * classes + c]!;
        expect(Math.abs(sum - cross[a * classes + c]!)).toBeLessThan(1e-4);
      }
  });

  test("two numbers that correct a bias are at a minimum", () => {
    const rng = random(2);
    const logits = rng.fillNormal(new Float32Array(300), 0, 2);
    const labels = Int32Array.from({ length: 100 }, () => rng.int(3));
    const { scale, shift } = fitBias(logits, labels, 3, [0, 1, 2], [2]);
    const loss = (a: number, b: number): number =>
      labels.reduce((sum, label, i) => {
        const z = [logits[i * 3]!, logits[i * 3 + 1]!, a * logits[i * 3 + 2]! + b];
        return sum + Math.log(z.reduce((s, v) => s + Math.exp(v), 0)) - z[label]!;
      }, 0);
    for (const [a, b] of [
      [1e-2, 0],
      [-1e-2, 0],
      [0, 1e-2],
      [0, -1e-2],
    ] as const)
      expect(loss(scale + a, shift + b)).toBeGreaterThan(loss(scale, shift) - 1e-9);
  });

  test("a threshold keeps the share of counted numbers that is largest", () => {
    const kept = largestShare(tf.tensor1d([5, 1, 4, 9, 2, 3]), tf.tensor1d([1, 1, 1, 0, 1, 1]), tf.scalar(0.4));
    expect([...kept.dataSync()]).toEqual([1, 0, 1, 0, 0, 0]);
  });

  test("distillation has its least where both agree, and ignores columns that are left out", () => {
    const teacher = tf.tensor2d([[1, 2, 5]]);
    const columns = tf.tensor2d([[1, 1, 0]]);
    const at = (z: number[]): number => softCrossEntropies(tf.tensor2d([z]), teacher, 2, columns).dataSync()[0]!;
    const p = 1 / (1 + Math.exp(0.5));
    expect(at([1, 2, -7])).toBeCloseTo(-p * Math.log(p) - (1 - p) * Math.log(1 - p), 5);
    expect(at([1, 2, 100])).toBeCloseTo(at([1, 2, -7]), 6);
    expect(at([1, 3, 0])).toBeGreaterThan(at([1, 2, 0]));
  });
});
