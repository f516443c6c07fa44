import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { generativeReplay } from "../../lib/strategies/index.ts";
import { decoded, freshVae, type Vae, vaeLoss } from "../../lib/strategies/parts/vae.ts";
import { lints } from "../../lib/train/lints.ts";
import {
  close,
  contextOf,
  entropy,
  hooksOf,
  matrix,
  mean,
  noisy,
  normal,
  perceptron,
  type Rows,
  small,
  softmax,
  stepOf,
  times,
} from "./by-hand.ts";
import { run, spec, stream } from "./support.ts";

const { net, weights } = small([4], 3, 4);
const latent = 2;
const draw = (seed: number): Vae => noisy(freshVae(random(seed), [3], latent, 5) as never, random(seed)) as never;
const through = (rows: Rows, { kernel, bias }: Vae["in1"], rectified = true): number[][] => {
  const b = [...bias.dataSync()];
  return times(rows, matrix(kernel)).map((row) => row.map((v, j) => (rectified ? Math.max(0, v + b[j]!) : v + b[j]!)));
};
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
const pictures = (vae: Vae, codes: Rows): number[][] =>
  through(through(through(codes, vae.out1), vae.out2), vae.picture, false).map((row) => row.map(sigmoid));
/** The negative evidence bound, for each number of an example. */
const bound = (vae: Vae, x: Rows, noise: Rows): number => {
  const hidden = through(through(x, vae.in1), vae.in2);
  const [mu, log] = [through(hidden, vae.mean, false), through(hidden, vae.spread, false)];
  const codes = mu.map((row, i) => row.map((m, j) => m + Math.exp(log[i]![j]! / 2) * noise[i]![j]!));
  const seen = pictures(vae, codes);
  const each = x.map((row, i) => {
    const picture = row.reduce((s, v, j) => s - v * Math.log(seen[i]![j]!) - (1 - v) * Math.log(1 - seen[i]![j]!), 0);
    const code = mu[i]!.reduce((s, m, j) => s + 0.5 * (m * m + Math.exp(log[i]![j]!) - 1 - log[i]![j]!), 0);
    return picture + code;
  });
  return mean(each) / 3;
};

test("the autoencoder's loss is the negative evidence bound, and its pictures those of its codes", () => {
  const vae = draw(1);
  const x = normal(5, 3, 2).map((row) => row.map(sigmoid));
  const [noise, codes] = [normal(5, latent, 3), normal(4, latent, 4)];
  const loss = vaeLoss(vae, tf.tensor2d(x), tf.tensor2d(noise)).dataSync()[0];
  expect(loss).toBeCloseTo(bound(vae, x, noise), 3);
  close(matrix(decoded(vae, tf.tensor2d(codes), [3])).flat(), pictures(vae, codes).flat());
});

describe("generative replay", () => {
  const x = normal(3, 3, 5).map((row) => row.map(sigmoid));
  const y = [2, 3, 2];
  const [before, after] = [draw(6), draw(7)];
  const old = noisy(weights, random(8));
  const added = (vae: Vae) => ({ added: { generativeReplay: vae } });
  const context = contextOf(net, { ...old, ...added(before) } as unknown as Weights, {
    stream: { shape: [3], taskOf: (i: number) => i, classesOf: () => [0, 1] } as never,
  });
  const noise = (name: string, n: number): number[][] => matrix(random(9).at(name).normals([n, latent]));

  test.each([
    ["hard", 1],
    ["soft", 4],
  ] as const)(
    "weighs new and dreamt examples as 1 to the past, with %s labels of the network before, %i times",
    (labels, strength) => {
      const strategy = generativeReplay({ latent, units: 5, draw: 4, labels, strength });
      const state = hooksOf(strategy).beforeExperience({}, { index: 2 } as never, context);
      const now = { ...weights, ...added(after) } as unknown as Weights;
      const step = stepOf({ net, weights: now, x, y, rng: random(9) });
      const fresh =
        mean(perceptron(weights, x).logits.map((z, i) => entropy(z, y[i]!))) + bound(after, x, noise("code", 3));
      const dreamt = pictures(before, noise("dream", 4));
      const said = perceptron(weights, dreamt).logits;
      const past = perceptron(old, dreamt).logits.map((z, i) => {
        if (labels === "hard") return entropy(said[i]!, z[0]! > z[1]! ? 0 : 1);
        // Columns that were not met before have no share.
        const given = [...softmax([z[0]! / 2, z[1]! / 2]), 0, 0];
        return -given.reduce((s, p, c) => s + p * Math.log(softmax(said[i]!.map((v) => v / 2))[c]!), 0);
      });
      const wanted = strength * mean(past) + bound(after, dreamt, noise("old code", 4));
      expect(hooksOf(strategy).taskLoss(state, step).dataSync()[0]).toBeCloseTo(fresh / 3, 3);
      expect(hooksOf(strategy).loss(state, step).dataSync()[0]).toBeCloseTo((wanted * 2) / 3, 3);
      expect(hooksOf(strategy).taskLoss({ tensors: undefined }, step).dataSync()[0]).toBeCloseTo(fresh, 3);
    },
  );

  test("inputs that no picture can be are found out", () => {
    const said = lints(run(spec(stream({ needs: [] } as never, 4), [generativeReplay({ latent, units: 5 })])).events);
    expect(said.some((text) => /generativeReplay.* % of the inputs are outside \[0, 1\]/.test(text))).toBe(true);
  });
});
