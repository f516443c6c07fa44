/** Sequences that are written all at once, in plain arithmetic. */
import { net as build, classes, denoised, digits, mlp, random, tf, trained, unrolledDenoise } from "thalweg";
import { describe, expect, test } from "vitest";
import { network, type Weights } from "../../lib/models/network.ts";
import { hooksOf, mean, noisy, softmax, stepOf } from "./by-hand.ts";

const tokens = 4;
const [n, length] = [6, 5];
const model = build().embedding(tokens, 3, { positions: false }) as never;
const net = network(model, [length]);
const weights = noisy(net.init(random(1), tokens), random(2));
const x = Array.from({ length: n }, (_, i) => Array.from({ length }, (_, k) => (i * 3 + k * k) % tokens));
const plain = (of: tf.Tensor): number[][] => of.arraySync() as number[][];
const [vectors, kernel, bias] = [
  plain((Object.values(weights.model)[0] as { tokens: { kernel: tf.Tensor } }).tokens.kernel),
  plain(weights.head.kernel as tf.Tensor),
  [...(weights.head.bias as tf.Tensor).dataSync()],
];
const said = (token: number): number[] =>
  bias.map((b, c) => vectors[token]!.reduce((sum, v, j) => sum + v * kernel[j]![c]!, b));
const best = (z: readonly number[]): number => z.indexOf(Math.max(...z));

describe("P205: unrolled denoising", () => {
  test("asks for the tokens that came in, from disturbed ones and then from its own", () => {
    const rng = random(7);
    const noise = rng.at("unrolledDenoise");
    const begins = plain(noise.at("given").uniforms([n, 1])).map(([u]) => Math.floor(u! * 0.6 * length));
    const share = plain(noise.at("share").uniforms([n, 1])).map(([u]) => u!);
    const hit = plain(noise.at("hit").uniforms([n, length]));
    const other = plain(noise.at("token").uniforms([n, length])).map((row) => row.map((u) => Math.floor(u * tokens)));
    const open = (i: number, k: number): boolean => k >= begins[i]!;
    let now = x.map((row, i) => row.map((t, k) => (open(i, k) && hit[i]![k]! < share[i]! ? other[i]![k]! : t)));
    expect(now).not.toEqual(x);
    const losses = [0, 1, 2].map(() => {
      const each = now.flatMap((row, i) =>
        row.flatMap((t, k) => (open(i, k) ? [-Math.log(softmax(said(t))[x[i]![k]!]!)] : [])),
      );
      now = now.map((row, i) => row.map((t, k) => (open(i, k) ? best(said(t)) : x[i]![k]!)));
      return mean(each);
    });
    const step = stepOf({ net, weights, x: tf.tensor2d(x), rng });
    const hooks = hooksOf(unrolledDenoise({ steps: 3, given: 0.6, temperature: 0 }));
    expect(hooks.taskLoss({}, step).dataSync()[0]).toBeCloseTo(mean(losses), 4);
    const first = hooksOf(unrolledDenoise({ steps: 1, given: 0.6 }))
      .taskLoss({}, step)
      .dataSync()[0];
    expect(first).toBeCloseTo(losses[0]!, 4);
  });

  test("draws tokens by the network's answer", () => {
    const rows = 400;
    const step = stepOf({ net, weights, x: tf.zeros([rows, length]), rng: random(3) });
    const seen: number[][][] = [];
    const z = said(2).map((v) => v * 0.5);
    const forward = (at: tf.Tensor) => {
      seen.push(plain(at));
      return { logits: tf.mul(tf.ones([rows, length, 1]), tf.tensor1d(z)) };
    };
    const same = { ...step, forward };
    hooksOf(unrolledDenoise({ given: 0 })).taskLoss({}, same as never);
    const drawn = seen[1]!.flat();
    const counts = [0, 1, 2, 3].map((t) => drawn.filter((own) => own === t).length / drawn.length);
    expect(Math.max(...softmax(z).map((p, c) => Math.abs(counts[c]! - p)))).toBeLessThan(0.04);
  });

  test("writes everywhere but where tokens are given, as often as it is told", () => {
    // says the token after the one that stands there, for certain
    const next = Array.from({ length: tokens }, (_, t) =>
      Array.from({ length: tokens }, (_, c) => 1e3 * +(c === (t + 1) % tokens)),
    );
    const made = trained({
      model: build().embedding(tokens, tokens, { positions: false }) as never,
      input: [length],
      target: "tokens",
      weights: {
        model: { "1-embedding": { tokens: { kernel: tf.eye(tokens) } } },
        head: { kernel: tf.tensor2d(next), bias: tf.zeros([tokens]) },
      } as never as Weights,
    });
    const found = denoised(made, x, { given: 2, rounds: 3, seed: 4 });
    found.forEach((row, i) => {
      expect(row.slice(0, 2)).toEqual(x[i]!.slice(0, 2));
      expect(row.slice(2)).toEqual([2, 3, 4].map((k) => (random(4).at("begin", i, k).int(tokens) + 3) % tokens));
    });
    expect(() => denoised(made, [[1, 2]])).toThrow("sequences of 5 tokens");
  });

  test("serves streams of tokens alone", () => {
    expect(() =>
      classes(digits())
        .learn(mlp())
        .by(unrolledDenoise() as never),
    ).toThrow(
      "unrolledDenoise: a stream of sequences that asks for tokens is required, got one that asks for one class",
    );
  });
});
