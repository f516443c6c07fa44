import { describe, expect, test } from "vitest";
import { leaves, mapTensors, type Tree, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { plwf } from "../../lib/strategies/index.ts";
import { close, hooksOf, mean, normal, perceptron, small, stepOf } from "./by-hand.ts";

describe("plwf (P155 PLwF)", () => {
  const [x, y] = [normal(5, 3, 7), [2, 3, 2, 3, 2]];
  const { net, weights } = small([4], 3, 4);
  // of the first teacher two columns are there, of the second three
  const [{ weights: first }, { weights: second }] = [small([4], 3, 2, 5), small([4], 3, 3, 6)];
  const teacher = (of: Weights, met: number[]) => ({ weights: of, statistics: {}, columns: tf.tensor2d([met]) });
  const state = { tensors: { "0": teacher(first, [1, 1]), "1": teacher(second, [1, 1, 1]) } };
  const softmax = (z: readonly number[], temperature: number): number[] => {
    const e = z.map((v) => Math.exp(v / temperature));
    return e.map((v) => v / e.reduce((a, b) => a + b, 0));
  };
  const flat = (of: Weights): number[] =>
    leaves(of as unknown as Tree).flatMap((t) => [...(t as tf.Tensor).dataSync()]);
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

  test("holds the network to what it said after every experience, over the columns met by then", () => {
    const [lambda, temperature] = [1.5, 2];
    const now = perceptron(weights, x).logits;
    const term = (of: Weights, columns: number): number =>
      mean(
        perceptron(of, x).logits.map((z, i) => {
          const [p, q] = [softmax(z.slice(0, columns), temperature), softmax(now[i]!.slice(0, columns), temperature)];
          return -p.reduce((sum, v, c) => sum + v * Math.log(q[c]!), 0);
        }),
      );
    const loss = hooksOf(plwf({ lambda, temperature })).loss(state, stepOf({ net, weights, x, y }));
    expect(loss.dataSync()[0]).toBeCloseTo((lambda * (term(first, 2) + term(second, 3))) / 2, 5);
    expect(hooksOf(plwf()).loss({ tensors: {} }, stepOf({ net, weights, x, y })).dataSync()[0]).toBe(0);
  });

  test("takes from the rest of the gradient its part against the distillation's, only where they disagree", () => {
    const step = stepOf({ net, weights, x, y });
    const hooks = (project: string) => hooksOf(plwf({ project: project as "new" }));
    const slope = step.gradient((at) => hooks("none").loss(state, stepOf({ net, weights: at, x, y })));
    const old = flat(slope);
    const task = step.gradient((at) => stepOf({ net, weights: at, x, y }).targetLoss());
    for (const sign of [1, -1]) {
      // a gradient that is surely with the distillation's, and one that is surely against
      const along = (sign * 2 * Math.abs(dot(flat(task), old))) / dot(old, old);
      const fresh = mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.add(a, tf.mul(b!, along)), task, slope) as Weights;
      const whole = mapTensors((a: tf.Tensor, b?: tf.Tensor) => tf.add(a, b!), fresh, slope) as Weights;
      const found = (project: string): number[] => flat(hooks(project).gradient(state, whole, step));
      const own = flat(fresh);
      const against = Math.min(0, dot(own, old));
      expect(against < 0).toBe(sign < 0);
      const given = own.map((v, i) => v - (against / dot(old, old)) * old[i]!);
      const held = old.map((v, i) => v - (against / dot(own, own)) * own[i]!);
      close(
        found("new"),
        given.map((v, i) => v + old[i]!),
        4,
      ); // prettier-ignore
      close(
        found("both"),
        given.map((v, i) => v + held[i]!),
        4,
      ); // prettier-ignore
      close(found("none"), flat(whole), 6);
    }
  });
});
