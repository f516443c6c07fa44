import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { net } from "../../lib/models/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { mambaFscil } from "../../lib/strategies/index.ts";
import { projected, projectorParams } from "../../lib/strategies/parts/selective-projector.ts";
import { training } from "../../lib/train/index.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  dot,
  hooksOf,
  length,
  lossOf,
  matrix,
  mean,
  meanRow,
  normal,
  type Rows,
  small,
  stepOf,
  times,
  unit,
} from "./by-hand.ts";
import { numbers, spec, stream } from "./support.ts";

const silu = (v: number): number => v / (1 + Math.exp(-v));
const plain = (tree: object): Record<string, never> =>
  Object.fromEntries(
    Object.entries(tree).map(([name, child]) => [name, child instanceof tf.Tensor ? child.arraySync() : plain(child)]),
  ) as never;

describe("the selective projector of Mamba-FSCIL, P167", () => {
  const [height, width, channels, state] = [2, 3, 4, 2];
  const params = projectorParams([height, width, channels], state, false, random(5));
  type Numbers = {
    first: { kernel: Rows; bias: number[] };
    scale: number[];
    shift: number[];
    second: Rows;
    place: number[][][];
    in: Rows;
    gate: Rows;
    conv: { kernel: Rows; bias: number[] };
    select: Rows;
    step: { kernel: Rows; bias: number[] };
    logA: Rows;
    skip: number[];
  };
  const own = plain(params) as unknown as Numbers;

  /** One map, place by place and step by step. */
  function byHand(map: Rows): { out: number[]; gate: Rows; low: Rows } {
    const hidden = times(map, own.first.kernel).map((row) => row.map((v, j) => v + own.first.bias[j]!));
    const all = hidden.flat();
    const centre = mean(all);
    const spread = Math.sqrt(mean(all.map((v) => (v - centre) ** 2)) + 1e-5);
    const bent = hidden.map((row) => row.map((v) => ((v - centre) / spread) * ((v - centre) / spread > 0 ? 1 : 0.1)));
    const x = times(bent, own.second).map((row, p) =>
      row.map((v, j) => v + own.place[Math.floor(p / width)]![p % width]![j]!),
    );
    const scan = (rows: Rows): { y: number[][]; low: number[][]; gate: number[][] } => {
      const given = times(rows, own.in);
      const gate = times(rows, own.gate);
      const u = given.map((row, p) =>
        row.map((_, c) => {
          let sum = own.conv.bias[c]!;
          for (let back = 0; back < 4 && back <= p; back++)
            sum += own.conv.kernel[3 - back]![c]! * given[p - back]![c]!;
          return silu(sum);
        }),
      );
      const chosen = times(u, own.select);
      const held = Array.from({ length: channels }, () => new Array<number>(state).fill(0));
      const y = u.map((row, p) => {
        const [low, into, out] = [0, 1, 2].map((k) => chosen[p]!.slice(k * state, (k + 1) * state));
        const rate = times([low!], own.step.kernel)[0]!.map((v, c) => Math.log(1 + Math.exp(v + own.step.bias[c]!)));
        return row.map((v, c) => {
          for (let s = 0; s < state; s++)
            held[c]![s] = Math.exp(-rate[c]! * Math.exp(own.logA[c]![s]!)) * held[c]![s]! + rate[c]! * into![s]! * v;
          return (dot(held[c]!, out!) + own.skip[c]! * v) * silu(gate[p]![c]!);
        });
      });
      return { y, low: chosen.map((row) => row.slice(0, state)), gate };
    };
    const order = Array.from({ length: height * width }, (_, p) => p);
    const downwards = order.map((p) => (p % height) * width + Math.floor(p / height));
    const orders = [order, order.toReversed(), downwards, downwards.toReversed()];
    const sums = x.map((row) => row.map(() => 0));
    for (const at of orders)
      scan(at.map((p) => x[p]!)).y.forEach((row, k) => {
        row.forEach((v, c) => {
          sums[at[k]!]![c]! += v;
        });
      });
    const { low, gate } = scan(x);
    return { out: meanRow(sums), gate, low };
  }

  test("scans a map along and down, each way and back, as plain arithmetic does", () => {
    const maps = [normal(6, 4, 1), normal(6, 4, 2)];
    const found = projected(tf.tensor2d(maps.map((map) => map.flat())), params);
    const wanted = maps.map(byHand);
    close(
      matrix(found.out).flat(),
      wanted.flatMap(({ out }) => out),
    );
    close(
      matrix(found.gate).flat(),
      wanted.flatMap(({ gate }) => gate.flat()),
    );
    close(
      matrix(found.chosen[0]).flat(),
      wanted.flatMap(({ low }) => low.flat()),
    );
  });

  test("a branch whose gate begins shut gives nothing", () => {
    const shut = projectorParams([height, width, channels], state, true, random(6));
    expect(numbers(projected(tf.tensor2d([normal(6, 4, 1).flat()]), shut).out)).toEqual([0, 0, 0, 0]);
  });
});

describe("Mamba-FSCIL, P167", () => {
  const vertices = [
    [1, 0, 0],
    [0, 0.6, 0.8],
    [0, -1, 0],
  ];
  const { net: small3, weights } = small([4, 3], 3, 3);
  const step = (aside: Record<string, tf.Tensor>, y: number[], extra = {}) => ({
    ...stepOf({ net: small3, weights, x: normal(y.length, 3, 1), y, extra }),
    aside,
  });
  const row = (marks: number[]) => tf.tensor2d([marks]);
  const outs = normal(4, 3, 9);
  const cosine = (a: readonly number[], b: readonly number[]) => dot(unit(a), unit(b));

  test("the first experience draws outputs to the vertices of their classes", () => {
    const state = { tensors: { vertices: tf.tensor2d(vertices), met: row([1, 1, 0]), base: row([1, 1, 0]) } };
    const y = [0, 1, 1, 0];
    const found = lossOf(mambaFscil(), state, step({ out: tf.tensor2d(outs) }, y));
    expect(found).toBeCloseTo(mean(outs.map((out, i) => 0.5 * (1 - cosine(out, vertices[y[i]!]!)) ** 2)), 5);
  });

  test("later classes of a batch count alike, and terms shut the gate on first classes and part the scans", () => {
    const strategy = mambaFscil({ suppress: 2, suppressNovel: 0.5, separate: 3, mixup: 0 });
    const [met, base] = [row([1, 1, 1]), row([1, 1, 0])];
    const state = { tensors: { vertices: tf.tensor2d(vertices), met, base, later: tf.scalar(1) } };
    const gates = normal(4, 3, 3);
    const chosen = [4, 5, 6].map((seed) => normal(4, 2, seed));
    const [low, into, leaves] = chosen.map((rows) => tf.tensor3d(rows.map((r) => [r])));
    const aside = {
      out: tf.tensor2d(outs),
      gate: tf.tensor3d(gates.map((r) => [r])),
      step: low!,
      into: into!,
      leaves: leaves!,
    };
    // three rows of the stream, all of the third class, and the mean map of the first behind them
    const labels = [2, 2, 2, 0];
    const size = [2, 2, 2, 0].map((c) => Math.sqrt(4 / 2 / (c === 2 ? 3 : 1)));
    const errors = outs.map((out, i) => 0.5 * (size[i]! * (1 - cosine(out, vertices[labels[i]!]!))) ** 2);
    const root = (rows: Rows) => length(rows.flat().map((v) => 4 * v)) / Math.sqrt(rows.flat().length);
    const apart = chosen.map((rows) => Math.abs(cosine(rows[3]!, meanRow(rows.slice(0, 3)))) / 2);
    const terms = 2 * root(gates.slice(3)) - 0.5 * root(gates.slice(0, 3)) + 3 * apart.reduce((a, b) => a + b, 0);
    const made = step(aside, [2, 2, 2], { labels: tf.tensor1d([0], "int32") });
    expect(lossOf(strategy, state, made)).toBeCloseTo(mean(errors) + terms, 4);
  });

  test("in a run only the second branch moves from the second experience on, and begins as if it were not there", () => {
    const given = spec(stream({ needs: ["boundary", "labels"] } as never), [mambaFscil({ state: 2 })], {
      model: net().dense(12).relu().reshape([2, 1, 6]).conv(6, 1).relu().globalPool() as never,
      optimizer: sgd({ lr: 0.1 }),
      training: training({ batch: 6, epochs: 1 }),
    });
    const session = open(given, 1, "test");
    const until = (experience: number): void => {
      while (session.cursor.experience < experience && session.advance()) session.queue.length = 0;
    };
    until(1);
    const parts = () => {
      const { model, head, added } = session.learner.weights;
      const { base, later } = added!.mambaFscil as unknown as { base: object; later: object };
      return { still: numbers([model, head, base]), later: numbers(later) };
    };
    const before = parts();
    const hooks = hooksOf(given.strategies[0]!);
    expect(hooks.rowwise).toBe(true);
    until(2);
    const after = parts();
    expect(after.still).toEqual(before.still);
    expect(after.later).not.toEqual(before.later);
    session.dispose();
  });
});
