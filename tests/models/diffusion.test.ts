/** Denoisers and what is drawn from them, beside PyTorch, NumPy and sums by hand. */
import { readFileSync } from "node:fs";
import {
  disposeTree,
  dit,
  lessNoisy,
  type Model,
  net,
  network,
  noised,
  noiseSchedule,
  type Params,
  random,
  sample,
  startOf,
  type TrainedNetwork,
  tape,
  tf,
  trained,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { saidOf } from "../../lib/models/parts/denoising.ts";
import { peerNumbers } from "../support/peer-numbers.ts";

interface Peer {
  readonly parameters: readonly (readonly [name: string, shape: number[]])[];
  readonly out: readonly number[];
  readonly gradients: Readonly<Record<string, number>>;
  readonly kept: Readonly<Record<"linear" | "cosine", readonly number[]>>;
  readonly steps: Readonly<
    Record<
      "linear" | "cosine",
      {
        readonly noisy: number;
        readonly posteriorMean: number;
        readonly posteriorVariance: number;
        readonly ddim: number;
      }
    >
  >;
}
const peer = JSON.parse(readFileSync(new URL("./peers/diffusion.json", import.meta.url), "utf8")) as Peer;
const scalar = (x: tf.Tensor): number => x.dataSync()[0]!;

describe.each(["linear", "cosine"] as const)("a %s schedule", (schedule) => {
  const { kept, added } = noiseSchedule({ steps: 40, schedule });
  const wanted = peer.steps[schedule];
  const t = 17;

  test("leaves what NumPy says", () => {
    kept.forEach((share, i) => {
      expect(share / peer.kept[schedule][i]!).toBeCloseTo(1, 6);
    });
    expect(added[t]).toBeCloseTo(1 - kept[t]! / kept[t - 1]!, 10);
  });

  test("adds and takes away noise as the formulas of DDPM and DDIM have it", () => {
    const at = (share: number): tf.Tensor => tf.scalar(share);
    const noisy = noised(at(0.3), at(-1.2), at(kept[t]!));
    expect(scalar(noisy)).toBeCloseTo(wanted.noisy, 5);
    expect(scalar(startOf(noisy, at(-1.2), at(kept[t]!)))).toBeCloseTo(0.3, 5);
    const less = (before: number, eta: number, fresh: number): number =>
      scalar(lessNoisy(noisy, at(0.3), at(kept[t]!), at(before), at(eta), at(fresh)));
    expect(less(kept[5]!, 0, 1)).toBeCloseTo(wanted.ddim, 5);
    expect(less(kept[t - 1]!, 1, 0)).toBeCloseTo(wanted.posteriorMean, 5);
    expect(less(kept[t - 1]!, 1, 2)).toBeCloseTo(wanted.posteriorMean + 2 * Math.sqrt(wanted.posteriorVariance), 5);
    expect(less(1, 1, 3)).toBeCloseTo(0.3, 5);
  });
});

test("schedules refuse what is none", () => {
  expect(() => noiseSchedule({ steps: 1 })).toThrow("at least 2");
  expect(() => noiseSchedule({ schedule: "square" as never })).toThrow('"linear"');
});

/** A tree of the tensors at paths. */
function treeOf(entries: readonly (readonly [path: string, tensor: tf.Tensor])[]): Params {
  const root: Record<string, unknown> = {};
  for (const [path, tensor] of entries) {
    const names = path.split("/");
    const last = names.pop()!;
    const node = names.reduce<Record<string, unknown>>(
      (at, name) => (at[name] ??= {}) as Record<string, unknown>,
      root,
    );
    node[last] = tensor;
  }
  return root as Params;
}
const leafAt = (tree: Params, path: string): tf.Tensor =>
  path.split("/").reduce<Params>((node, name) => node[name] as Params, tree) as unknown as tf.Tensor;

test("a diffusion transformer gives what PyTorch gives, and so do its gradients", () => {
  const model = dit({ width: 8, heads: 2, depth: 1, widen: 2, patch: 2, classes: 3 });
  const params = treeOf(peer.parameters.map(([path, shape], i) => [path, peerNumbers(i, shape, 0, 1.5)]));
  const made = model.init(random(0), [4, 4, 1]);
  for (const [path, shape] of peer.parameters) expect([path, leafAt(made, path).shape]).toEqual([path, shape]);
  const [x, time, label] = [
    peerNumbers(1000, [3, 4, 4, 1]),
    tf.tensor1d([0, 250, 990]),
    tf.tensor1d([0, 2, 3], "int32"),
  ];
  const through = (own: Params): tf.Tensor =>
    model.apply(own, x, tape(false, null, {}, { beside: { time, label } }).mode);
  const out = through(params);
  out.dataSync().forEach((v, i) => {
    expect(v).toBeCloseTo(peer.out[i]!, 4);
  });
  const weighed = peerNumbers(2000, [3, 16]);
  const { grads } = valueAndGrad((own: Params) => tf.sum(tf.mul(through(own), weighed)) as tf.Scalar, params);
  peer.parameters.forEach(([path, shape], i) => {
    const sum = scalar(tf.sum(tf.mul(leafAt(grads, path), peerNumbers(3000 + i, shape))));
    expect(Math.abs(sum - peer.gradients[path]!), path).toBeLessThan(2e-3 * Math.max(1, Math.abs(sum)));
  });
  disposeTree([params, made, grads, x, time, label, out, weighed] as never);
});

const chain = (classes: number) =>
  net()
    .flatten()
    .conditions(4, { classes, steps: 10, range: [-1, 1] })
    .modulate() as unknown as Model;
/** A denoiser whose modulation is drawn, so that time and class make a difference. */
function drawnNetwork(classes: number): TrainedNetwork {
  const model = chain(classes);
  const weights = network(model, [2, 1, 1]).init(random(1), 3);
  const modulation = (weights.model["3-modulate"] as Params).modulation as Params;
  const kernel = random(2).normals((modulation.kernel as tf.Tensor).shape);
  return trained({
    model,
    input: [2, 1, 1],
    weights: { ...weights, model: { ...weights.model, "3-modulate": { modulation: { ...modulation, kernel } } } },
  });
}

test("samples of a network that finds no noise are the first noise, scaled", () => {
  const model = dit({ width: 8, depth: 1, steps: 12 });
  const made = trained({ model, input: [4, 4, 1], weights: network(model, [4, 4, 1]).init(random(0), 3) });
  const kept = noiseSchedule({ steps: 12 }).kept.at(-1)!;
  const start = random(3).at("sample").at(0).at("start").normals([2, 4, 4, 1]).dataSync();
  const before = tf.memory().numTensors;
  const drawn = sample(made, { count: 2, seed: 3, steps: 5, clip: false });
  expect(tf.memory().numTensors).toBe(before);
  const x = new Float32Array(32);
  drawn.read(Uint32Array.of(0, 1), x);
  // x₀ = x / √ᾱ and no noise: the next is √ᾱ′ x₀, so that the last is the first over √ᾱ; the range is [0, 1]
  x.forEach((v, i) => {
    expect(v / (start[i]! / Math.sqrt(kept) / 2 + 0.5)).toBeCloseTo(1, 4);
  });
  expect([...drawn.labels]).toEqual([-1, -1]);
  made.dispose();
});

test("guidance goes on from what is found without a class, and clipping keeps guesses in the range", () => {
  const made = drawnNetwork(3);
  const { kept } = noiseSchedule({ steps: 10 });
  const start = random(0).at("sample").at(0).at("start").normals([2, 2, 1, 1]);
  const found = (label: number): Float32Array =>
    saidOf(
      made.model,
      made.weights,
      {},
      start,
      tf.fill([2], 9),
      tf.fill([2], label, "int32"),
    ).dataSync() as Float32Array;
  const [named, free] = [found(1), found(3)];
  expect([...named]).not.toEqual([...free]);
  for (const clip of [false, true]) {
    const x = new Float32Array(4);
    sample(made, { labels: 1, count: 2, steps: 1, guidance: 3, clip }).read(Uint32Array.of(0, 1), x);
    start.dataSync().forEach((v, i) => {
      const noise = free[i]! + 3 * (named[i]! - free[i]!);
      const guess = (v - Math.sqrt(1 - kept[9]!) * noise) / Math.sqrt(kept[9]!);
      expect(x[i]! / (clip ? Math.min(1, Math.max(-1, guess)) : guess)).toBeCloseTo(1, 3);
    });
  }
  made.dispose();
});

test("a denoiser that says where examples come from is taken at its word", () => {
  const model = net()
    .flatten()
    .conditions(4, { predicts: "start", range: [-1, 1] }) as unknown as Model;
  const made = trained({ model, input: [2, 1, 1], weights: network(model, [2, 1, 1]).init(random(1), 3) });
  const x = new Float32Array(2);
  sample(made, { count: 1, steps: 1, clip: false }).read(Uint32Array.of(0), x);
  // the chain is the identity: what it says of the first noise is that noise
  expect([...x]).toEqual([...random(0).at("sample").at(0).at("start").normals([1, 2, 1, 1]).dataSync()]);
  made.dispose();
});

test("samples of some are those of many, the same for the same seed", () => {
  const made = drawnNetwork(3);
  const numbers = (labels: number[], seed: number): number[] => {
    const x = new Float32Array(2 * labels.length);
    sample(made, { labels, seed, eta: 1 }).read(Uint32Array.from(labels.keys()), x);
    return [...x];
  };
  expect(numbers([0, 1], 4)).toEqual(numbers([0, 1], 4));
  expect(numbers([0, 1], 4)).not.toEqual(numbers([0, 1], 5));
  made.dispose();
});

test("what is no denoiser, and what it is not told, is refused", () => {
  const weights = network(chain(2), [2, 1, 1]).init(random(0), 2);
  const made = trained({ model: chain(2), input: [2, 1, 1], weights });
  expect(() => sample(made, { labels: [2] })).toThrow("labels below the 2 classes");
  expect(() => sample(made, { labels: [0, 1], count: 3 })).toThrow("a label for each of 3");
  expect(() => sample(made, { steps: 11 })).toThrow("at most the schedule's 10 steps");
  const plain = net().flatten() as unknown as Model;
  const other = trained({ model: plain, input: [2, 1, 1], weights: network(plain, [2, 1, 1]).init(random(0), 2) });
  expect(() => sample(other)).toThrow("a denoiser is required, got net");
  expect(() => net().flatten().modulate().features([2, 1, 1])).toThrow("put conditions(width) before it");
  expect(() => net().conditions(3)).toThrow("an even width");
  const layer = net().conditions(4).patches(2).dense(4).unpatch(4) as unknown as Model;
  expect(() => layer.features([4, 4, 1])).toThrow("a place for each square of 4");
  disposeTree(weights as never);
  for (const each of [made, other]) each.dispose();
});

test("a denoiser that is told nothing is at time 0 without a class", () => {
  const made = drawnNetwork(3);
  const x = tf.ones([2, 2, 1, 1]);
  const silent = made.features(x);
  const toldZero = saidOf(made.model, made.weights, {}, x, tf.zeros([2]), tf.fill([2], 3, "int32"));
  expect([...silent.dataSync()]).toEqual([...toldZero.dataSync()]);
  made.dispose();
});
