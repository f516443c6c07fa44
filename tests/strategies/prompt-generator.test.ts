/** APG (P267): its generator in plain arithmetic, its pool, and what of it stays. */
import { describe, expect, test } from "vitest";
import { decode, random, tf } from "../../lib/engine/index.ts";
import { tape } from "../../lib/models/model.ts";
import { apg } from "../../lib/strategies/index.ts";
import { blocksOf } from "../../lib/strategies/parts/blocks.ts";
import {
  asParams,
  drawGenerator,
  generated,
  type PromptGenerator,
} from "../../lib/strategies/parts/prompt-generator.ts";
import { open } from "../../lib/train/session.ts";
import { begun, block, blockPaths, sequences } from "./attentive.ts";
import { close, dot, entropy, hooksOf, matrix, mean, normal, type Rows, softmax, stepOf, times } from "./by-hand.ts";
import { numbers, run, spec, stream } from "./support.ts";

/** A generator of two prompts for the small network, with biases. */
function generator(seed: number): PromptGenerator {
  const plain = drawGenerator(begun().net, random(seed), 3, 2);
  let next = 0;
  const visit = (node: object): object =>
    Object.fromEntries(
      Object.entries(node).map(([name, child]) => [
        name,
        child instanceof tf.Tensor
          ? random(seed).at("other", next++).normals(child.shape, 0, 0.7)
          : visit(child as object),
      ]),
    );
  return visit(plain) as PromptGenerator;
}

/** Its series, and 1 where that is all of it. */
const erf = (x: number): number => {
  if (Math.abs(x) > 4) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let k = 1; k < 90; k++) {
    term *= -(x * x) / k;
    sum += term / (2 * k + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
};
const dense = (rows: Rows, { kernel, bias }: { kernel: tf.Tensor; bias: tf.Tensor }) =>
  times(rows, matrix(kernel)).map((row) => row.map((v, j) => v + bias.dataSync()[j]!));
const both = (rows: Rows, { first, second }: PromptGenerator["into"]) =>
  dense(
    dense(rows, first).map((row) => row.map((v) => (v / 2) * (1 + erf(v / Math.SQRT2)))),
    second,
  );

/** Prompts of one vector, two heads of two numbers for each, and the scores of the classes, head by head. */
function byHand(own: PromptGenerator, low: number[], seen: number[]) {
  const q0 = both([low], own.into)[0]!;
  const m = mean(q0);
  const deviation = Math.sqrt(mean(q0.map((v) => (v - m) ** 2)) + 1e-5);
  const [scale, shift] = [own.norm.scale.dataSync(), own.norm.shift.dataSync()];
  const q = q0.map((v, j) => ((v - m) / deviation) * scale[j]! + shift[j]!);
  const rows = [q, ...matrix(own.tokens)];
  const [asked, keys, values] = [dense([q], own.query)[0]!, dense(rows, own.key), dense(rows, own.value)];
  const [prompts, scores]: number[][][] = [[], []];
  for (const prompt of [0, 1]) {
    const saw: number[] = [];
    for (const head of [0, 1]) {
      const from = 4 * prompt + 2 * head;
      const cut = (row: readonly number[]) => row.slice(from, from + 2);
      const each = keys.map((key) => dot(cut(asked), cut(key)) / Math.SQRT2);
      const among = rows.map((_, i) => i).filter((i) => i === 0 || seen[i - 1] === 1);
      const share = softmax(among.map((i) => each[i]!));
      for (const j of [0, 1]) saw.push(share.reduce((s, w, at) => s + w * values[among[at]!]![from + j]!, 0));
      scores!.push(each.slice(1));
    }
    prompts!.push(both(dense([saw], own.out), own.from)[0]!);
  }
  return { prompts: prompts!, scores: scores! };
}

describe("APG (P267)", () => {
  const own = generator(3);
  const { net, weights } = begun({ apg: asParams(own) });
  const strategy = apg({ prompts: 2, heads: 2, guide: 0.5, keep: 2, recall: 3 });
  const x = normal(3, 12, 5);
  const state = { pool: new Map(), tensors: { seen: tf.tensor2d([[1, 1, 0]]), now: tf.tensor2d([[0], [1], [0]]) } };
  const step = stepOf({ net, weights, x, y: [0, 1, 1], through: { strategy, state } });
  /** What comes half way: the first block by its formula. */
  const low = block(
    weights.model[blockPaths[0]!.slice("model/".length)] as never,
    sequences(x),
  ).arraySync() as number[][][];

  test("a vector asks itself and those of the classes so far, and what it sees becomes its prompts", () => {
    const rows = normal(2, 4, 6);
    const found = generated(own, tf.tensor2d(rows), 2, tf.tensor2d([[1, 0, 1]]));
    for (const [i, row] of rows.entries()) {
      const wanted = byHand(own, row, [1, 0, 1]);
      close([...found.prompts.dataSync()].slice(8 * i, 8 * i + 8), wanted.prompts.flat(), 3);
      const scores = matrix(found.scores).slice(4 * i, 4 * i + 4);
      for (const [k, score] of scores.entries()) {
        close([score[0]!, score[2]!], [wanted.scores[k]![0]!, wanted.scores[k]![2]!], 3);
        expect(score[1]).toBeLessThan(-1e8);
      }
    }
  });

  test("prompts go behind the first place, through the deep blocks alone", () => {
    const longer = low.map((rows) => [rows[0]!, ...byHand(own, rows[0]!, [1, 1, 0]).prompts, ...rows.slice(1)]);
    const deep = block(weights.model[blockPaths[1]!.slice("model/".length)] as never, tf.tensor3d(longer));
    const wanted = (deep.arraySync() as number[][][]).map((rows) => rows[0]!);
    for (const [i, row] of matrix(step.features).entries()) close(row, wanted[i]!, 3);
  });

  test("is guided to the vector of the class, and asked of the pool for prompts as they were and for its classes", () => {
    const guided = [0, 1, 1].map((label, i) =>
      mean(byHand(own, low[i]![0]!, [1, 1, 0]).scores.map((score) => entropy(score, label, [0, 1]))),
    );
    expect(hooksOf(strategy).loss(state, step).dataSync()[0]!).toBeCloseTo(0.5 * mean(guided), 3);
    const [pooled, feature, prompt] = [normal(2, 4, 8), normal(2, 4, 9), normal(2, 8, 10)];
    const extra = {
      low: tf.tensor2d(pooled),
      feature: tf.tensor2d(feature),
      prompt: tf.tensor2d(prompt),
      label: tf.tensor1d([1, 0], "int32"),
    };
    const apart = pooled.flatMap((row, i) =>
      byHand(own, row, [1, 1, 0])
        .prompts.flat()
        .map((v, j) => Math.abs(v - prompt[i]![j]!)),
    );
    const bias = matrix(weights.head.bias as tf.Tensor)[0]!;
    const logits = times(feature, matrix(weights.head.kernel as tf.Tensor)).map((r) => r.map((v, j) => v + bias[j]!));
    const recalled = mean([entropy(logits[0]!, 1, [0, 1]), entropy(logits[1]!, 0, [0, 1])]);
    const wanted = 0.5 * mean(guided) + 2 * mean(apart) + 3 * recalled;
    expect(
      hooksOf(strategy)
        .loss(state, { ...step, extra })
        .dataSync()[0]!,
    ).toBeCloseTo(wanted, 3);
  });

  test("the pool has a class's mean half way, and vectors of past classes and the network stay", () => {
    const given = spec(stream(apg as never), [apg({ heads: 2, draw: 3, rounds: 2, perClass: 4 })]);
    const session = open(given, 0, "test");
    const frozen = numbers(session.learner.weights.model);
    const seen: { tokens: number[][]; pool: Map<number, { low: { mean: Float64Array } }> }[] = [];
    while (session.advance()) {
      const { phase, local } = session.cursor;
      if (phase !== "train" || local !== 0) continue;
      const { states } = decode(session.save()) as unknown as { states: { apg: { pool: never } } };
      seen.push({
        tokens: matrix((session.learner.weights.added!.apg as never as PromptGenerator).tokens),
        pool: states.apg.pool,
      });
    }
    expect(numbers(session.learner.weights.model)).toEqual(frozen);
    const [, second, third] = seen;
    expect(third!.tokens.slice(0, 2)).toEqual(second!.tokens.slice(0, 2));
    expect(third!.tokens.slice(2, 4)).not.toEqual(second!.tokens.slice(2, 4));
    expect(third!.tokens.slice(4)).toEqual(second!.tokens.slice(4));
    expect([...third!.pool.keys()].sort()).toEqual([0, 1, 2, 3]);
    const { train } = given.stream.experience(0);
    const network = session.learner.weights;
    const rows = [...train.labels.keys()].filter((i) => train.labels[i] === 1);
    const raw = new Float32Array(rows.length * 3);
    train.read(Uint32Array.from(rows), raw);
    const inner = blocksOf({ model: given.model, input: [3] }).paths[1]!;
    let half: number[][] = [];
    const { mode } = tape(
      false,
      null,
      {},
      {
        around(path, input, go) {
          if (path.join("/") === inner) half = matrix(tf.squeeze(tf.slice(input, [0, 0, 0], [rows.length, 1, 4]), [1]));
          return go(input);
        },
      },
    );
    given.model.apply(network.model, tf.mul(tf.tensor2d(raw, [rows.length, 3]), train.scale), mode);
    close(
      [...third!.pool.get(1)!.low.mean],
      half[0]!.map((_, j) => mean(half.map((row) => row[j]!))),
      4,
    );
    session.dispose();
  });

  test("says what it needs of heads and of blocks", () => {
    const of = (options: object) => () => run(spec(stream(apg as never), [apg(options)]));
    expect(of({ heads: 3 })).toThrow("apg: heads that divide the width 4 are required, got 3");
    expect(of({ shallow: 1 })).toThrow("apg: a deep block is required, got 2 shallow ones of 2");
  });
});
