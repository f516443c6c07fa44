import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { mapTensors, paths, random, type Tree, tf } from "../../lib/engine/index.ts";
import type { Adapter } from "../../lib/models/adapters/adapter.ts";
import {
  crossEntropies,
  dora,
  fourier,
  gpt,
  gptNames,
  hra,
  ia3,
  loha,
  lokr,
  merged,
  net,
  network,
  normTuning,
  oft,
  prefix,
  prompt,
  trained,
  vera,
} from "../../lib/models/index.ts";
import { type Model, tape } from "../../lib/models/model.ts";
import type { Network, Weights } from "../../lib/models/network.ts";
import { trainedGrad } from "../../lib/train/parts/trained.ts";

type Own = Record<string, { readonly value: number[]; readonly grad?: number[] }>;
interface Peer {
  readonly x: number[];
  readonly y: number[];
  readonly weights: Record<string, number[]>;
  readonly kin: Record<string, { own: Own; logits: number[]; loss: number; trained: number }>;
  readonly gpt: { tokens: number[][]; weights: Record<string, { shape: number[]; data: number[] }> };
  readonly prompt: { vectors: number[]; features: number[]; grad: number[] };
  readonly prefix: { vectors: number[]; features: number[]; grad: number[] };
}
const peer = JSON.parse(readFileSync(new URL("./peers/peft-kin.json", import.meta.url), "utf8")) as Peer;
/** To 1e-5 of what they are, or of 1. */
const close = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
  expect(a.length).toBe(b.length);
  const apart = Array.from(b, (v, i) => Math.abs(a[i]! - v) / Math.max(1, Math.abs(v)));
  expect(Math.max(...apart)).toBeLessThan(1e-5);
};
/** Weights in which the tensors at some paths have other numbers. */
const placed = (weights: Weights, at: Readonly<Record<string, readonly number[]>>): Weights => {
  const found = new Map(paths(weights as Tree).map(([path, t]) => [t, path]));
  for (const path of Object.keys(at)) expect([...found.values()]).toContain(path);
  return mapTensors(
    (t) => (at[found.get(t)!] === undefined ? t : tf.tensor([...at[found.get(t)!]!], t.shape)),
    weights,
  );
};
const countTrained = (net: Network, weights: Weights): number =>
  paths(weights.model as Tree).reduce((sum, [path, t]) => sum + (net.frozen!(`model/${path}`) ? 0 : t.size), 0);

const layers = { first: "1-dense", norm: "2-layerNorm", second: "4-dense" };
const on = [layers.first, layers.second];
const kin: Record<string, Adapter> = {
  dora: dora({ rank: 2, alpha: 4, on }),
  loha: loha({ rank: 2, alpha: 4, on }),
  lokr: lokr({ rank: 1, alpha: 4, on }),
  oft: oft({ block: 4, on }),
  hra: hra({ rank: 4, on }),
  fourier: fourier({ count: 7, scale: 150, on }),
  vera: vera({ rank: 6, on }),
  ia3: ia3({ on }),
  normTuning: normTuning(),
};

describe.each(Object.entries(kin))("%s, as that of peft", (name, adapter) => {
  const { own, logits, loss: theirLoss, trained: theirCount } = peer.kin[name]!;
  const model = (net().dense(20).layerNorm().relu().dense(8).relu() as unknown as Model).adapt(adapter);
  const small = network(model, [12]);
  const where = (key: string): string => {
    const [layer, tensor] = key.split("/") as [keyof typeof layers, string?];
    return tensor === undefined
      ? `model/adapters/${name}/${layer}`
      : `model/${layers[layer]}/adapters/${name}/${tensor}`;
  };
  const numbers = (key: string, value: number[]): number[] =>
    key.endsWith("scaleChange") ? value.map((v) => v - 1) : value;
  const weights = placed(small.init(random(0), 3), {
    "model/1-dense/kernel": peer.weights["first.weight"]!,
    "model/1-dense/bias": peer.weights["first.bias"]!,
    "model/4-dense/kernel": peer.weights["second.weight"]!,
    "model/4-dense/bias": peer.weights["second.bias"]!,
    "head/kernel": peer.weights["head.weight"]!,
    "head/bias": peer.weights["head.bias"]!,
    ...Object.fromEntries(Object.entries(own).map(([key, { value }]) => [where(key), numbers(key, value)])),
  });
  const [x, y] = [tf.tensor2d(peer.x, [5, 12]), tf.tensor1d(peer.y, "int32")];
  const through = (w: Weights): tf.Tensor => small.logits(w, small.features(w, x, tape(true, null, {}).mode));

  test("gives the same, has the same gradient, and trains as many numbers", () => {
    close(through(weights).dataSync(), logits);
    const { grads, aux } = trainedGrad(
      (w) => {
        const loss = tf.mean(crossEntropies(through(w), y)) as tf.Scalar;
        return [loss, { loss }] as const;
      },
      weights,
      small.frozen,
    );
    expect(aux.loss.dataSync()[0]).toBeCloseTo(theirLoss, 5);
    const found = new Map(paths(grads as Tree));
    for (const [key, { grad }] of Object.entries(own))
      if (grad !== undefined) close(found.get(where(key))!.dataSync(), grad);
    expect(countTrained(small, weights)).toBe(theirCount);
    const untouched = ["model/1-dense/kernel", "model/4-dense/bias", "model/2-layerNorm/scale"];
    for (const path of untouched) expect([...found.get(path)!.dataSync()].every((v) => v === 0)).toBe(true);
  });

  test("merged it gives the same", () => {
    const big = trained({ model, input: [12], weights });
    const plain = merged(big);
    expect(paths(plain.weights as Tree).some(([path]) => path.includes("adapters"))).toBe(false);
    close(plain.predict(x).dataSync(), [...big.predict(x).dataSync()]);
    for (const one of [big, plain]) one.dispose();
  });
});

describe("on a small GPT-2, as those of peft", () => {
  const tokens = tf.tensor2d(peer.gpt.tokens);
  /** Where each tensor of the file goes, columns cut as names say. */
  const base = (): Record<string, number[]> =>
    Object.fromEntries(
      gptNames(2).flatMap((name) => {
        const { from, to, cut } = name as { from: string; to: string; cut?: { part: number; of: number } };
        const given = peer.gpt.weights[from.replace("transformer.", "")];
        if (given === undefined || !to.startsWith("model/")) return [];
        const width = given.shape.at(-1)! / (cut?.of ?? 1);
        const own = given.data.filter((_, i) => Math.floor((i % given.shape.at(-1)!) / width) === (cut?.part ?? 0));
        return [[to, own] as const];
      }),
    );
  const graded = (model: Model, own: Record<string, number[]>) => {
    const small = network(model, [5]);
    const weights = placed(small.init(random(0), 2), { ...base(), ...own });
    return trainedGrad(
      (w) => {
        const features = small.features(w, tokens, tape(true, null, {}).mode);
        const ramp = tf.reshape(tf.linspace(-1, 1, features.size), features.shape);
        return [tf.sum(tf.mul(features, ramp)) as tf.Scalar, { features }] as const;
      },
      weights,
      small.frozen,
    );
  };
  const model = (): Model => gpt({ tokens: 11, width: 8, depth: 2, heads: 2, context: 16 }) as unknown as Model;

  test("shallow prompts go through all blocks", () => {
    const { vectors, features, grad } = peer.prompt;
    const found = graded(model().adapt(prompt({ length: 3, deep: false })), {
      "model/adapters/prompt/prompt": vectors,
    });
    close(found.aux.features.dataSync(), features);
    const own = new Map(paths(found.grads as Tree)).get("model/adapters/prompt/prompt")!;
    close(own.dataSync(), grad);
  });

  test("prefixes are keys and values of each block, which all places see", () => {
    const { vectors, features, grad } = peer.prefix;
    const parts = ["block1/key", "block1/value", "block2/key", "block2/value"];
    const columns = (of: number[], part: number): number[] => of.filter((_, i) => Math.floor((i % 32) / 8) === part);
    const at = (part: string): string => `model/${part}/adapters/prefix/vectors`;
    const own = Object.fromEntries(parts.map((part, i) => [at(part), columns(vectors, i)]));
    const found = graded(model().adapt(prefix({ length: 3 })), own);
    close(found.aux.features.dataSync(), features);
    const grads = new Map(paths(found.grads as Tree));
    for (const [i, part] of parts.entries()) close(grads.get(at(part))!.dataSync(), columns(grad, i));
  });
});
