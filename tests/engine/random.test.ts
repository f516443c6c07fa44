import { random, restoreRandom, tf } from "thalweg";
import { describe, expect, test } from "vitest";

/** Pearson's chi-square statistic of counts that should be equal. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe("randomness", () => {
  test("is xoshiro128**: from state 1, 2, 3, 4 it draws what the reference draws", () => {
    const rng = restoreRandom({ key: [0, 0, 0, 0], state: [1, 2, 3, 4] });
    const drawn = Array.from({ length: 10 }, () => rng.uint32());
    expect(drawn).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  test("children depend on the names alone, not on what was drawn before", () => {
    const a = random(5);
    const before = a.at("shuffle", 3).uint32();
    for (let i = 0; i < 100; i++) a.uint32();
    expect(a.at("shuffle", 3).uint32()).toBe(before);
    expect(random(5).at("shuffle").at(3).uint32()).toBe(before);
  });

  test("different seeds and names give unlike streams", () => {
    const first = new Set<number>();
    for (let seed = 0; seed < 200; seed++) for (let i = 0; i < 50; i++) first.add(random(seed).at("x", i).uint32());
    expect(first.size).toBeGreaterThan(200 * 50 - 5);
    expect(random(1).at("1").uint32()).not.toBe(random(1).at(1).uint32());
  });

  test("goes on where a saved state stopped", () => {
    const rng = random(9);
    rng.normal();
    const again = restoreRandom(JSON.parse(JSON.stringify(rng)));
    expect([again.uint32(), again.uniform()]).toEqual([rng.uint32(), rng.uniform()]);
  });

  test("is even: counts of 64 cells, of digits from int, and of neighbours stay within their chi-square bounds", () => {
    const rng = random(11);
    const cells = new Array<number>(64).fill(0);
    const digits = new Array<number>(10).fill(0);
    const pairs = new Array<number>(64).fill(0);
    let last = rng.int(8);
    for (let i = 0; i < 64_000; i++) {
      const cell = Math.floor(rng.uniform() * 64);
      cells[cell]!++;
      digits[rng.int(10)]!++;
      const now = rng.int(8);
      pairs[last * 8 + now]!++;
      last = now;
    }
    expect(chiSquare(cells)).toBeLessThan(112); // 99.99 % of chi-square with 63 degrees of freedom
    expect(chiSquare(pairs)).toBeLessThan(112);
    expect(chiSquare(digits)).toBeLessThan(34); // 9 degrees of freedom
  });

  test("streams of neighbouring names do not go together", () => {
    const n = 2000;
    for (const [a, b] of [
      [random(0).at(0), random(0).at(1)],
      [random(0), random(1)],
      [random(3).at("a"), random(3).at("b")],
    ] as const) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
      expect(Math.abs(sum / n)).toBeLessThan(4.5 / Math.sqrt(n));
    }
  });

  test("normal numbers have the mean, spread and tails of a normal distribution", () => {
    const rng = random(2);
    const n = 100_000;
    const x = Array.from({ length: n }, () => rng.normal());
    const mean = x.reduce((a, b) => a + b) / n;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(0.015);
    expect(Math.abs(variance - 1)).toBeLessThan(0.025);
    expect(Math.abs(x.filter((v) => v > 1.959964).length / n - 0.025)).toBeLessThan(0.0025);
  });

  test("permutations and samples hold each number once, every place alike", () => {
    const firsts = new Array<number>(6).fill(0);
    for (let i = 0; i < 6000; i++) {
      const order = random(i).permutation(6);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
      firsts[order[0]!]!++;
    }
    expect(chiSquare(firsts)).toBeLessThan(26);
    for (const k of [0, 1, 5, 60, 100]) expect(new Set(random(k).sample(100, k)).size).toBe(k);
  });

  test("tensor draws are the same as before from the same place", () => {
    const a = random(4).at("noise").uniforms([3, 2], -1, 1);
    const b = random(4).at("noise").uniforms([3, 2], -1, 1);
    expect([...a.dataSync()]).toEqual([...b.dataSync()]);
    expect(a.shape).toEqual([3, 2]);
    expect(tf.max(tf.abs(a)).dataSync()[0]).toBeLessThanOrEqual(1);
  });

  test("bad requests say what is required", () => {
    expect(() => random(1.5)).toThrow("random: a whole number is required as seed, got 1.5");
    expect(() => random(0).int(0)).toThrow("Rng.int: a whole number in [1, 2³²] is required, got 0");
    expect(() => random(0).sample(3, 4)).toThrow("Rng.sample: at most 3 different numbers can be drawn, got 4");
  });
});
