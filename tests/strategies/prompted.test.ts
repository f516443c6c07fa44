import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { mlp, net, network } from "../../lib/models/index.ts";
import { tape } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { codaPrompt, dualPrompt, l2p } from "../../lib/strategies/index.ts";
import { blocksOf } from "../../lib/strategies/parts/blocks.ts";
import { chosen, cosines, largest } from "../../lib/strategies/parts/prompts.ts";
import { open } from "../../lib/train/session.ts";
import { attentive, begun, featuresWith, sequences } from "./attentive.ts";
import { contextOf, hooksOf, matrix, normal, stepOf } from "./by-hand.ts";
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

/** Rows with the prefix that each has chosen. */
const unit = (row: number[]): number[] => row.map((v) => v / (Math.hypot(...row) || 1));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);

describe("DualPrompt", () => {
  const prompts = {
    general: random(11).normals([1, 2, 2, 4]),
    expert: random(12).normals([3, 1, 2, 1, 4]),
    key: random(13).normals([3, 4]),
  };
  const strategy = dualPrompt({ general: [0], generalLength: 2, expert: [1], expertLength: 1, pull: 0.5 });
  const { net: own, weights } = begun({ dualPrompt: prompts });
  const x = normal(4, 12, 14);
  const queries = featuresWith(weights, sequences(x)).arraySync() as number[][];
  const keys = prompts.key.arraySync() as number[][];
  const cosine = (row: number, task: number): number => dot(unit(queries[row]!), unit(keys[task]!));
  const wanted = (tasks: readonly number[]): ArrayLike<number> => {
    const general = prompts.general.arraySync() as number[][][][];
    const expert = prompts.expert.arraySync() as number[][][][][];
    const rows = (of: (row: number) => number[][]): tf.Tensor => tf.tensor3d(tasks.map((_, row) => of(row)));
    const into = [
      { key: rows(() => general[0]![0]!), value: rows(() => general[0]![1]!) },
      { key: rows((i) => expert[tasks[i]!]![0]![0]!), value: rows((i) => expert[tasks[i]!]![0]![1]!) },
    ];
    return featuresWith(weights, sequences(x), into).dataSync();
  };
  const state = (now: number, last: number) => ({
    tensors: {
      open: tf.ones([1, 3]),
      now: tf.tensor1d([0, 1, 2].map((t) => +(t === now))),
      seen: tf.tensor1d([0, 1, 2].map((t) => +(t <= last))),
    },
  });

  test("chooses by its keys what the authors' program chooses, and is pulled as much to the key of a task", () => {
    const { key, chosen: theirs, cosinesOfTask1 } = peers.dualPrompt;
    const scores = cosines(tensorOf(peers.query), tensorOf(key));
    expect(tf.argMax(tf.reshape(chosen(scores, 1), [5, 3]), -1).arraySync()).toEqual(theirs);
    expect(tf.mean(tf.gather(scores, [1], 1)).dataSync()[0]!).toBeCloseTo(cosinesOfTask1, 5);
  });

  test("in training has the prefix of its experience, beside the shared one", () => {
    const through = { strategy, state: state(1, 1) };
    const step = stepOf({ net: own, weights, x, through });
    close(step.features.dataSync(), wanted([1, 1, 1, 1]), 4);
    const pulled = -0.5 * ([0, 1, 2, 3].reduce((sum, row) => sum + cosine(row, 1), 0) / 4);
    expect(hooksOf(strategy).loss(through.state, step).dataSync()[0]!).toBeCloseTo(pulled, 5);
  });

  test("in evaluation has the prefix with the nearest key among those of experiences so far", () => {
    for (const last of [0, 1, 2]) {
      const best = x.map((_, row) => [...Array(last + 1).keys()].sort((a, b) => cosine(row, b) - cosine(row, a))[0]!);
      const step = stepOf({ net: own, weights, x, through: { strategy, state: state(last, last) } });
      close(step.forward(step.x, { frozen: {} }).features.dataSync(), wanted(best), 4);
    }
  });

  test("begins a prefix as a copy of the last one, and moves only that of the experience", () => {
    const seen: number[][][] = [];
    const given = spec(stream(dualPrompt as never), [dualPrompt({ general: [0], expert: [1], expertLength: 1 })]);
    const session = open(given, 0, "test");
    while (session.advance()) {
      const { phase, local } = session.cursor;
      if (phase === "train" && local === 0) {
        const { expert } = session.learner.weights.added!.dualPrompt as { expert: tf.Tensor };
        seen.push(tf.tidy(() => tf.reshape(expert, [3, -1]).arraySync()) as number[][]);
      }
    }
    session.dispose();
    expect(seen).toHaveLength(3);
    expect(seen[1]![1]).toEqual(seen[1]![0]);
    expect(seen[1]![0]).not.toEqual(seen[0]![0]);
    expect(seen[1]![2]).toEqual(seen[0]![2]);
    expect(seen[2]![2]).toEqual(seen[2]![1]);
    expect(seen[2]![0]).toEqual(seen[1]![0]);
  });
});

describe("CODA-Prompt", () => {
  const part = (seed: number, rows: number) => ({
    prompt: random(seed).normals([rows, 8]),
    key: random(seed + 1).normals([rows, 4]),
    attention: random(seed + 2).normals([rows, 4]),
  });

  test("weighs components by the cosines of attended features and keys, old and new together", () => {
    const strategy = codaPrompt({ components: 2, length: 2, layers: 1, ortho: 0.1 });
    const [fresh, past] = [part(21, 2), part(31, 1)];
    const { net: own, weights } = begun({ codaPrompt: { 0: fresh } });
    const x = normal(3, 12, 15);
    const queries = featuresWith(weights, sequences(x)).arraySync() as number[][];
    const all = (name: "prompt" | "key" | "attention"): number[][] => [
      ...(past[name].arraySync() as number[][]),
      ...(fresh[name].arraySync() as number[][]),
    ];
    const [p, k, a] = [all("prompt"), all("key"), all("attention")];
    const rows = queries.map((q) => {
      const weight = k.map((key, m) => dot(unit(q.map((v, j) => v * a[m]![j]!)), unit(key)));
      return p[0]!.map((_, j) => p.reduce((s, row, m) => s + weight[m]! * row[j]!, 0));
    });
    const half = (from: number): tf.Tensor => tf.tensor3d(rows.map((row) => [row.slice(from, from + 4)]));
    const state = { tensors: { past: { 0: past } } };
    const step = stepOf({ net: own, weights, x, through: { strategy, state } });
    close(
      step.features.dataSync(),
      featuresWith(weights, sequences(x), [{ key: half(0), value: half(4) }]).dataSync(),
      4,
    );
    const apart = (of: number[][]): number =>
      of.flatMap((r, i) => of.map((s, j) => (dot(r, s) - +(i === j)) ** 2)).reduce((s, v) => s + v, 0) / of.length ** 2;
    const term = 0.1 * (apart(p) + apart(k) + apart(a));
    expect(hooksOf(strategy).loss(state, step).dataSync()[0]! / term).toBeCloseTo(1, 4);
  });

  test("begins components of length 1 that are orthogonal to each other and to those before", () => {
    const strategy = codaPrompt({ components: 2, length: 2, layers: 2 });
    const { net: own, weights } = begun();
    const first = hooksOf(strategy).parameters(contextOf(own, weights));
    const context = contextOf(own, { ...weights, added: { codaPrompt: first as never } }, { rng: random(9) });
    const second = hooksOf(strategy).beforeExperience({ tensors: {} }, { index: 1, classes: [1] } as never, context);
    for (const layer of ["0", "1"])
      for (const name of ["prompt", "key", "attention"]) {
        const of = (tree: object): number[][] =>
          ((tree as Record<string, Record<string, tf.Tensor>>)[layer]![name] as tf.Tensor).arraySync() as number[][];
        const rows = [...of(second.tensors.past), ...of(second.weights.added.codaPrompt)];
        expect(rows).toHaveLength(4);
        for (const [i, a] of rows.entries())
          for (const [j, b] of rows.entries()) expect(dot(a, b)).toBeCloseTo(+(i === j), 4);
      }
  });
});

test("blocks of attention are found where they are", () => {
  expect(blocksOf(network(attentive, [12]))).toEqual({
    paths: ["model/2-transformer", "model/3-transformer"],
    width: 4,
    places: 3,
  });
});
