/** Denoising diffusion beside sums by hand. */
import {
  adam,
  blobs,
  classes,
  diffusion,
  disposeTree,
  type Model,
  net,
  network,
  noiseSchedule,
  random,
  sample,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import type { Pass, Prediction, Step } from "../../lib/strategies/strategy.ts";

const model = net()
  .conditions(4, { classes: 3, steps: 20, range: [-1, 1] })
  .dense(8)
  .modulate()
  .dense(2) as unknown as Model;
const made = network(model, [2]);

interface Seen {
  readonly noisy: tf.Tensor;
  readonly time: readonly number[];
  readonly label: readonly number[];
}

/** A pass that notes what it was given, and finds what `found` says. */
function watched(found: (noisy: tf.Tensor) => tf.Tensor): { readonly seen: Seen[]; readonly forward: Step["forward"] } {
  const seen: Seen[] = [];
  return {
    seen,
    forward(noisy, { beside } = {}) {
      seen.push({ noisy, time: [...beside!.time!.dataSync()], label: [...beside!.label!.dataSync()] });
      const features = found(noisy);
      return { features, logits: features };
    },
  };
}
const hooks = diffusion().hooks as unknown as {
  taskLoss(state: object, step: Partial<Step>): tf.Scalar;
  predict(state: object, given: Partial<Prediction & Pass>): tf.Tensor;
};

describe("diffusion", () => {
  test("shows examples with noise at random steps and asks for the noise", () => {
    const [n, rng] = [400, random(5)];
    const x = tf.tile(tf.tensor2d([[0.5, -0.25]]), [n, 1]);
    const { seen, forward } = watched((noisy) => tf.zerosLike(noisy));
    const weight = tf.tensor1d(Float32Array.from({ length: n }, (_, i) => (i < 10 ? 0 : 1)));
    const loss = hooks.taskLoss({}, { x, y: tf.ones([n], "int32"), weight, rng, network: made, forward });
    const { kept } = noiseSchedule({ steps: 20 });
    const [{ noisy, time, label }] = seen as [Seen];
    // times are told in thousandths of the schedule
    const steps = time.map((t) => Math.round((t * 20) / 1000));
    expect([Math.min(...steps), Math.max(...steps)]).toEqual([0, 19]);
    expect(label.slice(0, 10)).toEqual(new Array(10).fill(3));
    const without = label.filter((c, i) => i >= 10 && c === 3).length;
    expect(without).toBeGreaterThan(20);
    expect(without).toBeLessThan(65);
    const values = noisy.dataSync();
    let square = 0;
    steps.forEach((t, i) => {
      [0.5, -0.25].forEach((v, j) => {
        square += ((values[2 * i + j]! - Math.sqrt(kept[t]!) * v) / Math.sqrt(1 - kept[t]!)) ** 2;
      });
    });
    expect(loss.dataSync()[0]).toBeCloseTo(square / (2 * n), 4);
    expect(square / (2 * n)).toBeGreaterThan(0.85);
    expect(square / (2 * n)).toBeLessThan(1.15);
    disposeTree([x, weight, loss, noisy] as never);
  });

  test("asks for the example where the denoiser predicts it", () => {
    const other = network(
      net().conditions(2, { classes: 2, predicts: "start", range: [-1, 1] }) as unknown as Model,
      [2],
    );
    const x = tf.tensor2d([[0.5, -0.25]]);
    const { forward } = watched((noisy) => tf.zerosLike(noisy));
    const loss = hooks.taskLoss({}, { x, y: tf.ones([1]), weight: null, rng: random(1), network: other, forward });
    expect(loss.dataSync()[0]).toBeCloseTo((0.5 ** 2 + 0.25 ** 2) / 2, 6);
  });

  test("says of a class how little the noise is missed where it is told", () => {
    const x = tf.tensor2d([
      [0.1, 0.2],
      [-0.3, 0.4],
    ]);
    const { seen, forward } = watched((noisy) => tf.mul(noisy, 0.5));
    const logits = hooks.predict({}, { x, logits: tf.zeros([2, 3]), network: made, forward });
    expect(seen.map(({ time }) => time[0])).toEqual([250, 750]);
    const noises = [0, 1].map((look) => random(0).at("diffusion", look).normals([1, 2]).dataSync());
    const wanted = [0, 1, 2].map((c) =>
      [0, 1].map((row) => {
        const errors = seen.map(({ noisy, label }, look) => {
          const at = label.map((l, i) => [l, i] as const).filter(([l]) => l === c)[row]![1];
          return [0, 1].reduce((sum, j) => sum + (0.5 * noisy.dataSync()[2 * at + j]! - noises[look]![j]!) ** 2, 0);
        });
        return -(errors[0]! + errors[1]!) / 2;
      }),
    );
    logits.dataSync().forEach((v, i) => {
      expect(v).toBeCloseTo(wanted[i % 3]![Math.floor(i / 3)]!, 5);
    });
  });

  test("draws points of the class that is told, and tells classes apart", async () => {
    const data = blobs({ classes: 2, dimensions: 2, perClass: 200, testPerClass: 50 });
    const points = net()
      .conditions(8, { classes: 2, steps: 20, range: [-4, 4] })
      .dense(24)
      .modulate()
      .relu()
      .dense(2);
    const study = classes(data)
      .learn(points)
      .by(diffusion({ looks: 10 }))
      .with(adam({ lr: 0.02 }))
      .train({ batch: 50, steps: 150 });
    const run = await study.run({ quiet: true, record: false });
    const trained = await run.network();
    const middle = (numbers: Float32Array): number[] =>
      [0, 1].map((j) => numbers.filter((_, i) => i % 2 === j).reduce((a, b) => a + b) / (numbers.length / 2));
    const drawn = [0, 1].map((c) => {
      const out = new Float32Array(80);
      sample(trained, { labels: c, count: 40, steps: 10 }).read(
        Uint32Array.from({ length: 40 }, (_, i) => i),
        out,
      );
      return middle(out);
    });
    const real = [0, 1].map((c) => {
      const at = Uint32Array.from([...data.train.labels.keys()].filter((i) => data.train.labels[i] === c));
      const out = new Float32Array(2 * at.length);
      data.train.read(at, out);
      return middle(out);
    });
    const apart = (a: number[], b: number[]): number => Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!);
    for (const c of [0, 1]) expect(apart(drawn[c]!, real[c]!)).toBeLessThan(apart(drawn[c]!, real[1 - c]!) / 2);
    const answers = trained.predict(data.test).argMax(1).dataSync();
    const right = answers.filter((c, i) => c === data.test.labels[i]).length;
    expect(right / answers.length).toBeGreaterThan(0.85);
    trained.dispose();
  });

  test("needs a denoiser that is told as many classes as there are columns", async () => {
    const data = blobs({ classes: 3, dimensions: 2, perClass: 5, testPerClass: 2 });
    const quiet = { quiet: true, record: false } as const;
    expect(() => classes(data).learn(net().dense(2)).by(diffusion())).toThrow("a denoiser is required, got net");
    const few = classes(data)
      .learn(net().conditions(2, { classes: 2 }).dense(2))
      .by(diffusion());
    await expect(few.run(quiet)).rejects.toThrow("at least the 3 columns is required, got classes: 2");
    const wide = classes(data).learn(net().conditions(2, { classes: 3 }).dense(5));
    expect(() => wide.by(diffusion())).toThrow("gives as many numbers as it takes is required, got 5 for 2");
  });
});
