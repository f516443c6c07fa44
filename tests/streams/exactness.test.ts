import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { gather, gatherTargets } from "../../lib/data/dataset.ts";
import { digits } from "../../lib/data/digits.ts";
import { random } from "../../lib/engine/random.ts";
import * as o from "../../lib/streams/operators/index.ts";
import { dirichlet, gamma, poisson } from "../../lib/streams/parts/distributions.ts";
import { visits } from "../../lib/streams/parts/visits.ts";
import * as sources from "../../lib/streams/sources/index.ts";
import type { Stream } from "../../lib/streams/stream.ts";

const even = blobs({ classes: 10, perClass: 200, testPerClass: 5 });
const split5 = () => o.split(5)(sources.classes(even));
const countOf = (labels: ArrayLike<number>, wanted: (label: number) => boolean) =>
  Array.from(labels).filter(wanted).length;

describe("i-Blurry (Koh et al. 2022, section 3)", () => {
  test("N % of the classes stay in one experience; of the others M % are elsewhere, evenly", () => {
    const stream = o.blur({ disjoint: 0.5, blurry: 0.1, seed: 4 })(split5());
    const where = even.classes.map((_, c) => [...stream].map((e) => countOf(e.train.labels, (l) => l === c)));
    const disjoint = where.filter((row) => row.filter((n) => n > 0).length === 1);
    expect(disjoint).toHaveLength(5);
    expect(disjoint.every((row) => Math.max(...row) === 200)).toBe(true);
    for (const [c, row] of where.entries()) {
      if (disjoint.includes(row)) continue;
      const home = Math.floor(c / 2);
      expect(row[home]).toBe(180); // 100 − M = 90 %
    }
    // what leaves an experience is dealt out evenly over the four others
    const minor = [...stream].map((e, i) => countOf(e.train.labels, (l) => Math.floor(l / 2) !== i));
    expect(minor.reduce((a, b) => a + b, 0)).toBe(5 * 20);
    for (let from = 0; from < 5; from++) {
      const left = [...stream].map((e) => countOf(e.train.labels, (l) => Math.floor(l / 2) === from));
      const others = left.filter((_, i) => i !== from);
      expect(Math.max(...others) - Math.min(...others)).toBeLessThanOrEqual(1);
    }
  });
});

describe("Si-Blurry (Moon et al. 2023, section 3.2)", () => {
  test("sizes stay, and what leaves is shuffled over all places it left", () => {
    const stream = o.blur({ disjoint: 0, blurry: 0.5, spread: "shuffled" })(split5());
    expect([...stream].map((e) => e.train.length)).toEqual([400, 400, 400, 400, 400]);
    for (const [i, e] of [...stream].entries()) {
      const own = countOf(e.train.labels, (l) => Math.floor(l / 2) === i);
      // 200 stay; of the 200 places left, each is taken by one of its own with probability 1/5: 40 ± 4 deviations of 5.1
      expect(Math.abs(own - 240)).toBeLessThan(21);
    }
  });

  test("the classes of a random split are 1 + a multinomial number for each experience", () => {
    const sizes = Array.from({ length: 400 }, (_, seed) =>
      [...o.split({ parts: 3, seed })(sources.classes(even))].map((e) => e.classes.length),
    );
    expect(sizes.every((row) => row.reduce((a, b) => a + b, 0) === 10 && row.every((n) => n >= 1))).toBe(true);
    const first = sizes.map((row) => row[0]!);
    const mean = first.reduce((a, b) => a + b, 0) / 400;
    const variance = first.reduce((a, b) => a + (b - mean) ** 2, 0) / 399;
    expect(Math.abs(mean - (1 + 7 / 3))).toBeLessThan(4 * Math.sqrt((7 * (1 / 3) * (2 / 3)) / 400));
    expect(variance).toBeGreaterThan(1.2); // 7 · ⅓ · ⅔ = 1.56
    expect(variance).toBeLessThan(1.95);
  });
});

describe("SCoLe (Lesort et al. 2022, section 3)", () => {
  test("over 1,000 experiences each class comes with probability k/N, and comes back after N/k in the mean", () => {
    const stream = o.recur({ experiences: 1000, classes: 2 })(sources.classes(even));
    const met = [...stream].map((e) => e.classes);
    for (let c = 0; c < 10; c++) {
      const at = met.flatMap((classes, i) => (classes.includes(c) ? [i] : []));
      expect(Math.abs(at.length - 200)).toBeLessThan(4 * Math.sqrt(1000 * 0.2 * 0.8));
      const gaps = at.slice(1).map((i, k) => i - at[k]!);
      expect(Math.abs(gaps.reduce((a, b) => a + b, 0) / gaps.length - 5)).toBeLessThan(4 * Math.sqrt(20 / at.length)); // geometric, p = ⅕
    }
    expect([...new Set(stream.experience(7).train.labels)].sort()).toEqual([...stream.experience(7).classes]);
    expect([stream.tasks, stream.test(0).examples.length]).toEqual([1, 50]);
  });

  test("unequal classes come in proportion to their power of the rank", () => {
    const stream = o.recur({ experiences: 4000, classes: 1, exponent: 1 })(sources.classes(even));
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 4000; i++) counts[stream.experience(i).classes[0]!]!++;
    const sum = Array.from({ length: 10 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
    counts.forEach((n, i) => {
      const p = 1 / (i + 1) / sum;
      expect(Math.abs(n - 4000 * p)).toBeLessThan(4 * Math.sqrt(4000 * p * (1 - p)));
    });
  });
});

test("returns follow the power law of the time since the last visit", () => {
  const [count, length] = [10, 20_000];
  for (const exponent of [0.5, 1, 2]) {
    const order = visits(count, length, exponent, random(3));
    const last = new Array<number>(count).fill(-1);
    const expected = [0, 0, 0];
    const seen = [0, 0, 0];
    const bin = (lag: number) => (lag === 1 ? 0 : lag <= 5 ? 1 : 2);
    const tail = length / 2 + 1; // the tenth comes at 18,000; from here to there six to nine are known, and all are counted below
    let isNew = 0;
    order.forEach((chosen, now) => {
      if (last[chosen] === -1) isNew++;
      else if (now >= tail) {
        const known = last.flatMap((at) => (at >= 0 ? [now - at] : []));
        const total = known.reduce((sum, lag) => sum + lag ** -exponent, 0);
        for (const lag of known) expected[bin(lag)]! += lag ** -exponent / total;
        seen[bin(now - last[chosen]!)]!++;
      }
      last[chosen] = now;
    });
    expect(isNew).toBe(count);
    seen.forEach((n, i) => {
      expect(Math.abs(n - expected[i]!)).toBeLessThan(4 * Math.sqrt(expected[i]!) + 1);
    });
  }
});

test("a long tail has the class counts of Cui et al. 2019: n · ratio^(−r/(C−1))", () => {
  const { train } = o.imbalance({ ratio: 100 })(sources.classes(even)).experience(0);
  const counts = even.classes.map((_, c) => countOf(train.labels, (l) => l === c));
  expect(counts).toEqual([200, 120, 72, 43, 26, 15, 9, 6, 3, 2]); // 200 · 100^(−r/9), rounded
  const steps = o.imbalance({ ratio: 10, shape: "step" })(sources.classes(even)).experience(0).train;
  expect(even.classes.map((_, c) => countOf(steps.labels, (l) => l === c))).toEqual([
    200, 200, 200, 200, 200, 20, 20, 20, 20, 20,
  ]);
});

test("a gradual passage has the sigmoid share of the new at every distance", () => {
  const data = blobs({ classes: 2, dimensions: 1, perClass: 6000, testPerClass: 2 });
  for (const shape of ["sigmoid", "linear"] as const) {
    const stream = o.gradual({ width: 0.5, shape })(o.split(2)(sources.classes(data)));
    const order = [...stream].flatMap((e) => [...e.train.labels]);
    const width = 3000;
    for (const d of [-1400, -700, -200, 200, 700, 1400]) {
      const window = order.slice(6000 + d - 100, 6000 + d + 100);
      const share = countOf(window, (l) => l === 1) / 200;
      const expected = shape === "sigmoid" ? 1 / (1 + Math.exp((-4 * d) / width)) : 0.5 + d / width;
      expect(Math.abs(share - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / 200) + 0.03);
    }
  }
});

describe("distributions", () => {
  const moments = (draw: () => number, n = 20_000) => {
    const xs = Array.from({ length: n }, draw);
    const mean = xs.reduce((a, b) => a + b, 0) / n;
    return [mean, xs.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1)] as const;
  };

  test.each([0.3, 1, 4.5])("gamma(%d) has its shape as mean and variance", (shape) => {
    const rng = random(1);
    const [mean, variance] = moments(() => gamma(shape, rng));
    expect(Math.abs(mean - shape)).toBeLessThan(4 * Math.sqrt(shape / 20_000));
    expect(Math.abs(variance / shape - 1)).toBeLessThan(0.15);
  });

  test.each([0.5, 8, 100])("poisson(%d) has its mean as mean and variance", (mean) => {
    const rng = random(2);
    const [m, v] = moments(() => poisson(mean, rng));
    expect(Math.abs(m - mean)).toBeLessThan(4 * Math.sqrt(mean / 20_000));
    expect(Math.abs(v / mean - 1)).toBeLessThan(0.06);
  });

  test("shares of clients have the moments of the Dirichlet distribution", () => {
    const rng = random(3);
    const [mean, variance] = moments(() => dirichlet(5, 0.5, rng)[0]!, 8000);
    expect(mean).toBeCloseTo(1 / 5, 1.7);
    expect(variance).toBeCloseTo((0.2 * 0.8) / (5 * 0.5 + 1), 2); // p(1 − p) / (α₀ + 1)
  });

  test("clients share every class, each example to one of them, more evenly as the concentration grows", () => {
    const spread = (concentration: number) => {
      const stream = sources.clients(even, { clients: 5, concentration });
      const counts = [...stream].map((e) => even.classes.map((_, c) => countOf(e.train.labels, (l) => l === c)));
      for (let c = 0; c < 10; c++) expect(counts.reduce((sum, row) => sum + row[c]!, 0)).toBe(200);
      return counts.flat().reduce((sum, n) => sum + (n / 200 - 0.2) ** 2, 0) / 50;
    };
    expect(Math.abs(spread(0.3) - 0.16 / 2.5)).toBeLessThan(0.025);
    expect(Math.abs(spread(5) - 0.16 / 26)).toBeLessThan(0.003);
  });
});

test("few-shot streams have the counts they are asked for", () => {
  const stream = o.fewShot({ base: 6, ways: 2, shots: 5 })(sources.classes(digits()));
  expect([...stream].map((e) => [e.classes.length, e.train.length])).toEqual([
    [6, 866],
    [2, 10],
    [2, 10],
  ]);
  expect(stream.experience(2).test.length).toBe(70);
});

test("generalized streams draw how many classes there are uniformly, and mix old and new", () => {
  const stream = o.generalized({ experiences: 400, classes: 4, examples: 400, concentration: 5 })(
    sources.classes(even),
  );
  const sizes = [...stream].map((e) => e.classes.length);
  for (let n = 1; n <= 4; n++) expect(Math.abs(countOf(sizes, (s) => s === n) - 100)).toBeLessThan(4 * Math.sqrt(75));
  expect(stream.experience(3).train.length).toBe(400);
});

test("SEA's labels are its rule, but for the noise; Agrawal's first rule is age", () => {
  const { train, test } = sources.sea({ concepts: [1], examples: 3000 }).experience(0);
  const rule = (x: Float32Array) => (10 * (x[0]! + x[1]!) <= 9 ? 1 : 0);
  const wrong = (of: typeof train) =>
    countOf(of.labels, () => true) - [...of.labels.keys()].filter((i) => rule(gather(of, [i])) === of.labels[i]).length;
  expect(wrong(test)).toBe(0);
  expect(Math.abs(wrong(train) / 3000 - 0.1)).toBeLessThan(0.022);
  const people = sources.agrawal({ concepts: [0], examples: 400, noise: 0 }).experience(0).train;
  for (let i = 0; i < 400; i++) {
    const age = Math.round(80 * gather(people, [i])[2]!);
    expect(people.labels[i]).toBe(age < 40 || age >= 60 ? 0 : 1);
  }
});

test("a rotating plane stays close to where it was, and comes far in time", () => {
  const stream = sources.hyperplane({
    examples: 3000,
    testExamples: 10,
    drifting: 5,
    change: 0.1,
    reversal: 0,
    noise: 0,
  });
  /** The direction from the mean of one class to that of the other, which is across the plane. */
  const across = (index: number) => {
    const { train } = stream.experience(index);
    const x = gather(train, [...train.labels.keys()]);
    const sums = [new Float64Array(10), new Float64Array(10)];
    const counts = [0, 0];
    train.labels.forEach((label, i) => {
      counts[label]!++;
      for (let j = 0; j < 10; j++) sums[label]![j]! += x[i * 10 + j]!;
    });
    return sums[1]!.map((v, j) => v / counts[1]! - sums[0]![j]! / counts[0]!);
  };
  const alike = (a: Float64Array, b: Float64Array) => {
    const dot = (u: Float64Array, v: Float64Array) => u.reduce((sum, x, j) => sum + x * v[j]!, 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  const first = across(0);
  expect(alike(first, across(1))).toBeGreaterThan(0.95);
  expect(alike(first, across(60))).toBeLessThan(0.9);
  expect(() => sources.hyperplane({ drifting: 11 })).toThrow("hyperplane: drifting must be from 0 to 10, got 11");
});

test("slowly-changing regression flips one slow bit at a time, and its targets depend on the bits alone", () => {
  const stream = sources.regression({ examples: 50, testExamples: 200 });
  const all = [...Array(50).keys()];
  const slow: string[] = [];
  const known = new Map<string, number>();
  for (let index = 0; index < 8; index++) {
    const e = stream.experience(index);
    const bits = new Set<string>();
    for (const part of [e.train, e.test]) {
      const rows = part === e.train ? all : [...Array(200).keys()];
      const [x, y] = [gather(part, rows), gatherTargets(part, rows)];
      y.forEach((value, i) => {
        const row = x.subarray(i * 20, i * 20 + 20).join("");
        bits.add(row.slice(0, 15));
        if ((known.get(row) ?? value) !== value) expect(`${row} → ${known.get(row)}`).toBe(`${row} → ${value}`);
        known.set(row, value);
      });
    }
    expect(bits.size).toBe(1);
    slow.push([...bits][0]!);
  }
  for (let i = 0; i < 7; i++) expect([...slow[i]!].filter((bit, j) => bit !== slow[i + 1]![j])).toHaveLength(1);
  expect(new Set(known.values()).size).toBeGreaterThan(3);
  // a unit fires for about P(Binomial(20, ½) > 14) of all inputs, so targets stay near the sum of few signs
  expect(Math.max(...[...known.values()].map(Math.abs))).toBeLessThan(25);
  expect([...known.values()].every(Number.isInteger)).toBe(true);
  const never: Stream<"boundary" | "length", "vector"> = stream;
  expect(never.facts).toEqual(["boundary"]);
});

test("slowly-changing regression draws all slow bits anew where that is asked for", () => {
  const stream = sources.regression({ examples: 1, testExamples: 1, flips: "all" });
  const changed = Array.from({ length: 400 }, (_, index) => {
    const [then, now] = [index, index + 1].map((i) => gather(stream.experience(i).train, [0]));
    return [...Array(15).keys()].filter((j) => then![j] !== now![j]).length;
  });
  // Binomial of 15 and ½: mean 7.5, deviation 1.94 of one, 0.1 of the mean of 400.
  expect(Math.abs(changed.reduce((a, b) => a + b, 0) / 400 - 7.5)).toBeLessThan(0.4);
  expect(new Set(changed).size).toBeGreaterThan(7);
  expect(() => sources.regression({ flips: "two" as never })).toThrow('regression: flips must be "one" or "all"');
});

test("the regression network is the sum of its threshold units, worked out one by one", () => {
  // with one hidden unit and weights that are all the same sign for some seed, the target can be told by counting bits
  const [inputs, beta] = [6, 0.7];
  for (let seed = 0; seed < 40; seed++) {
    const stream = sources.regression({
      inputs,
      flipping: 1,
      hidden: 1,
      threshold: beta,
      examples: 400,
      testExamples: 1,
      seed,
    });
    const { train } = stream.experience(0);
    const rows = [...train.labels.keys()];
    const [x, y] = [gather(train, rows), gatherTargets(train, rows)];
    const values = [...new Set(y)];
    expect(values.length).toBeLessThanOrEqual(2); // the bias, and with it or without it ±1
    if (values.length === 2) expect(Math.abs(values[0]! - values[1]!)).toBe(1);
    // whether the unit fires is a matter of how many bits fit their weights: some signs explain all examples
    const fired = [...y].map((v) => v !== y[0]);
    const explained = Array.from({ length: 2 ** inputs }, (_, signs) => {
      const fits = rows.map((i) =>
        [...Array(inputs).keys()].reduce(
          (sum, j) => sum + ((signs >> j) & 1 ? x[i * inputs + j]! : 1 - x[i * inputs + j]!),
          0,
        ),
      );
      const on = fits.filter((_, i) => fired[i]);
      const off = fits.filter((_, i) => !fired[i]);
      return on.length === 0 || Math.min(...on) > Math.max(...off) || Math.max(...on) < Math.min(...off);
    });
    expect(explained).toContain(true);
  }
});

test("edits change their own facts alone", () => {
  const stream = sources.edits(10, { batch: 3 });
  const key = (x: Float32Array) => x.join();
  const facts = new Map<string, number>();
  const { train } = stream.experience(0);
  for (let i = 0; i < train.length; i++) facts.set(key(gather(train, [i])), train.labels[i]!);
  expect(facts.size).toBe(200);
  const edited = new Set<string>();
  for (let i = 1; i <= 10; i++) {
    const e = stream.experience(i);
    for (let k = 0; k < 3; k++) {
      const fact = key(gather(e.train, [k]));
      expect(facts.has(fact)).toBe(true);
      expect(e.train.labels[k]).not.toBe(facts.get(fact));
      edited.add(fact);
    }
  }
  expect(edited.size).toBe(30);
  const local = stream.test(0).examples;
  expect(local.length).toBe(170);
  for (let i = 0; i < 170; i++) expect(edited.has(key(gather(local, [i])))).toBe(false);
});

test("levels of a hierarchy agree with each other: a class is in the same group at every level", () => {
  const stream = sources.hierarchy(digits(), 4, { disjoint: false });
  expect([...stream].map((e) => e.classes.length)).toEqual([2, 3, 5, 10]);
  const labels = [...stream].map((e) => e.train.labels);
  for (let level = 0; level < 3; level++) {
    const parent = new Map<number, number>();
    for (let i = 0; i < 1437; i++) {
      const [fine, coarse] = [labels[level + 1]![i]!, labels[level]![i]!];
      expect(parent.get(fine) ?? coarse).toBe(coarse);
      parent.set(fine, coarse);
    }
  }
  expect(stream.classes[0]).toBe("0+1+2+3+4+5+6+7");
});
