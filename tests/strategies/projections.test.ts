import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { sgd } from "../../lib/optim/index.ts";
import { cuber, gpm, ogd, owm } from "../../lib/strategies/index.ts";
import { layerAt } from "../../lib/strategies/parts/layers.ts";
import { scaledWithin } from "../../lib/strategies/parts/scales.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { scenario } from "../../lib/streams/operators/scenario.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  dot,
  entropy,
  examplesOf,
  hooksOf,
  inOrder,
  length,
  matrix,
  mean,
  meanRow,
  noisy,
  normal,
  perceptron,
  type Rows,
  slopes,
  small,
  solved,
  stepOf,
  times,
  transposed,
  unit,
} from "./by-hand.ts";
import { run, spec, stream } from "./support.ts";

const { net, weights } = small([4, 3], 3, 2);
const context = contextOf(net, weights);
const x = normal(8, 3, 3);
const y = [0, 1, 1, 0, 1, 0, 0, 1];
const train = examplesOf(x, y);
const gradient = noisy(weights, random(77));
const step = stepOf({ net, weights, x, y });
const paths = ["model/2-dense", "model/4-dense", "head"];
const withOnes = (rows: Rows): number[][] => rows.map((row) => [...row, 1]);
/** A layer's kernel over its bias. */
const stacked = (tree: Weights, path: string): number[][] => {
  const { kernel, bias } = layerAt(tree, path);
  return [...matrix(kernel), [...bias!.dataSync()]];
};

/** Rows that are orthonormal and span the same. */
function orthonormal(rows: Rows): number[][] {
  const basis: number[][] = [];
  for (const row of rows) {
    let left = [...row];
    for (let twice = 0; twice < 2; twice++)
      for (const b of basis) {
        const along = dot(left, b);
        left = left.map((v, i) => v - along * b[i]!);
      }
    if (length(left) > 1e-9 * length(row)) basis.push(unit(left));
  }
  return basis;
}
const outside = (v: readonly number[], basis: Rows): number[] =>
  basis.reduce<number[]>((left, b) => left.map((a, i) => a - dot(left, b) * b[i]!), [...v]);

test("owm's projector is the inverse of the identity and the mean inputs of batches over alpha", () => {
  const alpha = 0.3;
  const hooks = hooksOf(owm({ alpha }));
  const { tensors } = hooks.afterExperience(hooks.init(context), { train } as never, context);
  const inputs = perceptron(weights, x).inputs.map(withOnes);
  const changed = hooks.gradient({ tensors }, gradient, step);
  paths.forEach((path, layer) => {
    const rows = inputs[layer]!;
    const batches = [rows.slice(0, 4), rows.slice(4)].map(meanRow);
    const wide = rows[0]!.length;
    const inverse = Array.from({ length: wide }, (_, i) =>
      Array.from({ length: wide }, (_, j) => +(i === j) + batches.reduce((s, m) => s + (m[i]! * m[j]!) / alpha, 0)),
    );
    const wanted = transposed(transposed(stacked(gradient, path)).map((column) => solved(inverse, column)));
    close(stacked(changed, path).flat(), wanted.flat());
  });
});

test("ogd takes out of a gradient what lies along the slopes of past examples' true logits, and no more", () => {
  const hooks = hooksOf(ogd({ samples: 8 }));
  const state = hooks.afterExperience(hooks.init(context), { train } as never, context);
  const past = x.map((row, i) => slopes(weights, (layers) => perceptron(layers, [row]).logits[0]![y[i]!]!));
  const changed = inOrder(hooks.gradient(state, gradient, step));
  for (const slope of past) expect(dot(changed, unit(slope))).toBeCloseTo(0, 3);
  close(changed, outside(inOrder(gradient), orthonormal(past)), 3);
  // What is in the span already adds no direction, and rounding is none.
  const again = hooks.afterExperience(state, { train } as never, context);
  expect(again.tensors.basis.shape).toEqual([orthonormal(past).length, inOrder(weights).length]);
});

test("gpm takes out of a gradient what lies in the span of past inputs", () => {
  const hooks = hooksOf(gpm({ share: 1, samples: 8 }));
  const few = examplesOf(x.slice(0, 2), y.slice(0, 2));
  const state = hooks.afterExperience(hooks.init(context), { train: few } as never, context);
  const changed = hooks.gradient(state, gradient, step);
  perceptron(weights, x.slice(0, 2)).inputs.forEach((rows, layer) => {
    const basis = orthonormal(withOnes(rows));
    const columns = transposed(stacked(gradient, paths[layer]!));
    close(
      transposed(stacked(changed, paths[layer]!)).flat(),
      columns.flatMap((column) => outside(column, basis)),
    );
  });
});

describe("cuber", () => {
  /** The slope of the mean loss, layer by layer. */
  const slopesOf = (rows: Rows, labels: readonly number[], of = weights): number[][][] => {
    const flat = slopes(of, (layers) => mean(perceptron(layers, rows).logits.map((z, i) => entropy(z, labels[i]!))));
    const shapes = [
      [4, 4],
      [5, 3],
      [4, 2],
    ] as const;
    return shapes.map(([d, units]) => {
      const own = flat.splice(0, d * units);
      return Array.from({ length: d }, (_, i) => own.slice(i * units, (i + 1) * units));
    });
  };
  const past = x.slice(0, 2);
  const [old, fresh] = [slopesOf(past, [0, 1]), slopesOf(x.slice(2), y.slice(2))];
  const inside = perceptron(weights, past).inputs.map((rows, layer) => {
    const basis = orthonormal(withOnes(rows));
    return transposed(transposed(fresh[layer]!).map((column) => outside(column, basis).map((v, i) => column[i]! - v)));
  });
  const shares = inside.map((g, layer) => length(g.flat()) / length(fresh[layer]!.flat()));
  const cosines = inside.map((g, layer) => dot(unit(g.flat()), unit(old[layer]!.flat())));
  const projected = (sufficient: number, positive: number): boolean[] => {
    const hooks = hooksOf(cuber({ share: 1, samples: 8, sufficient, positive }));
    const first = { train: examplesOf(past, [0, 1]), task: 0, index: 0 } as never;
    const second = { train: examplesOf(x.slice(2), y.slice(2)), task: 1, index: 1 } as never;
    const state = hooks.afterExperience(hooks.init(context), first, context);
    const next = hooks.beforeExperience(state, second, contextOf(net, weights, { experience: 1 }));
    const changed = hooks.gradient(next, gradient, step);
    return paths.map((path, layer) => {
      const [got, plain] = [stacked(changed, path).flat(), stacked(gradient, path).flat()];
      const same = got.every((v, i) => Math.abs(v - plain[i]!) < 1e-4);
      const basis = orthonormal(withOnes(perceptron(weights, past).inputs[layer]!));
      const columns = transposed(stacked(gradient, path));
      if (!same)
        close(
          transposed(stacked(changed, path)).flat(),
          columns.flatMap((column) => outside(column, basis)),
          3,
        );
      return !same;
    });
  };

  test("lets a layer go where the new gradient lies enough in the past's inputs and along its gradient", () => {
    expect(projected(0, -1)).toEqual([false, false, false]);
    expect(projected(1, -1)).toEqual([true, true, true]);
    expect(projected(0, 1)).toEqual([true, true, true]);
    // Just below and just above what is worked by hand for the first layer.
    const [share, cosine] = [shares[0]!, cosines[0]!];
    expect(projected(share - 0.01, -1)[0]).toBe(false);
    expect(projected(share + 0.01, -1)[0]).toBe(true);
    expect(projected(0, cosine - 0.01)[0]).toBe(false);
    expect(projected(0, cosine + 0.01)[0]).toBe(true);
  });
});

describe("cuber, scaling weights within the directions of related past tasks", () => {
  const told = stream({ needs: ["task"] } as never, 20);
  // every past task is related and none helped, so that all layers are projected and scaled
  const always = cuber({ share: 0.95, samples: 30, sufficient: 0, positive: 1, scaled: true });
  type Scales = Record<string, Record<string, Record<string, tf.Tensor>>>;

  test("the weights of a task are W + B (Q − I) Bᵀ W, with Q the identity to begin with", () => {
    const basis = transposed(orthonormal(normal(2, 5, 8)));
    const q = normal(2, 2, 9);
    const scaled = scaledWithin(
      weights,
      { "model/4-dense": { "0": tf.tensor2d(q) } },
      { "model/4-dense": { "0": tf.tensor2d(basis) } },
    );
    const layer = stacked(weights, "model/4-dense");
    const apart = q.map((row, i) => row.map((v, j) => v - +(i === j)));
    const within = times(basis, times(apart, times(transposed(basis), layer)));
    close(
      stacked(scaled, "model/4-dense").flat(),
      layer.flatMap((row, i) => row.map((v, j) => v + within[i]![j]!)),
      4,
    );
    close(stacked(scaled, "head").flat(), stacked(weights, "head").flat(), 9);
  });

  test("each task trains matrices of its own, which later tasks leave as they are, and learns more with them", () => {
    const settings = { optimizer: sgd({ lr: 0.1, momentum: 0.9 }) };
    const session = open(spec(told, [always], settings), 0, "test");
    const scales = (task: number): number[] => {
      const { cuber: all } = session.learner.weights.added as unknown as { cuber: Scales };
      return Object.values(all[task] ?? {}).flatMap((of) => Object.values(of).flatMap((q) => [...q.dataSync()]));
    };
    const identity = (values: readonly number[]): boolean => values.every((v) => v === 0 || v === 1);
    while (session.cursor.experience < 1 || session.cursor.phase === "before") session.advance();
    expect(scales(0)).toEqual([]);
    expect(scales(1).length).toBeGreaterThan(0);
    expect(identity(scales(1))).toBe(true);
    while (session.cursor.experience < 2) session.advance();
    const second = scales(1);
    expect(identity(second)).toBe(false);
    while (session.advance());
    expect(scales(1)).toEqual(second);
    expect(scales(2).length).toBeGreaterThan(0);
    session.dispose();
    const last = (strategy: Strategy): number =>
      run(spec(told, [strategy], settings))
        .events.flatMap((e) =>
          e.type === "evaluated" && e.at === "experience" && e.after === e.on && e.on > 0 ? [e.loss] : [],
        )
        .reduce((a, b) => a + b);
    expect(last(always)).toBeLessThan(last(cuber({ share: 0.95, samples: 30, sufficient: 0, positive: 1 })));
  });

  test("the first task is predicted as without matrices, and a stream that does not tell the task is refused", () => {
    const settings = { optimizer: sgd({ lr: 0.1 }) };
    const first = (strategy: Strategy): number[] =>
      run(spec(told, [strategy], settings)).events.flatMap((e) =>
        e.type === "evaluated" && e.after === 0 && e.at === "experience" ? [e.loss] : [],
      );
    expect(first(always)).toEqual(first(cuber({ share: 0.95, samples: 30, sufficient: 0, positive: 1 })));
    expect(() => run(spec(stream({ needs: [] } as never, 12), [always]))).toThrow(
      /^cuber: a stream that tells the task is required to scale weights/,
    );
  });
});

describe("what projections say before and after", () => {
  const over = stream({ needs: [] } as never, 12);
  const notes = (strategy: ReturnType<typeof owm>): string[] =>
    run(spec(over, [strategy])).events.flatMap((e) => (e.type === "note" ? [e.text] : []));

  test("a network that may hardly move any more is found out", () => {
    expect(notes(owm({ alpha: 1e-9 })).join()).toMatch(/model\/2-dense may move in 0\.00 % of its inputs' directions/);
    expect(notes(gpm({ share: 1, samples: 100 })).join()).toMatch(/may move in 0\.00 % of its inputs' directions/);
    expect(notes(owm({ alpha: 10 }))).toEqual([]);
  });

  test("ogd refuses a head that grows before any training", () => {
    const growing = scenario("class", { head: "growing" })(over as never) as never as typeof over;
    expect(() => run(spec(growing, [ogd()]))).toThrow("ogd: a head of fixed size is required, got one that grows");
  });
});
