/** Hopfield layers, attention of few bits, linear attention and normalisation that changes over, against their formulas. */
import {
  classes,
  digits,
  type Model,
  mlp,
  modelFromJson,
  net,
  nn,
  type Params,
  quantisedAttention,
  random,
  rateSensitivity,
  tape,
  tf,
  zLoss,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { float8 } from "../../lib/models/parts/float8.ts";
import { hopfieldEnergy, retrieved } from "../../lib/models/parts/hopfield.ts";
import { slopeAlong } from "./slope.ts";

const numbers = (t: tf.Tensor | Params | undefined): number[] => [...(t as tf.Tensor).dataSync()];
const close = (got: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted[i]!, digits);
  });
};

describe("P103: a continuous Hopfield network", () => {
  const patterns = random(1).normals([20, 32], 0, 1) as tf.Tensor2D;
  const noisy = tf.add(tf.slice(patterns, [0, 0], [4, 32]), random(2).normals([4, 32], 0, 0.3)) as tf.Tensor2D;

  test("retrieves a stored pattern in one update, and a mean of all where β is small", () => {
    const one = retrieved(noisy, patterns, patterns, { beta: 4 });
    close(numbers(one), numbers(tf.slice(patterns, [0, 0], [4, 32])), 4);
    const mean = numbers(tf.mean(patterns, 0));
    close(numbers(retrieved(noisy, patterns, patterns, { beta: 1e-5 })), [mean, mean, mean, mean].flat(), 3);
  });

  test("has an energy that no update raises, and that is the formula", () => {
    const [beta, states] = [0.3, [noisy]];
    for (let k = 1; k <= 5; k++) states.push(retrieved(noisy, patterns, patterns, { beta, steps: k }) as tf.Tensor2D);
    const energies = states.map((state) => numbers(hopfieldEnergy(state, patterns, beta)));
    energies.slice(1).forEach((after, k) => {
      after.forEach((energy, i) => {
        expect(energy).toBeLessThanOrEqual(energies[k]![i]! + 1e-4);
      });
    });
    // two patterns, one state: −ln(e^{βa} + e^{βb}) / β + ½ξ² + ln(2) / β + ½M²
    const small = hopfieldEnergy(
      tf.tensor2d([[1, 2]]),
      tf.tensor2d([
        [1, 0],
        [0, 3],
      ]),
      0.5,
    );
    close(numbers(small), [-Math.log(Math.exp(0.5) + Math.exp(3)) / 0.5 + 2.5 + Math.log(2) / 0.5 + 4.5]);
  });

  test("of one step and the usual β is attention; a pool does not see an order", () => {
    const x = random(3).normals([2, 5, 8], 0, 1);
    const still = tape(false, null, {}).mode;
    const own = net().hopfield(2) as unknown as Model;
    const params = own.init(random(4), [5, 8]);
    const attention = net().attention(2, { causal: false }) as unknown as Model;
    const same = { "1-attention": params["1-hopfield"]! };
    close(numbers(own.apply(params, x, still)), numbers(attention.apply(same, x, still)));
    const pool = net().hopfieldPooling(2, { queries: 2, steps: 3 }) as unknown as Model;
    const asks = pool.init(random(5), [5, 8]);
    close(numbers(pool.apply(asks, x, still)), numbers(pool.apply(asks, tf.reverse(x, 1), still)));
  });
});

describe("P137: attention of few bits", () => {
  test("rounds to 8-bit floats as PyTorch does", () => {
    const x = [0.3, 1.06, 17.3, 0.001, 300, -5.3, 447, 0.0175, 2];
    // torch.tensor(x).to(torch.float8_e4m3fn)
    close(numbers(float8(tf.tensor1d(x))), [0.3125, 1.0, 18.0, 0.001953125, 288.0, -5.5, 448.0, 0.017578125, 2.0]);
  });

  test("is near to exact attention, the nearer with means taken away and with more bits", () => {
    const [q, k, v] = [1, 2, 3].map((seed) => random(seed).normals([2, 100, 16], 0, 1));
    // what makes it hard: channels of keys and queries with a large mean
    const far = tf.mul(tf.cast(tf.less(tf.range(0, 16), 2), "float32"), 8);
    const [queries, keys] = [tf.add(q!, far), tf.add(k!, far)];
    const exact = nn.attention(queries, keys, v!);
    const error = (options: Parameters<typeof quantisedAttention>[3]): number =>
      numbers(tf.div(tf.norm(tf.sub(quantisedAttention(queries, keys, v!, options), exact)), tf.norm(exact)))[0]!;
    expect(error({ queryKey: "full", weightValue: "full" })).toBeLessThan(1e-4);
    expect(error({ queryKey: "full" })).toBeLessThan(0.03);
    expect(error({ queryKey: "int8" })).toBeLessThan(0.03);
    expect(error({})).toBeLessThan(0.25);
    expect(error({ smooth: false })).toBeGreaterThan(2 * error({}));
  });

  test("is how a model with precision predicts, and not how it is trained", () => {
    const [full, few] = (["full", "int8"] as const).map(
      (precision) => net().attention(2, { precision }) as unknown as Model,
    );
    const x = random(1).normals([2, 6, 8], 0, 1);
    const params = full!.init(random(2), [6, 8]);
    const run = (model: Model, training: boolean): number[] =>
      numbers(model.apply(params, x, tape(training, null, {}).mode));
    expect(run(few!, true)).toEqual(run(full!, true));
    expect(run(few!, false)).not.toEqual(run(full!, false));
    close(run(few!, false), run(full!, false), 1);
  });
});

describe("P257: what takes the place of softmax and layer normalisation", () => {
  test("linear attention is its formula", () => {
    const [length, d] = [4, 3];
    const model = net().simplifiedAttention(1, { window: 3 }) as unknown as Model;
    const x = random(1).normals([1, length, d], 0, 1);
    const params = model.init(random(2), [length, d]);
    const own = params["1-simplifiedAttention"] as Record<string, Params>;
    const times = (of: tf.Tensor, part: string): tf.Tensor2D => {
      const { kernel, bias } = own[part] as { kernel: tf.Tensor2D; bias: tf.Tensor };
      return tf.add(tf.matMul(of as tf.Tensor2D, kernel), bias) as tf.Tensor2D;
    };
    const rows = tf.reshape(x, [length, d]);
    const [q, k] = ["query", "key"].map((part) => tf.relu(times(rows, part)) as tf.Tensor2D);
    const value = times(rows, "value");
    const scores = tf.matMul(q!, k!, false, true);
    const far = tf.matMul(tf.div(scores, tf.add(tf.sum(scores, 1, true), 4e-6)) as tf.Tensor2D, value);
    const [v, w] = [numbers(value), numbers(own.near!.kernel)];
    const near = Array.from({ length: length * d }, (_, at) => {
      const [t, c] = [Math.floor(at / d), at % d];
      return [-1, 0, 1].reduce((sum, by) => sum + (v[(t + by) * d + c] ?? 0) * w[(by + 1) * d + c]!, 0);
    });
    const seen = tf.add(far, tf.add(tf.tensor2d(near, [length, d]), own.near!.bias as tf.Tensor));
    close(numbers(model.apply(params, x, tape(false, null, {}).mode)), numbers(times(seen, "out")));
  });

  test("normalisation goes over from one kind to the other in equal steps", () => {
    const model = net().progressiveNorm({ steps: 4, warmup: 1 }) as unknown as Model;
    const x = random(1).normals([6, 3], 1, 2);
    const params = model.init(random(2), [3]);
    let statistics = model.statistics([3]);
    const layer = numbers(nn.layerNormalise(x, tf.ones([3]), tf.zeros([3])));
    const batch = numbers(tf.add(nn.batchNormalise(x, tf.ones([3]), tf.zeros([3])).y, x));
    for (const share of [1, 1, 0.75, 0.5, 0.25, 0, 0]) {
      const { mode, written } = tape(true, null, statistics);
      close(
        numbers(model.apply(params, x, mode)),
        layer.map((v, i) => share * v + (1 - share) * batch[i]!),
      );
      statistics = written();
    }
    // at test time a product and a sum for each channel
    const own = statistics["1-progressiveNorm"] as { batch: Record<string, tf.Tensor> };
    const scale = tf.add(tf.rsqrt(tf.add(own.batch.variance!, 1e-5)), 1);
    const shift = tf.neg(tf.mul(own.batch.mean!, tf.rsqrt(tf.add(own.batch.variance!, 1e-5))));
    const test = model.apply(params, x, tape(false, null, statistics).mode);
    close(numbers(test), numbers(tf.add(tf.mul(x, scale), shift)));
  });
});

describe("P437: stability", () => {
  test("the mean loss above the best one over rates, none above that before training", () => {
    const outcomes = [3, 2, 1, Number.NaN, 9].map((loss, i) => ({ rate: 10 ** -i, loss }));
    expect(rateSensitivity(outcomes, 4)).toBeCloseTo((2 + 1 + 0 + 3 + 3) / 5, 10);
    expect(() => rateSensitivity([], 4)).toThrow("outcomes with a finite loss before training are required");
  });

  test("zLoss adds the mean square of log Z", () => {
    const parts = zLoss({ weight: 0.5 }).hooks as unknown as { loss(state: object, step: object): tf.Scalar };
    const logits = tf.tensor2d([
      [1, 2, 3],
      [0, 0, -1],
    ]);
    const z = [
      [1, 2, 3],
      [0, 0, -1],
    ].map((row) => Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) ** 2);
    close(numbers(parts.loss({}, { logits, mask: null })), [0.25 * (z[0]! + z[1]!)]);
    const open = [
      [1, 2],
      [0, 0],
    ].map((row) => Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) ** 2);
    close(numbers(parts.loss({}, { logits, mask: tf.tensor2d([[1, 1, 0]]) })), [0.25 * (open[0]! + open[1]!)], 4);
    expect(classes(digits()).learn(mlp()).by(zLoss()).name).toBe("zLoss");
  });
});

const models: [string, unknown, number[]][] = [
  ["hopfield", net().hopfield(2, { steps: 3, beta: 0.7 }), [4, 6]],
  ["hopfieldLayer", net().hopfieldLayer(2, 5), [4, 6]],
  ["hopfieldPooling", net().hopfieldPooling(2, { queries: 2 }), [4, 6]],
  ["simplifiedAttention", net().simplifiedAttention(2, { grid: [2, 2], window: 3 }), [4, 6]],
];
describe.each(models)("%s", (_, made, shape) => {
  const model = made as Model;
  const x = random(1).normals([3, ...shape], 0, 1);
  const params = model.init(random(2), shape);
  const weigh = random(5).normals([3, ...model.features(shape)], 0, 1);
  test("has the gradients that finite differences give, and is made again from its JSON", () => {
    const still = tape(false, null, {}).mode;
    const loss = (p: { x: tf.Tensor; params: Params }): tf.Tensor =>
      tf.sum(tf.mul(model.apply(p.params, p.x, still), weigh));
    expect(slopeAlong(loss, { x, params }, 1e-3)).toBeCloseTo(1, 2);
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });
});
