/** One-step students of a denoiser, P336, beside closed forms: a teacher whose examples are exactly normal. */
import {
  adam,
  blobs,
  classes,
  consecutive,
  cosine,
  distributionMatching,
  type Model,
  multiStudent,
  net,
  network,
  noiseSchedule,
  type Params,
  random,
  sameLayer,
  sample,
  type TrainedNetwork,
  tf,
  trained,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import type { Context, Step } from "../../lib/strategies/strategy.ts";

const quiet = { quiet: true, record: false } as const;
const steps = 200;
const noise = { classes: 3, steps, predicts: "start", range: [-1, 1] } as const;
const { kept } = noiseSchedule({ steps });
const means = [
  [0.3, -0.2],
  [-0.3, 0.1],
  [0.1, 0.3],
];
const deviations = [
  [0.25, 0.15],
  [0.15, 0.3],
  [0.2, 0.2],
];

/** What is below noise where examples of each class are normal: E[x₀ | xₜ], whatever came in besides. */
const normal = sameLayer("normal", () => ({
  options: {},
  shape: (input) => input,
  init: () => ({ means: tf.tensor2d(means), log: tf.log(tf.tensor2d(deviations)) }) as unknown as Params,
  apply(x, params, mode) {
    const [n] = x.shape as [number];
    const time = mode.beside("time") ?? tf.zeros([n]);
    const at = tf.cast(tf.round(tf.mul(time, steps / 1000)), "int32");
    const share = tf.expandDims(tf.gather(tf.tensor1d([...kept]), at), 1);
    const label = mode.beside("label") ?? tf.zeros([n]);
    const which = tf.cast(tf.oneHot(tf.cast(label, "int32") as tf.Tensor1D, 3), "float32");
    const mean = tf.matMul(which as tf.Tensor2D, params.means as tf.Tensor2D);
    const variance = tf.exp(tf.mul(2, tf.matMul(which as tf.Tensor2D, params.log as tf.Tensor2D)));
    const gain = tf.div(tf.mul(variance, tf.sqrt(share)), tf.add(tf.mul(variance, share), tf.sub(1, share)));
    return tf.add(mean, tf.mul(gain, tf.sub(x, tf.mul(tf.sqrt(share), mean))));
  },
}));
const exact = net.use({ normal })().conditions(2, noise).normal() as unknown as Model;
function teacherOf(): TrainedNetwork {
  const weights = network(exact, [2]).init(random(0), 3);
  return trained({ model: exact, input: [2], weights });
}
/** A student that stretches and moves the noise, for each class in its own way. */
const affine = net().conditions(8, noise).modulate() as unknown as Model;

interface Hooks {
  init(context: Partial<Context>): { tensors: object; carried: { score: Params; optimizer: object } };
  taskLoss(state: object, step: Partial<Step>): tf.Scalar;
}

describe("distributionMatching", () => {
  test("pulls examples by the difference of the closed-form scores, and draws its own classes only", () => {
    const teacher = teacherOf();
    const own = network(affine, [2]);
    const labels = [0, 2];
    const hooks = distributionMatching({ teacher, labels }).hooks as unknown as Hooks;
    const weights = own.init(random(0), 3);
    const state = hooks.init({ network: own, weights, statistics: {} });
    // a score that says that the student's examples lie elsewhere, and wider
    const moved = [0.4, -0.2];
    const layer = Object.keys(state.carried.score).find((name) => name.includes("normal"))!;
    const score = { ...(state.carried.score[layer] as Params) };
    score.means = tf.add(score.means as tf.Tensor, tf.tensor1d(moved));
    score.log = tf.add(score.log as tf.Tensor, Math.log(2));
    const carried = { score: { ...state.carried.score, [layer]: score } };
    const n = 200;
    const x = random(4).normals([n, 2], 0.1, 0.4);
    const seen: { label: number[]; time: number[] }[] = [];
    const { value, grads } = valueAndGrad(
      (at: { x: tf.Tensor }) =>
        hooks.taskLoss({ tensors: state.tensors, carried } as never, {
          x,
          network: own,
          rng: random(7),
          forward(_z, { beside } = {}) {
            seen.push({ label: [...beside!.label!.dataSync()], time: [...beside!.time!.dataSync()] });
            return { features: at.x, logits: at.x };
          },
        }),
      { x },
    );
    expect(new Set(seen[0]!.label)).toEqual(new Set(labels));
    expect(new Set(seen[0]!.time.map((t) => Math.round((t * steps) / 1000)))).toEqual(new Set([steps - 1]));
    const rng = random(7).at("distributionMatching");
    const drawn = rng.at("noise").normals([n, 2]).dataSync();
    const times = tf.floor(rng.at("time").uniforms([n], 4, 196)).dataSync();
    const points = x.dataSync();
    const found = grads.x.dataSync();
    let half = 0;
    for (let i = 0; i < n; i++) {
      const [share, c] = [kept[times[i]!]!, seen[0]!.label[i]!];
      const sides = [0, 1].map((j) => {
        const noisy = Math.sqrt(share) * points[2 * i + j]! + Math.sqrt(1 - share) * drawn[2 * i + j]!;
        const slope = (mean: number, deviation: number): number =>
          -(noisy - Math.sqrt(share) * mean) / (share * deviation ** 2 + 1 - share);
        const real = slope(means[c]![j]!, deviations[c]![j]!);
        const fake = slope(means[c]![j]! + moved[j]!, 2 * deviations[c]![j]!);
        // Tweedie: what is below is (xₜ + σ² · score) / α
        const far = Math.abs(points[2 * i + j]! - (noisy + (1 - share) * real) / Math.sqrt(share));
        return { apart: ((1 - share) / Math.sqrt(share)) * (fake - real), far };
      });
      const scale = (sides[0]!.far + sides[1]!.far) / 2;
      sides.forEach(({ apart }, j) => {
        const pull = apart / scale;
        half += pull ** 2 / 2 / (2 * n);
        expect(Math.abs(found[2 * i + j]! * 2 * n - pull)).toBeLessThan(2e-3 * Math.max(1, Math.abs(pull)));
      });
    }
    expect(value.dataSync()[0]! / half).toBeCloseTo(1, 3);
    teacher.dispose();
  });

  test("brings each of several students to the means and deviations of its classes, and they draw these alone", async () => {
    const data = blobs({ classes: 3, dimensions: 2, perClass: 200, testPerClass: 2 });
    const teacher = teacherOf();
    const stream = classes(data);
    const many = await multiStudent(consecutive(3, 2), async (labels) => {
      const study = stream
        .learn(affine as never)
        .by(distributionMatching({ teacher, labels, scoreSteps: 3, scoreRate: 6 }))
        .with(adam({ lr: 0.006 }), cosine())
        .train({ batch: 256, steps: 300 })
        .evaluate({ atStart: false, every: "end", share: 0 });
      return (await study.run(quiet)).network();
    });
    expect(many.students.map(({ labels }) => labels)).toEqual([[0, 1], [2]]);
    const n = 400;
    const asked = Array.from({ length: 3 * n }, (_, i) => i % 3);
    const rows = many.draw(asked, { seed: 5 });
    expect([...rows.labels]).toEqual(asked);
    const numbers = new Float32Array(6 * n);
    rows.read(
      Uint32Array.from(asked, (_, i) => i),
      numbers,
    );
    for (const c of [0, 1, 2])
      for (const j of [0, 1]) {
        const own = numbers.filter((_, i) => i % 2 === j && Math.floor(i / 2) % 3 === c);
        const mean = own.reduce((a, b) => a + b) / n;
        const deviation = Math.sqrt(own.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
        expect(Math.abs(mean - means[c]![j]!)).toBeLessThan(0.04);
        expect(deviation / deviations[c]![j]!).toBeGreaterThan(0.4);
        expect(deviation / deviations[c]![j]!).toBeLessThan(2.5);
      }
    // the draws of a label are those of its student
    const alone = sample(many.of(2), { labels: [2, 2], steps: 1, seed: 5 * 2 + 1 });
    const [a, b] = [new Float32Array(4), new Float32Array(4)];
    alone.read(Uint32Array.of(0, 1), a);
    many.draw([2, 0, 2], { seed: 5 }).read(Uint32Array.of(0, 2), b);
    expect([...a]).toEqual([...b]);
    many.dispose();
    teacher.dispose();
  });

  test("refuses what cannot learn it", async () => {
    const teacher = teacherOf();
    const stream = classes(blobs({ classes: 3, dimensions: 2, perClass: 4, testPerClass: 2 }));
    const says = net()
      .conditions(4, { ...noise, predicts: "noise" })
      .modulate();
    await expect(stream.learn(says).by(distributionMatching({ teacher })).run(quiet)).rejects.toThrow(
      "a student that says the example is required",
    );
    const wrong = (labels: number[], more: object = {}) =>
      stream
        .learn(
          net()
            .conditions(4, { ...noise, ...more })
            .modulate(),
        )
        .by(distributionMatching({ teacher, labels }))
        .run(quiet);
    await expect(wrong([3])).rejects.toThrow("labels below the 3 classes");
    await expect(wrong([0], { range: [0, 1] })).rejects.toThrow("a teacher of the range [0,1] is required, got [-1,1]");
    await expect(multiStudent([[0], [1, 0]], () => teacher)).rejects.toThrow("one student for a label is required");
    await expect(multiStudent([[0], []], () => teacher)).rejects.toThrow("labels for each student are required");
    const one = await multiStudent([[1]], () => teacher);
    expect(() => one.draw([1, 0])).toThrow("a label that a student draws is required, got 0");
    expect(consecutive(10, 4)).toEqual([
      [0, 1, 2],
      [3, 4],
      [5, 6, 7],
      [8, 9],
    ]);
    one.dispose();
  });
});
