import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { adam, sgd } from "../../lib/optim/index.ts";
import {
  cumulative,
  fromScratch,
  hat,
  joint,
  packnet,
  pnn,
  separateNetworks,
  wsn,
} from "../../lib/strategies/index.ts";
import { layerAt } from "../../lib/strategies/parts/layers.ts";
import type { Context } from "../../lib/strategies/strategy.ts";
import {
  batchOf,
  close,
  contextOf,
  type Dense,
  examplesOf,
  hooksOf,
  layersOf,
  matrix,
  noisy,
  normal,
  perceptron,
  small,
  stepOf,
} from "./by-hand.ts";
import { numbers, run, spec, stream } from "./support.ts";

const told = stream({ needs: ["task"] } as never, 20);
const { net, weights: plain } = small([4, 3], 2, 6);
const x = normal(5, 2, 1);
const hidden = ["model/2-dense", "model/4-dense"];
const streamOf = { head: "multi", tasks: 3, length: 3, facts: ["task"], shape: [2] } as never;
const mask = (tasks: Int32Array) => ({
  data: rowsOf(tasks),
  shape: [tasks.length, 6],
});
const rowsOf = (tasks: Int32Array): Float32Array =>
  Float32Array.from([...tasks].flatMap((t) => [0, 1, 2, 3, 4, 5].map((c) => +(Math.floor(c / 2) === t))));
const context = (weights: Weights, more: Partial<Context> = {}): Context =>
  contextOf(net, weights, { stream: streamOf, mask, ...more });

describe.each([
  ["descent with momentum", sgd({ lr: 0.05, momentum: 0.9 })],
  ["adam", adam({ lr: 0.01 })],
])("under %s", (_, optimizer) => {
  test.each([
    ["packnet", packnet()],
    ["wsn", wsn()],
    ["pnn", pnn()],
    ["hat", hat()],
    ["separateNetworks", separateNetworks()],
  ] as const)("what %s says of the first task stays as it was", (_, strategy) => {
    const losses = run(spec(told, [strategy], { optimizer })).events.flatMap((e) =>
      e.type === "evaluated" && e.on === 0 && e.at === "experience" ? [e.loss] : [],
    );
    expect(losses.length).toBe(3);
    for (const loss of losses) expect(loss).toBeCloseTo(losses[0]!, 6);
  });
});

describe("hard attention", () => {
  const sharpest = 50;
  const strategy = hat({ c: 0.7, sharpest });
  const hooks = hooksOf(strategy);
  const added = hooks.parameters(context(plain)) as Record<string, tf.Tensor>;
  const weights = { ...plain, added: { hat: added } } as unknown as Weights;
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  const embedding = (path: string, task: number): number[] => (added[path]!.arraySync() as number[][])[task]!;
  const past = {
    "model/2-dense": tf.tensor1d([1, 0, 0.25, 0.5]),
    "model/4-dense": tf.tensor1d([0, 1, 0.5]),
  };
  const state = {
    tensors: { past, task: tf.scalar(1, "int32"), open: tf.tensor2d([[0, 0, 1, 1, 0, 0]]) },
    carried: { sharpness: tf.scalar(3) },
    start: 0,
    perEpoch: 4,
  };
  const step = stepOf({ net, weights, x, task: [1, 1, 1, 1, 1], through: { strategy, state } });
  const gates = (task: number, s: number): number[][] =>
    hidden.map((path) => embedding(path, task).map((e) => sigmoid(s * e)));
  const gated = (by: number[][]): number[][] => {
    const layers = layersOf(plain).map(
      (layer, l): Dense =>
        l === 2
          ? layer
          : {
              kernel: layer.kernel.map((row) => row.map((v, j) => v * by[l]![j]!)),
              bias: layer.bias.map((v, j) => v * by[l]![j]!),
            },
    );
    return perceptron(layers, x).logits;
  };

  test("multiplies each unit by the sigmoid of its task's embedding, sharper at test time", () => {
    close(matrix(step.logits).flat(), gated(gates(1, 3)).flat());
    const { logits } = step.forward(step.x, { frozen: {}, task: tf.fill([5], 2, "int32") });
    close(matrix(logits).flat(), gated(gates(2, sharpest)).flat());
  });

  test("asks for few units, counting those that are free", () => {
    const free = Object.values(past).map((t) => [...t.dataSync()].map((v) => 1 - v));
    const used = gates(1, 3).flatMap((g, l) => g.map((v, i) => v * free[l]![i]!));
    const wanted = (0.7 * used.reduce((a, b) => a + b, 0)) / free.flat().reduce((a, b) => a + b, 0);
    expect(hooks.loss(state, step).dataSync()[0]).toBeCloseTo(wanted, 4);
  });

  test("rescales the gradient of embeddings for how sharp the gates are", () => {
    const gradient = noisy(weights, random(4));
    const got = hooks.gradient(state, gradient, step);
    const of = (tree: Weights): Record<string, tf.Tensor> => tree.added!.hat as never;
    for (const path of hidden) {
      const [e, g] = [[...added[path]!.dataSync()], [...of(gradient)[path]!.dataSync()]];
      const wanted = e.map((v, i) => ((g[i]! * sharpest) / 3) * ((Math.cosh(3 * v) + 1) / (Math.cosh(v) + 1)));
      close([...of(got)[path]!.dataSync()], wanted, 1);
    }
    expect(numbers(got.model)).toEqual(numbers(gradient.model));
  });

  test("lets weights between units of past tasks move by what is left of the less used one", () => {
    const after = noisy(weights, random(5));
    const next = hooks.weights(state, { before: weights, after, gradient: weights, slope: weights }, step);
    const [a, b] = Object.values(past).map((t) => [...t.dataSync()]) as [number[], number[]];
    const spared = [
      (_i: number, j: number): number => 1 - a[j]!,
      (i: number, j: number): number => 1 - Math.min(a[i]!, b[j]!),
    ];
    hidden.forEach((path, l) => {
      const [old, now, got] = [weights, after, next].map((w) => layerAt(w, path));
      const share = spared[l]!;
      const kernel = matrix(old!.kernel).map((row, i) =>
        row.map((v, j) => v + share(i, j) * (matrix(now!.kernel)[i]![j]! - v)),
      );
      close(matrix(got!.kernel).flat(), kernel.flat());
      const own = l === 0 ? a : b;
      const bias = [...old!.bias!.dataSync()].map((v, j) => v + (1 - own[j]!) * (now!.bias!.dataSync()[j]! - v));
      close([...got!.bias!.dataSync()], bias);
    });
    // The head's columns and the embeddings of other tasks stay bit for bit.
    const head = matrix(layerAt(next, "head").kernel);
    matrix(layerAt(weights, "head").kernel).forEach((row, i) => {
      row.forEach((v, c) => {
        if (c !== 2 && c !== 3) expect(head[i]![c]).toBe(v);
        else expect(head[i]![c]).not.toBe(v);
      });
    });
    const rows = (w: Weights): number[][] =>
      matrix((w.added!.hat as unknown as Record<string, tf.Tensor>)[hidden[0]!]!);
    expect([rows(next)[0], rows(next)[2]]).toEqual([rows(weights)[0], rows(weights)[2]]);
    expect(rows(next)[1]).not.toEqual(rows(weights)[1]);
  });

  test("sharpens from 1/s to s over each pass, and keeps the largest gates of past tasks", () => {
    const from = examplesOf(normal(8, 2, 1), Array(8).fill(0));
    const begun = hooks.beforeExperience(
      state,
      { task: 2, train: from } as never,
      context(weights, { batch: 2, step: 10 }),
    );
    const at = [10, 11, 12, 13].map((k) => {
      const { extra } = hooks.batch(begun, batchOf(from, [0, 1]), context(weights, { step: k }));
      return (extra.hat!.next as { data: Float32Array }).data[0]!;
    });
    // What the step is given is the sharpness of the next one.
    const ramp = (i: number): number => 1 / sharpest + ((sharpest - 1 / sharpest) * i) / 3;
    close(at, [ramp(1), ramp(2), ramp(3), ramp(0)], 3);
    expect(begun.carried.sharpness.dataSync()[0]).toBeCloseTo(1 / sharpest, 6);
    const ended = hooks.afterExperience(begun, { task: 2 } as never, context(weights));
    hidden.forEach((path, l) => {
      const wanted = [...past[path as keyof typeof past].dataSync()].map((v, i) =>
        Math.max(v, gates(2, sharpest)[l]![i]!),
      );
      close([...ended.tensors.past[path]!.dataSync()], wanted);
    });
  });
});

describe("progressive networks", () => {
  const strategy = pnn();
  const hooks = hooksOf(strategy);
  const columns = hooks.parameters(context(plain)) as unknown as Record<
    string,
    { model: Weights["model"]; laterals: Record<string, tf.Tensor> }
  >;
  const weights = { ...plain, added: { pnn: columns } } as unknown as Weights;
  const begin = (tasks: number[]) =>
    tasks.reduce(
      (state, task) => hooks.beforeExperience(state, { task } as never, context(weights)),
      hooks.init(context(weights)),
    );

  test("a column sees what the layers of earlier columns were given", () => {
    const state = begin([2, 0]);
    const [first, second] = [columns["0"]!, columns["1"]!].map(({ model }) => layersOf({ ...plain, model }));
    const earlier = perceptron(first!, x);
    const lateral = matrix(columns["1"]!.laterals["model/4-dense"]!);
    const own = perceptron(second!, x).inputs[1]!;
    const through = (rows: readonly (readonly number[])[], kernel: number[][]): number[][] =>
      rows.map((row) => kernel[0]!.map((_, j) => row.reduce((s, v, i) => s + v * kernel[i]![j]!, 0)));
    const summed = through(own, second![1]!.kernel).map((row, i) =>
      row.map((v, j) => Math.max(0, v + second![1]!.bias[j]! + through(earlier.inputs[1]!, lateral)[i]![j]!)),
    );
    const head = layersOf(plain)[2]!;
    const later = through(summed, head.kernel).map((row) => row.map((v, c) => v + head.bias[c]!));
    const step = stepOf({ net, weights, x, task: [0, 0, 0, 0, 0], through: { strategy, state } });
    close(matrix(step.logits).flat(), later.flat());
    // At test time an example takes the column of its task: task 2 came first.
    const { logits } = step.forward(step.x, { frozen: {}, task: tf.tensor1d([2, 0, 2, 0, 2], "int32") });
    close(
      matrix(logits).flat(),
      later.flatMap((row, i) => (i % 2 === 0 ? earlier.logits[i]! : row)),
    );
    expect(() => begin([1, 1])).toThrow("pnn: every task may come once, got task 1 again");
  });

  test("trains the last column and its task's part of the head alone", () => {
    const after = noisy(weights, random(3));
    const state = begin([0, 1]);
    const next = hooks.weights(
      state,
      { before: weights, after, gradient: weights, slope: weights },
      stepOf({ net, weights, x }),
    );
    const own = (w: Weights, k: string): number[] => numbers((w.added!.pnn as unknown as typeof columns)[k]);
    expect(own(next, "0")).toEqual(own(weights, "0"));
    expect(own(next, "1")).toEqual(own(after, "1"));
    const bias = (w: Weights): number[] => [...layerAt(w, "head").bias!.dataSync()];
    expect(bias(next)).toEqual(bias(weights).map((v, c) => (c === 2 || c === 3 ? bias(after)[c] : v)));
  });
});

describe("parts of the weights", () => {
  /** Which of some numbers are among the largest so many. */
  const largest = (of: number[], count: number): boolean[] => {
    const order = [...of.keys()].sort((a, b) => of[b]! - of[a]!).slice(0, count);
    return of.map((_, i) => order.includes(i));
  };

  test("packnet keeps the largest share of the free weights of each kernel, and never moves them again", () => {
    const hooks = hooksOf(packnet({ keep: 0.5, train: 0.5 }));
    const train = examplesOf(normal(4, 2, 1), [0, 1, 0, 1]);
    const begin = (state: ReturnType<typeof hooks.init>, task: number) =>
      hooks.beforeExperience(state, { task, train } as never, context(plain, { batch: 4, epochs: 2 }));
    const step = stepOf({ net, weights: plain, x });
    const advance = (state: ReturnType<typeof hooks.init>, before: Weights, seed: number) => {
      const change = { before, after: noisy(before, random(seed)), gradient: before, slope: before };
      const after = hooks.weights(state, change, step);
      return {
        tried: change.after,
        after,
        state: { ...state, carried: hooks.update(state, { ...change, after }, step) },
      };
    };
    // One step of two, then pruning: with train 0.5 the first step is the one that prunes.
    const first = advance(begin(hooks.init(context(plain)), 0), plain, 1);
    hidden.forEach((path) => {
      const tried = matrix(layerAt(first.tried, path).kernel).flat();
      const stays = largest(tried.map(Math.abs), Math.floor(tried.length / 2));
      close(
        matrix(layerAt(first.after, path).kernel).flat(),
        tried.map((v, i) => (stays[i] ? v : 0)),
      );
    });
    const second = advance(begin(first.state, 1), first.after, 2);
    hidden.forEach((path) => {
      const [was, is] = [first.after, second.after].map((w) => matrix(layerAt(w, path).kernel).flat());
      const free = was!.map((v, i) => (v === 0 ? i : -1)).filter((i) => i >= 0);
      was!.forEach((v, i) => {
        if (!free.includes(i)) expect(is![i]).toBe(v);
      });
      const tried = free.map((i) => matrix(layerAt(second.tried, path).kernel).flat()[i]!);
      const stays = largest(tried.map(Math.abs), Math.floor(tried.length / 2));
      close(
        free.map((i) => is![i]!),
        tried.map((v, k) => (stays[k] ? v : 0)),
      );
    });
  });

  test("wsn runs through the weights with the largest scores, whose choice scores learn through", () => {
    const strategy = wsn({ share: 0.5 });
    const hooks = hooksOf(strategy);
    const scores = hooks.parameters(context(plain)) as Weights["model"];
    const weights = { ...plain, added: { wsn: scores } } as unknown as Weights;
    const state = hooks.init(context(weights));
    const step = stepOf({ net, weights, x, task: [0, 0, 0, 0, 0], through: { strategy, state } });
    const masked = layersOf(plain).map((layer, l): Dense => {
      if (l === 2) return layer;
      const own = matrix(layerAt({ ...weights, model: scores }, hidden[l]!).kernel);
      const flat = own.flat();
      const chosen = largest(flat, Math.floor(flat.length / 2));
      return {
        ...layer,
        kernel: layer.kernel.map((row, i) => row.map((v, j) => (chosen[i * row.length + j] ? v : 0))),
      };
    });
    close(matrix(step.logits).flat(), perceptron(masked, x).logits.flat());
    // ∂L/∂score = ∂L/∂(masked weight) · weight.
    const of = (w: Weights): tf.Tensor => tf.sum(tf.square(step.forward(step.x, { weights: w }).logits));
    const slope = step.gradient(of);
    const head = layersOf(plain)[2]!;
    const { inputs, logits } = perceptron(masked, x);
    const delta = logits.map((row, n) =>
      head.kernel.map((k, i) => (inputs[2]![n]![i]! > 0 ? k.reduce((s, v, c) => s + 2 * row[c]! * v, 0) : 0)),
    );
    const wanted = layersOf(plain)[1]!.kernel.map((row, i) =>
      row.map((w, j) => w * x.reduce((s, _, n) => s + inputs[1]![n]![i]! * delta[n]![j]!, 0)),
    );
    const got = (slope.added!.wsn as unknown as Record<string, { kernel: tf.Tensor }>)["4-dense"]!.kernel;
    close(matrix(got).flat(), wanted.flat(), 2);
  });
});

describe("references", () => {
  test("from scratch begins every experience but the first with other weights, whatever was learnt", () => {
    const hooks = hooksOf(fromScratch());
    const begin = (index: number, weights: Weights) =>
      hooks.beforeExperience({}, { index } as never, context(weights, { experience: index })) as {
        weights?: Weights;
        restart?: boolean;
      };
    expect(begin(0, plain)).toEqual({});
    const [a, b, later] = [begin(1, plain), begin(1, noisy(plain, random(8))), begin(2, plain)];
    expect(numbers(a.weights)).toEqual(numbers(b.weights));
    expect(numbers(a.weights)).not.toEqual(numbers(later.weights));
    expect(a.restart).toBe(true);
  });

  test.each([
    ["cumulative", cumulative(), [40, 80, 120]],
    ["joint", joint(), [0, 0, 120]],
  ] as const)("%s trains on what has arrived, each row under its own task", (_, strategy, wanted) => {
    const lengths = run(spec(told, [strategy])).events.flatMap((e) => (e.type === "boundary" ? [e.examples] : []));
    expect(lengths).toEqual(wanted);
    const given = context(plain, { stream: told, experience: 2 });
    const table = hooksOf(strategy).data({}, told.experience(2), given)!;
    const batch = batchOf(table as never, [...table.labels.keys()], 2);
    const { task, y } = hooksOf(strategy).batch({}, batch, given);
    expect([...task]).toEqual([...y].map((label) => Math.floor(label / 2)));
  });

  test("a separate network answers for its task alone", () => {
    const hooks = hooksOf(separateNetworks());
    const other = noisy(plain, random(6));
    let state = hooks.afterExperience(hooks.init(context(plain)), { task: 1 } as never, context(plain));
    state = hooks.afterExperience(state, { task: 0 } as never, context(other));
    const now = noisy(plain, random(7));
    const strategy = separateNetworks();
    const step = stepOf({ net, weights: now, x, task: [0, 0, 0, 0, 0], through: { strategy, state } });
    const said = (task: number): number[] =>
      matrix(step.forward(step.x, { frozen: {}, task: tf.fill([5], task, "int32") }).logits).flat();
    close(said(1), perceptron(plain, x).logits.flat());
    close(said(0), perceptron(other, x).logits.flat());
    close(said(2), perceptron(now, x).logits.flat());
    close(matrix(step.logits).flat(), perceptron(now, x).logits.flat());
  });
});
