import {
  adam,
  autoencoder,
  classes,
  digits,
  from,
  linearProbe,
  net,
  phases,
  type Strategy,
  sgd,
  simsiam,
  type TrainedNetwork,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { gather } from "../../lib/data/dataset.ts";
import { random } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { viewOf } from "../../lib/strategies/parts/views.ts";
import { hooksOf, lossOf, type Rows, small, stepOf } from "./by-hand.ts";

const x = [
  [1, -0.5, 0.3],
  [0.2, 0.8, -1],
  [-1.2, 0.4, 0.9],
];

/** The weights of a network with those that a strategy trains beside it, and its features of the rows. */
function beside(own: Strategy) {
  const { net, weights } = small([4], 3, 2);
  const added = { [own.spec.name]: hooksOf(own).parameters({ network: net, rng: random(5), stream: {} } as never) };
  const all = { ...weights, added } as Weights;
  const step = stepOf({ net, weights: all, x });
  return {
    step,
    added: added[own.spec.name] as Record<string, unknown>,
    features: step.features.arraySync() as number[][],
  };
}

const product = (a: Rows, b: Rows): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const array = (t: unknown): number[][] => (t as tf.Tensor).arraySync() as number[][];

describe("objectives without labels, by hand", () => {
  test("an autoencoder's is the mean square of what its features miss", () => {
    const own = autoencoder({ hide: 0 });
    const { step, added, features } = beside(own);
    const { kernel, bias } = added.out as { kernel: tf.Tensor; bias: tf.Tensor };
    expect([...bias.dataSync()]).toEqual([0, 0, 0]);
    const restored = product(features, array(kernel));
    const wanted = restored.flatMap((row, i) => row.map((v, j) => (v - x[i]![j]!) ** 2));
    expect(lossOf(own, {}, step)).toBeCloseTo(wanted.reduce((a, b) => a + b) / 9, 5);
  });

  test("SimSiam's is minus the cosine of a prediction and a projection", () => {
    const own = simsiam({ units: 3, narrow: 2, shiftPixels: 0, noise: 0, hide: 0 });
    const { step, added, features } = beside(own);
    const layers = (name: string) => added[name] as { first: tf.Tensor; second: tf.Tensor };
    const standard = (rows: number[][]): number[][] => {
      const mean = rows[0]!.map((_, j) => rows.reduce((sum, r) => sum + r[j]!, 0) / rows.length);
      const spread = mean.map((m, j) => rows.reduce((sum, r) => sum + (r[j]! - m) ** 2, 0) / rows.length);
      return rows.map((r) => r.map((v, j) => (v - mean[j]!) / Math.sqrt(spread[j]! + 1e-5)));
    };
    const through = (rows: number[][], { first, second }: ReturnType<typeof layers>): number[][] =>
      product(
        standard(product(rows, array(first))).map((r) => r.map((v) => Math.max(0, v))),
        array(second),
      );
    const z = standard(through(features, layers("projection")));
    const p = through(z, layers("prediction"));
    const cosines = p.map((row, i) => {
      const dot = row.reduce((sum, v, j) => sum + v * z[i]![j]!, 0);
      const length = (v: number[]) => Math.sqrt(v.reduce((sum, a) => sum + a * a, 1e-12));
      return dot / (length(row) * length(z[i]!));
    });
    expect(lossOf(own, {}, step)).toBeCloseTo(-(cosines[0]! + cosines[1]! + cosines[2]!) / 3, 4);
  });

  test("no gradient flows through the projection that is foretold", () => {
    const own = simsiam({ units: 3, narrow: 2, shiftPixels: 0, noise: 0, hide: 0 });
    const { step } = beside(own);
    // A prediction that ignores z gives the encoder no gradient: all that is left would come through z.
    const deaf = {
      ...step.weights,
      added: {
        simsiam: {
          ...(step.weights.added!.simsiam as object),
          prediction: { first: tf.zeros([3, 2]), second: tf.ones([2, 3]) },
        },
      },
    } as unknown as Weights;
    const other = stepOf({ net: step.network, weights: deaf, x });
    const grads = other.gradient((at) => hooksOf(own).taskLoss({}, { ...other, weights: at } as never));
    expect(Math.max(...(grads.model["2-dense"] as { kernel: tf.Tensor }).kernel.abs().dataSync())).toBe(0);
  });
});

describe("views", () => {
  const image = tf.tensor4d(
    Array.from({ length: 2 * 16 }, (_, i) => i + 1),
    [2, 4, 4, 1],
  );
  const none = { shiftPixels: 0, flip: 0, noise: 0, hide: 0 };

  test("move every image by a whole number of pixels of its own, and mirror it", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const view = viewOf(image, random(seed), { ...none, shiftPixels: 1 }).arraySync() as number[][][][];
      for (const [n, rows] of view.entries()) {
        const at = rows.flatMap((row, i) =>
          row.flatMap((pixel, j) => (pixel[0] === 16 * n + 6 ? [[i - 1, j - 1]] : [])),
        );
        expect(at).toHaveLength(1); // the pixel in the middle is still there, once
        seen.add(String(at[0]));
        const [dy, dx] = at[0]!;
        for (let i = 0; i < 4; i++)
          for (let j = 0; j < 4; j++) {
            const [a, b] = [i - dy!, j - dx!];
            const inside = a >= 0 && a < 4 && b >= 0 && b < 4;
            expect(rows[i]![j]![0]).toBe(inside ? 16 * n + 4 * a + b + 1 : 0);
          }
      }
    }
    expect(seen.size).toBeGreaterThan(5);
    const mirrored = viewOf(image, random(0), { ...none, flip: 1 }).arraySync() as number[][][][];
    expect(mirrored[0]![0]!.flat()).toEqual([4, 3, 2, 1]);
  });

  test("hide a share, add noise, and leave all as it is without randomness", () => {
    const ones = tf.ones([50, 40]);
    const hidden = [...viewOf(ones, random(1), { ...none, hide: 0.3 }).dataSync()];
    expect(hidden.reduce((a, b) => a + b) / 2000).toBeCloseTo(0.7, 1);
    const noisy = [...viewOf(ones, random(1), { ...none, noise: 2 }).dataSync()];
    expect(Math.sqrt(noisy.reduce((sum, v) => sum + (v - 1) ** 2, 0) / 2000)).toBeCloseTo(2, 0);
    expect(viewOf(ones, null, { shiftPixels: 1, flip: 1, noise: 1, hide: 1 })).toBe(ones);
  });
});

describe("on digits without a label", () => {
  const whole = classes(digits()).split(1);
  const model = net().flatten().dense(16).tanh();

  /** How many test digits a linear probe on the features of a network tells. */
  function probed(network: TrainedNetwork): number {
    const { train, test } = whole.experience(0);
    const features = (of: typeof train) => {
      const rows = tf.tidy(() => {
        const batch = tf.tensor(gather(of, [...of.labels.keys()]), [of.length, ...of.shape]);
        return network.features(batch).dataSync();
      });
      return { data: [...rows], rows: of.length, columns: rows.length / of.length };
    };
    return linearProbe(features(train), train.labels, 10).accuracy(features(test), test.labels);
  }

  test("features that are learnt tell more than random ones, and a labelled phase begins from them", async () => {
    const accuracy = async (own: Strategy) => {
      const study = whole
        .withhold("labels")
        .learn(model)
        .by(own as never)
        .with(adam({ lr: 0.01 }))
        .train({ batch: 50, epochs: 12 });
      const two = phases(study, (network) => whole.learn(from(network)).train({ steps: 1 }));
      const run = await two.run({ quiet: true, record: false });
      const [began, ended] = [await run.phases[0]!.network(), await run.network()];
      const found = probed(began);
      for (const network of [began, ended]) network.dispose();
      return found;
    };
    const fresh = await (
      await whole
        .learn(model)
        .train({ steps: 1 })
        .with(sgd({ lr: 1e-9 }))
        .run({ quiet: true, record: false })
    ).network();
    const chance = probed(fresh);
    fresh.dispose();
    const [restored, siamese] = [
      await accuracy(autoencoder({ hide: 0.1 })),
      await accuracy(simsiam({ shiftPixels: 0, noise: 0.1, hide: 0.3 })),
    ];
    // 0.77 of random features, 0.85 and 0.83 of those learnt
    expect(restored).toBeGreaterThan(chance + 0.05);
    expect(siamese).toBeGreaterThan(chance + 0.015);
  });
});
