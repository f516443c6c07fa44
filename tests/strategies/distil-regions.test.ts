import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { table } from "../../lib/data/dataset.ts";
import { random, tf } from "../../lib/engine/index.ts";
import { mlp, net } from "../../lib/models/index.ts";
import type { Model } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { trained } from "../../lib/models/trained.ts";
import { cropped } from "../../lib/optim/parts/images.ts";
import { distilLocal, distilRegions } from "../../lib/strategies/index.ts";
import { drawnCrop, pooled } from "../../lib/strategies/parts/crops.ts";
import { labelMaps } from "../../lib/strategies/parts/label-maps.ts";
import { batches } from "../../lib/train/plan.ts";
import { close, contextOf, hooksOf, lossOf, mean, normal, perceptron, small, softmax, stepOf } from "./by-hand.ts";

const { regions: torch } = JSON.parse(readFileSync(new URL("./peers/distilling.json", import.meta.url), "utf8")) as {
  regions: Record<"map" | "image", number[]> & Record<"boxes" | "pooled" | "parts" | "seen", number[][]>;
};

test("regions of maps and parts of images are torchvision's", () => {
  torch.boxes.forEach(([left, top, right, bottom], i) => {
    const own = pooled(torch.map, [3, 4, 2], { top: top!, left: left!, bottom: bottom!, right: right! });
    close([...own], torch.pooled[i]!, 5);
  });
  torch.parts.forEach(([top, left, height, width], i) => {
    const out = new Float32Array(24);
    const crop = { top: top!, left: left!, height: height!, width: width!, flip: false };
    cropped(Float32Array.from(torch.image), out, [4, 6, 1], crop);
    close([...out], torch.seen[i]!, 5);
  });
});

test("parts have at least the share of pixels that is asked for, about as wide as high", () => {
  const drawn = Array.from({ length: 200 }, (_, i) =>
    drawnCrop([16, 16, 1], { smallest: 0.3, flip: 0.5 }, random(1).at(i)),
  );
  for (const { top, left, height, width } of drawn) {
    expect([top, left, 16 - top - height, 16 - left - width].every((v) => v >= 0)).toBe(true);
    expect(height * width).toBeGreaterThan(0.3 * 256 - 16);
    expect(Math.abs(Math.log(width / height))).toBeLessThan(Math.log(4 / 3) + 0.2);
  }
  expect(mean(drawn.map(({ flip }) => Number(flip)))).toBeCloseTo(0.5, 0);
});

describe("P396: labels of places", () => {
  /** A network that says of each place what its own pixel is: one filter of one pixel, and a head. */
  const model = net().conv(1, 1).globalPool() as unknown as Model;
  const weights = {
    model: { "1-conv": { kernel: tf.tensor([1], [1, 1, 1, 1]), bias: tf.tensor([0]) } },
    head: { kernel: tf.tensor([[-6, 6, 0]]), bias: tf.tensor([3, -3, -9]) },
  } as unknown as Weights;
  const teacher = trained({ model, input: [4, 4, 1], weights });
  const student = network(model, [4, 4, 1]);
  const context = contextOf(student, weights, {
    stream: { classes: [], target: "class", head: "single" } as never,
    columns: 3,
  });
  const noise = normal(3, 16, 4).flat();
  const halves = Array.from({ length: 16 }, (_, i) => Number(i % 4 > 1));
  const images = table(Float32Array.from([...noise, ...halves]), Int32Array.of(0, 1, 2, 0), [4, 4, 1], 1);

  test("are the head's word on each place, and their mean is the network's", () => {
    const { rows, columns, classes, logits } = labelMaps("test", student, { weights, statistics: {} }, images);
    expect([rows, columns, classes]).toEqual([4, 4, 3]);
    close(
      [...logits.subarray(0, 48)],
      noise.slice(0, 16).flatMap((v) => [3 - 6 * v, 6 * v - 3, -9]),
      4,
    );
    const flat = network(mlp({ hidden: [2] }) as never, [4, 4, 1]);
    expect(() => labelMaps("distilLocal", flat, { weights: flat.init(random(0), 3), statistics: {} }, images)).toThrow(
      "distilLocal: a network that ends with globalPool() is required",
    );
  });

  const made = batches(images, 0)(Uint32Array.of(0, 2));
  const hooksFor = (options: Parameters<typeof distilLocal>[0]) => {
    const hooks = hooksOf(distilLocal({ teacher, ...options }));
    return { hooks, state: hooks.beforeExperience({ maps: null }, { train: images, index: 0 } as never, context) };
  };

  test("of a whole image are what the teacher says of it", () => {
    const { hooks, state } = hooksFor({ top: 3, smallest: 1 });
    const batch = hooks.batch(state, made, context);
    expect([...batch.x]).toEqual([...made.x]);
    const p = [0, 2].map((i) => {
      const v = mean(noise.slice(16 * i, 16 * i + 16));
      return softmax([3 - 6 * v, 6 * v - 3, -9]);
    });
    close([...(batch.extra.distilLocal!.wanted!.data as Float32Array)], p.flat(), 5);
    const wanted = tf.tensor2d(p);
    const x = normal(2, 16, 9);
    const step = stepOf({ net: student, weights, x: tf.tensor(x.flat(), [2, 4, 4, 1]), y: [0, 2], extra: { wanted } });
    const q = x.map((row) => softmax([3 - 6 * mean(row), 6 * mean(row) - 3, -9]));
    const soft = mean(q.map((row, i) => -p[i]!.reduce((s, v, c) => s + v * Math.log(row[c]!), 0)));
    const hard = mean(q.map((row, i) => -Math.log(row[[0, 2][i]!]!)));
    expect(lossOf(distilLocal({ teacher, weight: 0.7 }), state, step)).toBeCloseTo(0.7 * soft + 0.3 * hard, 3);
  });

  test("of a crop are those of what is seen, and what is not kept is 0", () => {
    const { hooks, state } = hooksFor({ top: 2, smallest: 0.1 });
    const batch = hooks.batch(state, batches(images, 0)(new Uint32Array(90).fill(3)), context);
    const wanted = batch.extra.distilLocal!.wanted!.data as Float32Array;
    const said = Array.from({ length: 90 }, (_, row) => {
      const seen = mean([...batch.x.subarray(16 * row, 16 * row + 16)]);
      return { seen, p: [...wanted.subarray(3 * row, 3 * row + 3)] };
    });
    const [left, right] = [said.filter(({ seen }) => seen < 0.01), said.filter(({ seen }) => seen > 0.99)];
    expect(Math.min(left.length, right.length)).toBeGreaterThan(3);
    for (const { p } of left) expect(p[0]).toBeGreaterThan(0.6);
    for (const { p } of right) expect(p[1]).toBeGreaterThan(0.6);
    // the third class, whose logit of −9 was not kept, has one of 0
    const sure = left.find(({ p }) => p[0]! > 0.9)!;
    expect(sure.p[2]! / sure.p[0]!).toBeCloseTo(Math.exp(-3), 4);
  });
});

describe("P454: regions that a teacher is sure of", () => {
  const { weights } = small([6], 16, 3, 3);
  const teacher = trained({ model: mlp({ hidden: [6] }), input: [4, 4, 1], weights });
  const { net: plain, weights: own } = small([5], 16, 3, 8);
  const context = contextOf(plain, own, { columns: 3, rng: random(8) });
  const images = table(Float32Array.from(normal(3, 16, 6).flat()), Int32Array.of(2, 0, 1), [4, 4, 1], 1);
  const made = batches(images, 0)(Uint32Array.from({ length: 60 }, () => 1));
  const seenBy = (options: Parameters<typeof distilRegions>[0]) => {
    const hooks = hooksOf(distilRegions({ teacher, smallest: 0.2, ...options }));
    const state = hooks.beforeExperience({ said: null }, { train: images, index: 0 } as never, context);
    const batch = hooks.batch(state, made, context);
    const wanted = batch.extra.distilRegions!.wanted!.data as Float32Array;
    return Array.from({ length: 60 }, (_, row) => ({
      x: [...batch.x.subarray(16 * row, 16 * row + 16)],
      p: [...wanted.subarray(3 * row, 3 * row + 3)],
    }));
  };
  const answer = (x: readonly number[]): number[] => softmax(perceptron(weights, [x]).logits[0]!);

  test("keep its answers, others get the label or are dropped", () => {
    const all = seenBy({ regions: 6, low: 0, high: 0, mix: 0 });
    expect(new Set(all.map(({ x }) => String(x))).size).toBe(6);
    for (const { x, p } of all) close(p, answer(x), 4);
    const sures = [...new Set(all.map(({ p }) => Math.max(...p)))].sort((a, b) => a - b);
    const [low, high] = [(sures[1]! + sures[2]!) / 2, (sures[3]! + sures[4]!) / 2];
    const some = seenBy({ regions: 6, low, high, mix: 0, smoothing: 0.3 });
    const met = new Map(some.map(({ x, p }) => [String(x), { sure: Math.max(...answer(x)), x, p }]));
    expect(met.size).toBe(4); // two are dropped
    for (const { sure, x, p } of met.values()) close(p, sure < high ? [0.8, 0.1, 0.1] : answer(x), 4);
    // those of which it is surest are dropped too
    const hard = seenBy({ regions: 6, low: 0, high: 0, top: high, mix: 0 });
    expect(Math.max(...hard.map(({ p }) => Math.max(...p)))).toBeCloseTo(sures[3]!, 4);
    expect(new Set(hard.map(({ x }) => String(x))).size).toBe(4);
  });

  test("are not there where it is sure of none: then the whole image is learnt with its label", () => {
    for (const { x, p } of seenBy({ low: 1, high: 1, smoothing: 0.3 })) {
      expect(x).toEqual([...made.x.subarray(0, 16)]);
      close(p, [0.8, 0.1, 0.1], 5);
    }
  });

  test("are mixed within an image, and their answers by their pixels", () => {
    const options = { regions: 2, low: 0, high: 0 };
    const pure = [...new Map(seenBy({ ...options, mix: 0 }).map((row) => [String(row.x), row])).values()];
    expect(pure.length).toBe(2);
    const mixed = seenBy({ ...options, mix: 1 });
    let truly = 0;
    for (const { x, p } of mixed) {
      const from = pure.map((row) => x.filter((v, i) => v === row.x[i]).length / 16);
      expect(from[0]! + from[1]!).toBe(1); // no pixel of the two is the same
      if (from[0]! > 0 && from[0]! < 1) truly++;
      close(
        p,
        p.map((_, c) => from[0]! * pure[0]!.p[c]! + from[1]! * pure[1]!.p[c]!),
        4,
      );
    }
    expect(truly).toBeGreaterThan(5);
  });

  test("have bounds in order", () => {
    expect(() => distilRegions({ low: 0.6, high: 0.3 })).toThrow(
      "distilRegions: low of at most high (0.3) is required",
    );
    expect(() => distilRegions({ top: 0.2 })).toThrow("distilRegions: high of at most top (0.2) is required, got 0.3");
  });
});
