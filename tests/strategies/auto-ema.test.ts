import { expect, test } from "vitest";
import { tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { autoEma } from "../../lib/strategies/index.ts";
import { open } from "../../lib/train/session.ts";
import { hooksOf } from "./by-hand.ts";
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
