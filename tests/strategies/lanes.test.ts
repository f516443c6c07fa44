/** MULTI-LANE (P418): its pass worked in plain arithmetic, one example and one lane at a time. */
import { describe, expect, test } from "vitest";
import { decode, random, tf } from "../../lib/engine/index.ts";
import type { Params } from "../../lib/models/model.ts";
import type { Weights } from "../../lib/models/network.ts";
import { multiLane } from "../../lib/strategies/index.ts";
import { open } from "../../lib/train/session.ts";

import { begun, blockPaths } from "./attentive.ts";
import { close, contextOf, dot, hooksOf, matrix, normal, type Rows, softmax, stepOf, times, unit } from "./by-hand.ts";
import { numbers, spec, stream } from "./support.ts";

const lane = (seed: number) => ({
  selectors: random(seed).normals([2, 4]),
  prompts: { 0: random(seed + 1).normals([2, 1, 4]) },
});

/** A block's parts as functions of rows. */
function parts(params: Params) {
  const at = (name: string): Record<string, number[][]> =>
    Object.fromEntries(Object.entries(params[name] as Params).map(([key, t]) => [key, matrix(t as tf.Tensor)]));
  const dense = (name: string) => (rows: Rows) => {
    const { kernel, bias } = at(name);
    return times(rows, kernel!).map((row) => row.map((v, j) => v + bias![0]![j]!));
  };
  const norm = (name: string) => (rows: Rows) => {
    const { scale, shift } = at(name);
    return rows.map((row) => {
      const mean = row.reduce((s, v) => s + v, 0) / row.length;
      const variance = row.reduce((s, v) => s + (v - mean) ** 2, 0) / row.length;
      return row.map((v, j) => ((v - mean) / Math.sqrt(variance + 1e-5)) * scale![0]![j]! + shift![0]![j]!);
    });
  };
  const gelu = (v: number): number => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const plus = (a: Rows, b: Rows) => a.map((row, i) => row.map((v, j) => v + b[i]![j]!));
  /** What attention gives for rows that are normed already, with keys and values before its own. */
  const attention = (rows: Rows, keys: Rows = [], values: Rows = []) => {
    const [q, k, v] = ["query", "key", "value"].map((name) => dense(name)(rows));
    const [allKeys, allValues] = [
      [...keys, ...k!],
      [...values, ...v!],
    ];
    const heads = [0, 2].map((from) => {
      const cut = (row: readonly number[]) => row.slice(from, from + 2);
      return q!.map((row) => {
        const share = softmax(allKeys.map((key) => dot(cut(row), cut(key)) / Math.sqrt(2)));
        return [0, 1].map((j) => share.reduce((s, w, i) => s + w * allValues[i]![from + j]!, 0));
      });
    });
    return dense("out")(heads[0]!.map((row, i) => [...row, ...heads[1]![i]!]));
  };
  const feed = (rows: Rows) =>
    plus(rows, dense("down")(dense("up")(norm("between")(rows)).map((row) => row.map(gelu))));
  return { norm: norm("before"), attention, feed, plus };
}

/** The first vector of a lane after two blocks, of one example. */
function through(weights: Weights, example: readonly number[], own: ReturnType<typeof lane>): number[] {
  let patches: number[][] = [0, 4, 8].map((from) => example.slice(from, from + 4));
  let first: number[] = patches[0]!;
  let selectors: number[][] = matrix(own.selectors);
  for (const [index, path] of blockPaths.entries()) {
    const { norm, attention, feed, plus } = parts(weights.model[path.slice("model/".length)] as Params);
    const [seen, normed] = [norm(patches), norm(selectors)];
    const sums = normed.map((s) => {
      const share = softmax(seen.map((patch) => dot(s, patch) / 2));
      return s.map((_, j) => share.reduce((sum, w, i) => sum + w * seen[i]![j]!, 0));
    });
    const [keys, values] = index > 0 ? [[], []] : (own.prompts[0].arraySync() as number[][][]);
    const out = attention([...norm([first]), ...sums], keys, values)[0]!;
    [first, ...selectors] = feed(plus([first, ...selectors], [out, ...normed])) as [number[], ...number[][]];
    patches = feed(plus(patches, attention(seen)));
  }
  return first;
}

describe("MULTI-LANE (P418)", () => {
  const strategy = multiLane({ selectors: 2, length: 1, layers: 1 });
  const [own, past] = [lane(3), lane(7)];
  const { net, weights } = begun({ multiLane: own });
  const x = normal(3, 12, 11);
  const state = {
    classes: [[0], [1, 2]],
    tensors: {
      open: tf.tensor2d([[0, 1, 1]]),
      past: [past],
      owner: tf.tensor2d([
        [1, 0, 0],
        [0, 1, 1],
      ]),
      shut: tf.zeros([1, 3]),
    },
  };
  const logits = (row: readonly number[]): number[] => {
    const [kernel, bias] = [matrix(weights.head.kernel as tf.Tensor), matrix(weights.head.bias as tf.Tensor)[0]!];
    return times([unit(row)], kernel)[0]!.map((v, j) => v + bias[j]!);
  };

  test("in training an example goes through the lane of its experience, which sums up the patches anew in each block", () => {
    const step = stepOf({ net, weights, x, through: { strategy, state } });
    for (const [i, row] of x.entries()) {
      const wanted = through(weights, row, own);
      close(matrix(step.features)[i]!, unit(wanted));
      close(matrix(step.logits)[i]!, logits(wanted));
    }
  });

  test("in evaluation every lane decides its own classes", () => {
    const step = stepOf({ net, weights, x, through: { strategy, state } });
    const found = matrix(step.forward(step.x, { frozen: {} }).logits);
    for (const [i, row] of x.entries()) {
      const [before, now] = [past, own].map((of) => logits(through(weights, row, of)));
      close(found[i]!, [before![0]!, now![1]!, now![2]!]);
    }
  });

  test("asks for several labels among the classes of the experience alone", () => {
    const targets = [
      [1, 0, 1],
      [0, 1, 0],
      [1, 1, 1],
    ];
    const plain = stepOf({ net, weights, x, through: { strategy, state } });
    const step = { ...plain, target: "labels" as const, targets: tf.tensor2d(targets) };
    const seen: { mask?: tf.Tensor | null }[] = [];
    const targetLoss = (of: object): tf.Scalar => {
      seen.push(of);
      return tf.scalar(1);
    };
    const told = { ...step, targetLoss } as unknown as typeof step;
    hooksOf(strategy).taskLoss(state, told);
    expect(matrix(seen[0]!.mask!)).toEqual([
      [0, 1, 1],
      [0, 1, 1],
      [0, 1, 1],
    ]);
  });

  test("a class that comes again is decided by its last lane, and one that never came is out of the question", () => {
    const context = contextOf(net, weights, { experience: 1 });
    const next = hooksOf(strategy).beforeExperience(
      { classes: [[0, 1]], tensors: { past: [] } },
      { index: 1, classes: [1] } as never,
      { ...context, stream: { ...context.stream, target: "class" } as never },
    );
    expect(matrix(next.tensors.owner)).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(matrix(next.tensors.shut)[0]!.map((v) => v < -1e8)).toEqual([false, false, true]);
  });

  test("a lane begins as a copy of the last, which is trained no more", () => {
    const session = open(spec(stream(multiLane as never), [strategy]), 0, "test");
    const seen: { own: number[]; past: number[][] }[] = [];
    while (session.advance()) {
      const { phase, local } = session.cursor;
      if (phase !== "train" || local !== 0) continue;
      const { states } = decode(session.save()) as unknown as {
        states: { multiLane: { tensors: { past: unknown[] } } };
      };
      const past = states.multiLane.tensors.past.map(numbers);
      seen.push({ own: numbers(session.learner.weights.added!.multiLane), past });
    }
    session.dispose();
    expect(seen.map(({ past }) => past.length)).toEqual([0, 1, 2]);
    for (const { own, past } of seen.slice(1)) expect(past.at(-1)).toEqual(own);
    expect(seen[2]!.past[0]).toEqual(seen[1]!.past[0]);
    expect(seen[2]!.own).not.toEqual(seen[1]!.own);
  });
});
