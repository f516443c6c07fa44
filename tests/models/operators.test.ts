/** Multigrid operators, micro-batch normalisation and kernels by random features, beside PyTorch and formulas. */
import { readFileSync } from "node:fs";
import { jit, layers, leaves, type Model, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

const found = JSON.parse(readFileSync(new URL("peers/operators.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, never>
>;
const tensors = (of: object): Params =>
  Object.fromEntries(
    Object.entries(of).map(([name, value]) => [
      name,
      Array.isArray(value) ? tf.tensor(value as never) : tensors(value),
    ]),
  );
const mode = tape(false, null, {}).mode;
const close = (got: tf.Tensor, wanted: tf.Tensor, digits = 4): void => {
  expect(got.shape).toEqual(wanted.shape);
  const size = tf.maximum(1, tf.max(tf.abs(wanted)));
  expect(tf.div(tf.max(tf.abs(tf.sub(got, wanted))), size).dataSync()[0]).toBeLessThan(10 ** -digits);
};

describe("P391: multigrid", () => {
  const { x, params, out } = tensors(found.multigrid!) as { x: tf.Tensor; params: Params; out: tf.Tensor };
  const layer = layers.multigrid(3, { levels: 3, smoothing: [2, 1] });

  test("is the V-cycle that PyTorch's convolutions make", () => {
    close(jit((x: tf.Tensor) => layer.apply(x, params, mode))(x), out);
  });

  test("is linear but for its bias, reaches over the whole image, and makes all of its parameters", () => {
    const one = layer.init!(random(1), [8, 8, 2]);
    expect(
      leaves(one)
        .map(({ shape }) => String(shape))
        .sort(),
    ).toEqual(
      leaves(params)
        .map(({ shape }) => String(shape))
        .sort(),
    );
    const free = { ...one, beside: { ...(one.beside as Params), bias: tf.zeros([3]) } };
    const run = (x: tf.Tensor): tf.Tensor => layer.apply(x, free, mode);
    const [a, b] = [random(2).normals([1, 8, 8, 2], 0, 1), random(3).normals([1, 8, 8, 2], 0, 1)];
    close(run(tf.add(tf.mul(a, 2), b)), tf.add(tf.mul(run(a), 2), run(b)), 4);
    const corner = valueAndGrad((x: tf.Tensor) => tf.sum(tf.slice(run(x), [0, 0, 0, 0], [1, 1, 1, 3])), a).grads;
    expect(tf.sum(tf.abs(tf.slice(corner, [0, 7, 7, 0], [1, 1, 1, 2]))).dataSync()[0]).toBeGreaterThan(0);
    expect(() => net().multigrid(2).features([6, 8, 1])).toThrow("sides are multiples of 4 is required for 3 levels");
  });
});

describe("P364: micro-batches", () => {
  test("filters that are standardised are the authors' program's", () => {
    const { kernel, out } = tensors(found.standardised!) as { kernel: tf.Tensor; out: tf.Tensor };
    const x = tf.tensor(found.multigrid!.x!);
    close(layers.conv(4, 3, { standardise: true, bias: false }).apply(x, { kernel }, mode), out);
    expect(() =>
      (net().conv(4, 3, { standardise: true }) as Model).counterpart!({} as never, "", { "1-conv": {} }, {}),
    ).toThrow("got conv with filters that are standardised");
  });

  test("running statistics take in the batch, and normalise it in training", () => {
    const { x, batch, channel, out, mean, variance } = tensors(found.batchChannel!) as {
      readonly [name in "x" | "batch" | "channel" | "out" | "mean" | "variance"]: never;
    };
    const layer = layers.batchChannelNorm(2);
    let statistics = layer.statistics!([3, 3, 4]);
    for (const wanted of tf.unstack(out)) {
      const taped = tape(true, null, statistics);
      close(layer.apply(x, { batch, channel }, taped.mode), wanted);
      statistics = taped.written();
    }
    close(statistics.mean as tf.Tensor, mean);
    close(statistics.variance as tf.Tensor, variance);
    close(layer.apply(x, { batch, channel }, tape(false, null, statistics).mode), tf.unstack(out).at(-1)!);
  });
});

describe("P380: scalable kernels", () => {
  const [x, w] = [random(1).normals([3, 5], 0, 0.3), random(2).normals([4, 5], 0, 0.3)];

  test("have the kernels that their random features stand for", () => {
    const [a, b] = [x.arraySync() as number[][], w.arraySync() as number[][]];
    const dot = (u: number[], v: number[]): number => u.reduce((sum, one, i) => sum + one * v[i]!, 0);
    const kernels = {
      // Cho and Saul 2009, equation 6, of half a line
      relu: (u: number[], v: number[]): number => {
        const size = Math.sqrt(dot(u, u) * dot(v, v));
        const angle = Math.acos(dot(u, v) / size);
        return (size / (2 * Math.PI)) * (Math.sin(angle) + (Math.PI - angle) * Math.cos(angle));
      },
      exp: (u: number[], v: number[]): number => Math.exp(dot(u, v)),
    };
    for (const kernel of ["relu", "exp"] as const) {
      const layer = layers.snnk(4, { features: 40_000, kernel });
      const run = tape(false, null, layer.statistics!([5])).mode;
      const projection = run.read("projection");
      const sums = tf.matMul(w as tf.Tensor2D, projection as tf.Tensor2D);
      const made = kernel === "relu" ? tf.relu(sums) : tf.exp(tf.sub(sums, tf.div(tf.sum(tf.square(w), 1, true), 2)));
      const y = layer.apply(x, { kernel: tf.transpose(tf.div(made, 200)) }, run).arraySync() as number[][];
      a.forEach((u, i) => {
        b.forEach((v, j) => {
          expect(Math.abs(y[i]![j]! - kernels[kernel](u, v))).toBeLessThan(0.05);
        });
      });
    }
  });

  test("train as many numbers as there are features of each unit, and keep their directions", () => {
    const model = net().snnk(6, { features: 8 }) as Model;
    expect(model.summary([50]).reduce((sum, { parameters }) => sum + parameters, 0)).toBe(48);
    const [one, other] = [1, 2].map(() => leaves(model.statistics([50])).map((t) => t.dataSync()[3]));
    expect(one).toEqual(other);
    expect(net().snnk(6).features([7, 50])).toEqual([7, 6]);
  });
});

describe("P217: convolutions that are used again at each length", () => {
  const { x, encoder, decoder, down, up } = tensors(
    JSON.parse(readFileSync(new URL("peers/recursion.json", import.meta.url), "utf8")) as object,
  ) as { x: tf.Tensor; down: tf.Tensor; up: tf.Tensor; encoder: Params; decoder: Params };

  test("are PyTorch's, there and back", () => {
    const how = { times: 2, depth: 3 };
    close(jit((x: tf.Tensor) => layers.recursiveEncoder(how).apply(x, encoder, mode))(x), down);
    close(jit((x: tf.Tensor) => layers.recursiveDecoder(how).apply(x, decoder, mode))(down), up);
  });

  test("have as many weights however often they are used, and gradients of finite differences", () => {
    const sizes = [1, 3].map((times) =>
      (net().recursiveEncoder({ times }) as Model)
        .summary([16, 4])
        .reduce((sum, { parameters }) => sum + parameters, 0),
    );
    expect(sizes).toEqual([4 * (48 + 4), 4 * (48 + 4)]);
    const loss = (x: tf.Tensor): tf.Tensor => {
      const code = layers.recursiveEncoder({ times: 2, depth: 3 }).apply(x, encoder, mode);
      return tf.sum(tf.square(layers.recursiveDecoder({ times: 2, depth: 3 }).apply(code, decoder, mode)));
    };
    const { grads } = valueAndGrad(loss, x);
    const length = tf.norm(grads).dataSync()[0]!;
    const moved = (by: number): number => loss(tf.add(x, tf.mul(grads, by / length))).dataSync()[0]!;
    expect((moved(2e-3) - moved(-2e-3)) / 4e-3 / length).toBeCloseTo(1, 1);
    expect(() => net().recursiveEncoder({ times: 3 }).features([12, 4])).toThrow(
      "a multiple of 8 is required to be halved 3 times, got 12",
    );
  });
});
