import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { mlp, net, network } from "../../lib/models/index.ts";
import type { Model, Params } from "../../lib/models/model.ts";
import { tape } from "../../lib/models/model.ts";
import type { Network, Weights } from "../../lib/models/network.ts";
import { l2p } from "../../lib/strategies/index.ts";
import { blocksOf } from "../../lib/strategies/parts/blocks.ts";
import { chosen, cosines, largest } from "../../lib/strategies/parts/prompts.ts";
import { hooksOf, matrix, noisy, normal, stepOf } from "./by-hand.ts";
import { numbers, run, spec, stream } from "./support.ts";

interface Shaped {
  readonly shape: number[];
  readonly values: number[];
}
const peers = JSON.parse(readFileSync(new URL("./peers/prompts.json", import.meta.url), "utf8")) as {
  readonly query: Shaped;
  readonly l2p: {
    readonly prompt: Shaped;
    readonly key: Shaped;
    readonly chosen: number[][];
    readonly cosines: number;
    readonly prompted: Shaped;
    readonly voted: number[];
  };
  readonly dualPrompt: { readonly key: Shaped; readonly chosen: number[]; readonly cosinesOfTask1: number };
};
const tensorOf = ({ shape, values }: Shaped): tf.Tensor => tf.tensor(values, shape);
const close = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 5): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]!).toBeCloseTo(b[i]!, digits);
};

/** Sequences of three vectors of four numbers through two blocks. */
const attentive = net()
  .reshape([3, 4])
  .transformer(2, { causal: false })
  .transformer(2, { causal: false })
  .first() as unknown as Model;

function begun(added: Record<string, Params>): { net: Network; weights: Weights } {
  const own = network(attentive, [12]);
  const weights = noisy(own.init(random(1), 3), random(2));
  return { net: own, weights: { ...weights, added } };
}

/** What the blocks make of a sequence, and of the first `count` places their mean. */
function through(weights: Weights, sequence: tf.Tensor, count: number): number[] {
  const blocks = net().transformer(2, { causal: false }).transformer(2, { causal: false });
  const params = { "1-transformer": weights.model["2-transformer"]!, "2-transformer": weights.model["3-transformer"]! };
  const out = blocks.apply(params, sequence, tape(false, null, {}).mode);
  const [n, , width] = out.shape as [number, number, number];
  return [...tf.mean(tf.slice(out, [0, 0, 0], [n, count, width]), 1).dataSync()];
}

describe("L2P", () => {
  test("chooses from its pool what the authors' program chooses, with the same cosines", () => {
    const { prompt, key, chosen: wanted, cosines: total, prompted } = peers.l2p;
    const scores = cosines(tensorOf(peers.query), tensorOf(key));
    const { members, which } = largest(tensorOf(prompt), scores, 3);
    expect(tf.argMax(which, -1).arraySync()).toEqual(wanted);
    expect(tf.sum(tf.mul(tf.sum(which, 1), scores)).dataSync()[0]! / 5).toBeCloseTo(total, 5);
    const [n, places, width] = prompted.shape as [number, number, number];
    const rows = tf.reshape(tensorOf(prompted), [n, places, width]);
    close(tf.reshape(members, [-1]).dataSync(), tf.reshape(tf.slice(rows, [0, 0, 0], [n, 6, width]), [-1]).dataSync());
  });

  test("gives a batch the prompts that most of it chooses where it is told so, as the program does", () => {
    const { key, voted } = peers.l2p;
    const votes = tf.sum(chosen(cosines(tensorOf(peers.query), tensorOf(key)), 3), [0, 1]);
    expect([...(tf.topk(votes, 3).indices.dataSync() as Int32Array)].sort()).toEqual([...voted].sort());
  });

  test("puts the chosen prompts before the sequence and reads the mean of what becomes of them", () => {
    const strategy = l2p({ pool: 4, length: 2, top: 2, pull: 0.5 });
    const pool = { prompt: random(5).normals([4, 2, 4]), key: random(6).normals([4, 4]) };
    const { net: own, weights } = begun({ l2p: pool });
    const x = normal(3, 12, 7);
    const plain = attentive.apply(weights.model, tf.tensor2d(x as number[][]), tape(false, null, {}).mode);
    const unit = (row: number[]): number[] => row.map((v) => v / Math.hypot(...row));
    const keys = (pool.key.arraySync() as number[][]).map(unit);
    const cos = (plain.arraySync() as number[][]).map((q) =>
      keys.map((k) => k.reduce((s, v, i) => s + v * unit(q)[i]!, 0)),
    );
    const best = cos.map((row) => [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, 2));
    const prompts = pool.prompt.arraySync() as number[][][];
    const sequence = x.map((row, i) => [
      ...best[i]!.flatMap((k) => prompts[k]!),
      ...[0, 1, 2].map((place) => row.slice(place * 4, place * 4 + 4)),
    ]);
    const step = stepOf({ net: own, weights, x, y: [0, 1, 2], through: { strategy, state: { tensors: undefined } } });
    close(step.features.dataSync(), through(weights, tf.tensor3d(sequence), 4));
    const pulled = -0.5 * (best.reduce((sum, row, i) => sum + row.reduce((s, k) => s + cos[i]![k]!, 0), 0) / 3);
    expect(hooksOf(strategy).loss({ tensors: undefined }, step).dataSync()[0]!).toBeCloseTo(pulled, 5);
  });

  test("lets the classes of the experience compete alone, and joined rows with all", () => {
    const { net: own, weights } = begun({});
    const open = tf.tensor2d([[1, 1, 0]]);
    const step = stepOf({ net: own, weights, x: normal(2, 12, 8), y: [0, 2], current: 1 });
    const logits = matrix(step.logits);
    const entropy = (row: number[], label: number, among: number[]): number =>
      Math.log(among.reduce((s, c) => s + Math.exp(row[c]!), 0)) - row[label]!;
    const wanted = (entropy(logits[0]!, 0, [0, 1]) + entropy(logits[1]!, 2, [0, 1, 2])) / 2;
    expect(hooksOf(l2p()).taskLoss({ tensors: { open } }, step).dataSync()[0]!).toBeCloseTo(wanted, 5);
  });

  test("trains prompts, keys and head, and leaves the network as it was, bit for bit", () => {
    const strategy = l2p({ pool: 4, length: 2, top: 2 });
    const given = spec(stream(l2p as never), [strategy]);
    const { weights } = run(given);
    const before = network(given.model, [3]).init(random(0).at("init"), 6);
    const frozen = numbers(before.model);
    expect(weights.slice(0, frozen.length)).toEqual(frozen);
    expect(weights.slice(frozen.length)).not.toEqual(numbers(before.head));
  });

  test("says that it needs blocks of attention", () => {
    const given = spec(stream(l2p as never), [l2p()], { model: mlp({ hidden: [4] }) });
    expect(() => run(given)).toThrow("l2p: a model with blocks of attention is required, got mlp");
  });
});

test("blocks of attention are found where they are", () => {
  expect(blocksOf(network(attentive, [12]))).toEqual({
    paths: ["model/2-transformer", "model/3-transformer"],
    width: 4,
  });
});
