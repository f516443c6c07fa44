/** Layers over sequences against their equations in plain arithmetic, and a learner of text. */
import {
  adam,
  classes,
  erAce,
  fromText,
  gpt,
  lstm,
  type Model,
  mlp,
  modelFromJson,
  modularArithmetic,
  net,
  network,
  type Params,
  random,
  sequence,
  si,
  table,
  tape,
  targetLoss,
  targetScore,
  targetTable,
  tf,
  valueAndGrad,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";

const [n, length, units] = [2, 4, 6];
const rows = (x: readonly number[], width: number): number[][] =>
  Array.from({ length: x.length / width }, (_, i) => x.slice(i * width, (i + 1) * width));
const numbersOf = (t: unknown): number[] => [...(t as tf.Tensor).dataSync()];
const part = (params: Params, name: string): Record<string, number[]> =>
  Object.fromEntries(Object.entries(params[name] as Params).map(([key, t]) => [key, numbersOf(t)]));
/** `x·kernel + bias` for each row. */
const dense = (x: number[][], { kernel, bias }: Record<string, number[]>): number[][] => {
  const out = bias!.length;
  return x.map((row) =>
    Array.from({ length: out }, (_, j) => row.reduce((sum, v, i) => sum + v * kernel![i * out + j]!, bias![j]!)),
  );
};
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

/** What a model of one layer gives for random vectors, and its parameters. */
function made(model: Model, x: tf.Tensor): { readonly params: Params; readonly out: number[] } {
  const params = model.init(random(3), x.shape.slice(1));
  const out = tf.tidy(() => model.apply(params, x, tape(false, null, {}).mode));
  expect(out.shape.slice(1)).toEqual([...model.features(x.shape.slice(1))]);
  return { params: Object.values(params)[0] as Params, out: numbersOf(out) };
}
const close = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((v, i) => {
    expect(v).toBeCloseTo(wanted[i]!, 4);
  });
};

describe("layers over sequences", () => {
  const x = random(1).normals([n, length, units], 0, 1);
  const examples = rows(numbersOf(x), length * units).map((example) => rows(example, units));

  test("a gated recurrent unit is its equations", () => {
    const { params, out } = made(net().gru(3) as unknown as Model, x);
    const wanted = examples.flatMap((example) => {
      let h = [0, 0, 0];
      return example.flatMap((row) => {
        const [given] = dense([row], part(params, "input"));
        const [held] = dense([h], part(params, "state"));
        h = h.map((before, j) => {
          const reset = sigmoid(given![j]! + held![j]!);
          const update = sigmoid(given![3 + j]! + held![3 + j]!);
          const fresh = Math.tanh(given![6 + j]! + reset * held![6 + j]!);
          return (1 - update) * fresh + update * before;
        });
        return h;
      });
    });
    close(out, wanted);
  });

  test("a block of a transformer is its equations", () => {
    const { params, out } = made(net().transformer(2, { widen: 2 }) as unknown as Model, x);
    const norm = (row: number[]): number[] => {
      const mean = row.reduce((a, b) => a + b) / row.length;
      const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
      return row.map((v) => (v - mean) / Math.sqrt(variance + 1e-5));
    };
    const gelu = (v: number): number => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
    const wanted = examples.flatMap((example) => {
      const [q, k, v] = ["query", "key", "value"].map((name) => dense(example.map(norm), part(params, name)));
      const seen = example.map((_, t) =>
        [0, 1].flatMap((head) => {
          const own = [0, 1, 2].map((j) => 3 * head + j);
          const scores = example
            .slice(0, t + 1)
            .map((_, s) => own.reduce((sum, j) => sum + q![t]![j]! * k![s]![j]!, 0) / Math.sqrt(3));
          const shares = scores.map((score) => Math.exp(score));
          const total = shares.reduce((a, b) => a + b);
          return own.map((j) => shares.reduce((sum, share, s) => sum + (share / total) * v![s]![j]!, 0));
        }),
      );
      const attended = dense(seen, part(params, "out")).map((row, t) => row.map((value, j) => value + example[t]![j]!));
      const inner = dense(attended.map(norm), part(params, "up")).map((row) => row.map(gelu));
      return dense(inner, part(params, "down")).flatMap((row, t) => row.map((value, j) => value + attended[t]![j]!));
    });
    close(out, wanted);
  });

  test("an embedding gives each token its row, and each place its own", () => {
    const { params, out } = made(net().embedding(5, 3) as unknown as Model, tf.tensor2d([[4, 0, 4]]));
    const [tokens, places] = [part(params, "tokens").kernel!, part(params, "places").kernel!];
    close(
      out,
      [4, 0, 4].flatMap((token, t) => [0, 1, 2].map((j) => tokens[3 * token + j]! + places[3 * t + j]!)),
    );
  });

  test("the last place alone is kept by last, normalised by layerNorm", () => {
    const { out } = made(net().layerNorm().last() as unknown as Model, x);
    rows(out, units).forEach((row) => {
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(0, 4);
      expect(row.reduce((sum, v) => sum + v * v, 0) / units).toBeCloseTo(1, 2);
    });
  });

  test("no place sees those after it, unless it may", () => {
    const at = (model: Model, tokens: number[]): number[] => {
      const params = model.init(random(2), [3]);
      return numbersOf(model.apply(params, tf.tensor2d([tokens]), tape(false, null, {}).mode)).slice(0, 8);
    };
    const model = (causal: boolean): Model => net().embedding(5, 4).transformer(2, { causal }) as unknown as Model;
    expect(at(model(true), [1, 2, 3])).toEqual(at(model(true), [1, 2, 0]));
    expect(at(model(false), [1, 2, 3])).not.toEqual(at(model(false), [1, 2, 0]));
  });

  test("have the gradients that finite differences give", () => {
    const small = network(
      net().embedding(4, 4).transformer(2, { widen: 1 }).gru(3).layerNorm() as unknown as Model,
      [3],
    );
    const weights = small.init(random(5), 4);
    const tokens = tf.tensor2d([[0, 3, 1]]);
    const loss = (w: Weights): tf.Scalar =>
      tf.sum(tf.square(small.logits(w, small.features(w, tokens, tape(false, null, {}).mode)))) as tf.Scalar;
    const { grads } = valueAndGrad(loss, weights);
    const names = ["1-embedding", "2-transformer", "3-gru"];
    for (const name of names) {
      const inner = Object.keys(weights.model[name] as Params)[name === "2-transformer" ? 1 : 0]!;
      const kernel = (tree: Weights): tf.Tensor =>
        ((tree.model[name] as Params)[inner] as { kernel: tf.Tensor }).kernel;
      const value = numbersOf(kernel(weights));
      const moved = (by: number): number => {
        const other = tf.tensor(
          value.map((v, i) => (i === 1 ? v + by : v)),
          kernel(weights).shape,
        );
        const layer = {
          ...(weights.model[name] as Params),
          [inner]: { ...((weights.model[name] as Params)[inner] as Params), kernel: other },
        };
        return numbersOf(loss({ ...weights, model: { ...weights.model, [name]: layer } } as Weights))[0]!;
      };
      const step = 1e-2;
      const slope = (moved(step) - moved(-step)) / (2 * step);
      expect(Math.abs(numbersOf(kernel(grads as Weights))[1]! - slope)).toBeLessThan(
        0.02 * Math.max(1, Math.abs(slope)),
      );
    }
  });

  test("are made again from a model's JSON", () => {
    const model = net().embedding(9, 8, { positions: false }).transformer(2, { widen: 3 }).layerNorm().gru(5).last();
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });
});

describe("a class at each place of a sequence", () => {
  test("is learnt by the mean cross-entropy of the places where one is asked for", () => {
    const logits = tf.tensor3d([
      [
        [0, 0],
        [Math.log(3), 0],
      ],
      [
        [5, 0],
        [0, 0],
      ],
    ]);
    const given = (weight: number[] | null) =>
      ({
        logits,
        targets: tf.tensor2d([
          [1, 0],
          [-1, 1],
        ]),
        mask: null,
        weight: weight && tf.tensor1d(weight),
      }) as never;
    const [a, b, c] = [Math.log(2), Math.log(4 / 3), Math.log(2)];
    expect(numbersOf(targetLoss("tokens", given(null)))[0]).toBeCloseTo((a + b + c) / 3, 5);
    expect(numbersOf(targetLoss("tokens", given([1, 0])))[0]).toBeCloseTo((a + b) / 2, 5);
  });

  test("is scored by the share of those places", () => {
    const of = table(
      new Float32Array(4),
      new Int32Array(2).fill(-1),
      [2],
      1,
      targetTable(Float32Array.of(1, 0, -1, 1), 2),
    );
    const score = targetScore("tokens", Float32Array.of(0, 1, 2, 0, 9, 0, 0, 0), of, [0, 1]);
    expect(score.taskAware).toBeCloseTo(2 / 3, 12);
    expect(score.loss).toBeCloseTo((Math.log(1 + Math.exp(-1)) + Math.log(1 + Math.exp(-2)) + Math.log(2)) / 3, 6);
  });

  const data = fromText("abcabcabd".repeat(60), { length: 8 });
  const stream = sequence(data, 2);

  test.each([
    ["attention", net().embedding(4, 16).transformer(2).layerNorm()],
    ["recurrence", net().embedding(4, 16, { positions: false }).gru(16)],
    ["gpt", gpt({ tokens: 4, width: 16, depth: 1, heads: 2 })],
    ["lstm", lstm({ tokens: 4, width: 16, units: 16 })],
  ])("is learnt by %s: all but what cannot be known", async (_, model) => {
    const run = await stream
      .learn(model)
      .by(si())
      .with(adam({ lr: 0.01 }))
      .train({ epochs: 12 })
      .run({ quiet: true });
    const { initial, values } = run.matrix();
    expect(initial[0]).toBeLessThan(0.5);
    expect(values[1]![1]).toBeGreaterThan(0.8);
  });

  test("needs a model with a vector at each place, and strategies that can do with that", () => {
    expect(() => stream.learn(net().embedding(4, 8).last() as never)).toThrow(
      "learn: a model that gives a vector at each of 8 places is required for a stream of tokens, got features of shape [8]; begin it with embedding(4, units), and do not flatten it",
    );
    expect(() => stream.learn(net().embedding(4, 8).gru(4)).by(erAce())).toThrow(
      'erAce: a stream that asks for one class is required, got one that asks for "tokens" (it keeps or compares examples by their class',
    );
    expect(() => stream.learn(mlp() as never)).toThrow();
  });

  test("is not what a class of the whole sequence is: that is told by the last place", async () => {
    const sums = modularArithmetic({ modulus: 5 });
    const model = net().embedding(10, 16).transformer(2).last();
    const study = classes(sums)
      .learn(model)
      .with(adam({ lr: 0.01 }))
      .train({ epochs: 60 });
    const run = await study.run({ quiet: true });
    const events = run.logs[0]!.events.filter((event) => event.type === "step");
    expect(events.at(-1)!.loss).toBeLessThan(0.5 * events[0]!.loss);
  });
});
