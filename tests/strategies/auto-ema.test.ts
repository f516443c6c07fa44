import { describe, expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { autoEma } from "../../lib/strategies/index.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  dot,
  examplesOf,
  hooksOf,
  matrix,
  mean,
  normal,
  perceptron,
  predictionOf,
  small,
  unit,
} from "./by-hand.ts";
import { numbers, spec, stream } from "./support.ts";

const tree = (model: number[], head: number[]): Weights => ({
  model: { kernel: tf.tensor1d(model) },
  head: { kernel: tf.tensor1d(head) },
});

test("the average of autoEma follows each tensor by its own rate, or by a fixed one where there is none", () => {
  const carried = { slow: tree([0, 0], [1, 1]), gradient: tree([5, 0], [0, 0]) };
  const change = { after: tree([10, -6], [2, 1]), gradient: tree([-5, 3], [0.5, 0]) };
  const next = hooksOf(autoEma({ otherwise: 0.25 })).update(
    { carried },
    change as never,
    {} as never,
  ) as typeof carried;
  // ‖g‖ = 8, ‖θ − θ*‖ = 16, ‖g − g′‖ = 13: 2 · 9 / 208. For the head 2 · 1.5 / 0.5 = 6, which is above 1.
  const rate = 18 / 208;
  expect(numbers(next.slow.model)[0]).toBeCloseTo(10 * rate, 5);
  expect(numbers(next.slow.model)[1]).toBeCloseTo(-6 * rate, 5);
  expect(numbers(next.slow.head)).toEqual([1.25, 1]);
  expect(numbers(next.gradient)).toEqual([-5, 3, 0.5, 0]);
});

test("a fixed share takes the place of the rule", () => {
  const carried = { slow: tree([0, 0], [1, 1]), gradient: tree([5, 0], [0, 0]) };
  const change = { after: tree([10, -6], [2, 1]), gradient: tree([-5, 3], [0.5, 0]) };
  const next = hooksOf(autoEma({ fixed: 0.5 })).update({ carried }, change as never, {} as never) as typeof carried;
  expect(numbers(next.slow)).toEqual([5, -3, 1.5, 1]);
});

test("an experience of autoEma leaves the average, from which the next begins", () => {
  const session = open(spec(stream(autoEma as never), [autoEma({ otherwise: 0 })]), 0, "test");
  const start = numbers(session.learner.weights);
  let moved = false;
  while (session.cursor.experience < 1) {
    session.advance();
    if (session.cursor.phase === "after") moved = numbers(session.learner.weights).some((v, i) => v !== start[i]);
  }
  // With small steps the rule gives nothing below 1, and the average never moves.
  expect(moved).toBe(true);
  expect(numbers(session.learner.weights)).toEqual(start);
  session.dispose();
});

describe("with parameters for each group of experiences (P416)", () => {
  const { net, weights } = small([3], 2, 2);
  const [near, far] = [normal(4, 2, 3).map(([a, b]) => [a! + 4, b!]), normal(3, 2, 4).map(([a, b]) => [a! - 4, b!])];
  const vectors = (x: number[][]): number[][] => perceptron(weights, x).features.map((row) => unit(row));
  const like = (a: number[][], b: number[][]): number =>
    mean(vectors(a).flatMap((u) => vectors(b).map((v) => dot(u, v))));
  const bound = (like(near, near) + like(near, far)) / 2;
  const hooks = hooksOf(autoEma({ expand: bound }));
  const experience = (x: number[][]) =>
    ({
      train: examplesOf(
        x,
        x.map(() => 0),
      ),
    }) as never;
  /** The weights moved as if they had been trained. */
  const moved = (of: Weights, by: number): Weights => ({
    ...of,
    model: Object.fromEntries(Object.entries(of.model).map(([name, layer]) => [name, shifted(layer as never, by)])),
  });
  const shifted = (layer: Record<string, tf.Tensor>, by: number) =>
    Object.fromEntries(Object.entries(layer).map(([name, t]) => [name, tf.add(t, by)]));
  const learnt = (state: object, from: Weights, x: number[][], by: number) => {
    const outputs = (of: ReturnType<typeof examplesOf>, at = from) => contextOf(net, at).outputs(of);
    const met = hooks.beforeExperience(state, experience(x), { ...contextOf(net, from), outputs: outputs as never });
    const trained = moved(met.weights, by);
    const done = { ...met, carried: { ...met.carried, slow: trained } };
    return { met, after: hooks.afterExperience(done, {} as never, contextOf(net, trained)), trained };
  };
  const start = hooks.init(contextOf(net, weights));
  const first = learnt(start, weights, near, 0.1);
  const second = learnt(first.after, first.trained, far, 0.2);
  const third = learnt(second.after, second.trained, near, 0.4);

  test("an experience unlike all before begins where the first began, and one that is alike goes on with what its group had", () => {
    expect(like(near, near)).toBeGreaterThan(like(near, far));
    expect([first, second, third].map(({ met }) => [met.current, met.groups.length])).toEqual([
      [0, 1],
      [1, 2],
      [0, 2],
    ]);
    close(numbers(second.met.weights.model), numbers(weights.model));
    close(numbers(third.met.weights.model), numbers(first.trained.model));
    const sums = third.met.groups[0];
    expect(sums.count).toBe(8);
    close(
      [...sums.sum],
      [0, 1, 2].map((j) => 2 * vectors(near).reduce((s, row) => s + row[j]!, 0)),
      3,
    );
  });

  test("a test example gets the parameters of the group it is most like, or of the last", () => {
    const x = [near[0]!, far[0]!, [0.01, -5]];
    const means = [near, far].map((of) => [0, 1, 2].map((j) => mean(vectors(of).map((row) => row[j]!))));
    const chosen = vectors(x).map((row) => {
      const likenesses = means.map((of) => dot(row, of));
      const best = likenesses[1]! > likenesses[0]! ? 1 : 0;
      return likenesses[best]! >= bound ? best : 1;
    });
    expect(new Set(chosen).size).toBe(2);
    const now = third.trained;
    const found = matrix(hooks.predict({ tensors: third.after.tensors }, predictionOf(net, now, x)) as tf.Tensor);
    const other = { ...now, model: second.trained.model };
    const wanted = [now, other].map((of) => perceptron(of, x).logits);
    for (const [i, row] of found.entries()) close(row, wanted[chosen[i]!]![i]!, 4);
  });
});
