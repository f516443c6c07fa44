import {
  classes,
  constant,
  cutout,
  digits,
  efficientTrain,
  evaluation,
  fit,
  lowFrequencies,
  multigrid,
  net,
  type RunSpec,
  random,
  resolution,
  sgd,
  strategy,
  tf,
  training,
  views,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { now } from "./support.ts";

/** Notes the side and the mean of the images of every step. */
const watching = (seen: [number, number][]) =>
  strategy("watching", {}, () => ({
    outputs: (_state, { x }) => ({ side: tf.scalar(x.shape[1]!), mean: tf.mean(x) }),
    afterStep(_state, { outputs }) {
      seen.push([outputs.side![0]!, outputs.mean![0]!]);
    },
  }))();

describe("images", () => {
  const image = Float32Array.from({ length: 3 * 4 }, (_, i) => i + 1);

  test("views are the image cut out of its border, mirrored or not", () => {
    const { view } = views({ pad: 1, flip: 0.5 }).plan;
    const seen = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const out = new Float32Array(12);
      view!(image, out, [3, 4, 1], random(seed), now());
      seen.add(String(out));
    }
    const wanted = new Set<string>();
    for (const down of [-1, 0, 1])
      for (const right of [-1, 0, 1])
        for (const mirror of [false, true]) {
          const at = (y: number, x: number): number => (y >= 0 && y < 3 && x >= 0 && x < 4 ? image[y * 4 + x]! : 0);
          const rows = Array.from({ length: 12 }, (_, i) => {
            const [y, x] = [Math.floor(i / 4), mirror ? 3 - (i % 4) : i % 4];
            return at(y - down, x - right);
          });
          wanted.add(String(Float32Array.from(rows)));
        }
    expect(seen).toEqual(wanted);
  });

  test("cutout covers a square and nothing else", () => {
    const { view } = cutout({ side: 2 }).plan;
    const ones = new Float32Array(5 * 5 * 2).fill(1);
    for (let seed = 0; seed < 50; seed++) {
      const out = new Float32Array(50);
      view!(ones, out, [5, 5, 2], random(seed), now());
      const covered = out.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0) / 2;
      expect([1, 2, 4]).toContain(covered);
    }
  });

  test("low frequencies of a wave that the smaller image can hold are the same wave on fewer pixels", () => {
    for (const [from, to] of [
      [8, 6],
      [9, 5],
      [8, 5],
    ] as const) {
      const { real, imaginary } = lowFrequencies(from, to);
      const wave = (n: number, i: number): number =>
        0.5 + Math.cos((2 * Math.PI * i) / n) + Math.sin((4 * Math.PI * i) / n);
      for (let m = 0; m < to; m++) {
        let [a, b] = [0, 0];
        for (let j = 0; j < from; j++) {
          a += real[m * from + j]! * wave(from, j);
          b += imaginary![m * from + j]! * wave(from, j);
        }
        expect(a).toBeCloseTo(wave(to, m), 5);
        expect(b).toBeCloseTo(0, 5);
      }
    }
  });

  test("a run sees the low frequencies of its images: the mean stays, the side grows as the curriculum says", async () => {
    const seen: [number, number][] = [];
    const spec: RunSpec = {
      stream: classes(digits()).split(5),
      model: net().conv(4, 3).relu().globalPool(),
      strategies: [watching(seen)],
      optimizer: sgd({ lr: 0.1 }),
      schedule: constant(),
      evaluation: evaluation({ share: 0 }),
      batching: [efficientTrain({ bands: [0.5, 0.75, 1], operations: 0 })],
      training: training({ batch: 100, epochs: 2, shuffle: false }),
    };
    for await (const _ of fit(spec, { until: { experience: 1, local: 0 } }));
    expect([...new Set(seen.map(([side]) => side))]).toEqual([4, 6, 8]);
    expect(seen[0]![1]).toBeCloseTo(seen[seen.length / 2]![1], 5);
  });

  test("resolution rises by stages of equal parts of the examples", () => {
    const { side } = resolution({ first: 0.25, stages: 4, multiple: 4 }).plan;
    expect([0, 24, 25, 50, 75, 100].map((seen) => side!(now({ seen }), 32))).toEqual([8, 8, 16, 24, 32, 32]);
  });

  test("multigrid has the shapes of its program without the time axis, and about the same pixels in every step", () => {
    const { side, batch, rate } = multigrid({ cycles: 1, tune: 0 }).plan;
    const shapes = (seen: number) =>
      [0, 1, 2].map((step) => {
        const at = now({ seen, step, batch: 8 });
        return [side!(at, 224), batch!(at), rate!(at)];
      });
    // Long 158: batches of 2, short ones of 112 and 158; then long 224.
    expect(shapes(0)).toEqual([
      [112, 32, 2],
      [158, 16, 2],
      [158, 16, 2],
    ]);
    expect(shapes(99)).toEqual([
      [112, 32, 1],
      [158, 16, 1],
      [224, 8, 1],
    ]);
    for (const [s, n] of [...shapes(0), ...shapes(99)]) expect((s! * s! * n!) / (224 * 224 * 8)).toBeCloseTo(1, 1);
    // The first shape has 8/3 of 8/3 + 7/3 of the examples.
    expect(rate!(now({ seen: 53 }))).toBe(2);
    expect(rate!(now({ seen: 54 }))).toBe(1);
  });
});
