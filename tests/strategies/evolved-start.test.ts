import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { blobs, classes } from "../../lib/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { differentialEvolution, winnerOf } from "../../lib/optim/parts/differential-evolution.ts";
import { evolvedStart, focal } from "../../lib/strategies/index.ts";
import { evaluation, training } from "../../lib/train/spec.ts";
import { run, spec } from "./support.ts";

describe("P304: differential evolution", () => {
  const key = (at: ArrayLike<number>): string => Array.from(at, (value) => value.toFixed(4)).join();
  /** Losses of known vectors; of all others one that nobody would take. */
  const table = (known: readonly (readonly [readonly number[], number])[]) => {
    const asked: Float32Array[] = [];
    const losses = new Map(known.map(([at, loss]) => [key(at), loss]));
    return {
      asked,
      first: known.map(([at]) => Float32Array.from(at)),
      lossOf(at: Float32Array): number {
        asked.push(at);
        return losses.get(key(at)) ?? 100;
      },
    };
  };
  const plain = { generations: 1, scale: 0.5, crossover: 1, period: 0 };

  test("a mutant is one vector and a share of the difference of two others, none of them the one it may replace", () => {
    const given = table([3, 10, 100, 1000, 10000].map((value, i) => [[value, value], i] as const));
    const found = differentialEvolution(given.first, given.lossOf, plain, random(1));
    expect(given.asked).toHaveLength(10);
    const values = [3, 10, 100, 1000, 10000];
    for (const [i, child] of given.asked.slice(5).entries()) {
      const rest = values.filter((_, k) => k !== i);
      const sums = rest.flatMap((a) =>
        rest.flatMap((b) => rest.flatMap((c) => (new Set([a, b, c]).size === 3 ? [a + 0.5 * (b - c)] : []))),
      );
      expect(sums.map((value) => Math.fround(value))).toContain(child[0]);
    }
    expect(found.map(({ loss }) => loss)).toEqual([0, 1, 2, 3, 4]);
  });

  test("without crossover one number of a child is new", () => {
    const given = table([0, 1, 2, 3, 4].map((value) => [[value, 2 * value, 5 * value], 0] as const));
    differentialEvolution(given.first, given.lossOf, { ...plain, crossover: 0 }, random(2));
    for (const [i, child] of given.asked.slice(5).entries())
      expect(Array.from(child).filter((value, j) => value !== given.first[i]![j]).length).toBeLessThanOrEqual(1);
  });

  test("the best of the cluster with the least mean gives more, not the best of all", () => {
    // near 0 is the best of all among bad ones; near 50 all are good
    const near = [0, 1, 2, 3].map((value, i) => [[value, 0], i === 0 ? 0 : 40] as const);
    const far = [50, 51, 52, 53].map((value, i) => [[value, 9], i === 2 ? 4 : 5] as const);
    const given = table([...near, ...far]);
    differentialEvolution(given.first, given.lossOf, { ...plain, period: 1 }, random(3));
    const made = given.asked.slice(16);
    expect(made).toHaveLength(2);
    for (const child of made) {
      const [difference, other] = [2 * (child[0]! - 52), 2 * (child[1]! - 9)];
      const all = [...near, ...far].map(([at]) => at);
      expect(all.some((b) => all.some((c) => b[0]! - c[0]! === difference && b[1]! - c[1]! === other))).toBe(true);
    }
    const one = (loss: number) => ({ at: new Float32Array(1), loss });
    expect(winnerOf([one(0), one(9), one(3), one(4)], [0, 0, 1, 1]).loss).toBe(3);
  });

  test("it comes to the minimum of a bowl, and no vector of the population is lost for a worse one", () => {
    const rng = random(4);
    const first = Array.from({ length: 12 }, (_, i) =>
      Float32Array.from({ length: 3 }, (_, j) => 8 * rng.at(i, j).normal()),
    );
    const bowl = (at: Float32Array): number => at.reduce((sum, value, j) => sum + (value - j) ** 2, 0);
    const options = { generations: 60, scale: 0.6, crossover: 0.9, period: 5 };
    const found = differentialEvolution(first, bowl, options, random(5));
    expect(found[0]!.loss).toBeLessThan(1e-3);
    expect(found).toHaveLength(12);
    for (const { at, loss } of found) expect(loss).toBe(bowl(at));
  });
});

test("P304: training goes on from the loss that evolvedStart came to, which is below that of the network as it was drawn", () => {
  const stream = classes(blobs({ classes: 3, dimensions: 4, perClass: 20 }));
  const losses = (strategies: never[]) =>
    run(
      spec(stream as never, strategies, {
        optimizer: sgd({ lr: 0.1 }),
        model: mlp({ hidden: [5] }),
        training: training({ batch: 60, steps: 2 }),
        evaluation: evaluation({ atStart: false, share: 0 }),
      }),
    ).events;
  const first = (events: ReturnType<typeof losses>): number =>
    events.flatMap((event) => (event.type === "step" ? [event.loss] : []))[0]!;
  const evolved = losses([evolvedStart({ population: 8, generations: 6, period: 2 }) as never]);
  const note = JSON.stringify(evolved).match(/a loss of ([\d.]+) before/)!;
  expect(first(evolved)).toBeCloseTo(Number(note[1]), 3);
  expect(first(evolved)).toBeLessThan(first(losses([])) - 0.1);
  expect(() => evolvedStart({ population: 4 })).toThrow("at least 5");
});

test("P304: focal is -a (1 - p)^gamma log p over the columns that compete", () => {
  const of = (
    options: object,
    logits: number[][],
    y: number[],
    mask: number[] | null = null,
    weight?: number[],
  ): number =>
    focal(options).hooks.taskLoss!({}, {
      logits: tf.tensor2d(logits),
      y: tf.tensor1d(y, "int32"),
      mask: mask && tf.tensor2d([mask]),
      weight: weight === undefined ? null : tf.tensor1d(weight),
    } as never).dataSync()[0]!;
  const logs = [Math.log(0.5), Math.log(0.3), Math.log(0.2)];
  expect(of({}, [logs], [0])).toBeCloseTo(0.25 * Math.log(2), 5);
  expect(of({ gamma: 1, weights: [1, 3] }, [logs], [1])).toBeCloseTo(3 * 0.7 * -Math.log(0.3), 5);
  expect(of({ gamma: 0 }, [logs], [2])).toBeCloseTo(-Math.log(0.2), 5);
  // 0.3 against 0.2 are 0.6 and 0.4
  expect(of({}, [logs], [2], [0, 1, 1])).toBeCloseTo(0.36 * -Math.log(0.4), 5);
  const both = (0.25 * Math.log(2) + 3 * 0.64 * -Math.log(0.2)) / 4;
  expect(of({}, [logs, logs], [0, 2], null, [1, 3])).toBeCloseTo(both, 5);
  expect(() => focal({ gamma: -1 })).toThrow("gamma");
});
