import { describe, expect, test } from "vitest";
import { decode, disposeTree, random, type Tree, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { sgd } from "../../lib/optim/index.ts";
import { centerLoss, fdr, l2Anchor, l2Init, lfl, lwf, mas, rwalk } from "../../lib/strategies/index.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { open, type Session } from "../../lib/train/session.ts";
import { training } from "../../lib/train/spec.ts";
import {
  close,
  contextOf,
  dot,
  entropy,
  examplesOf,
  hooksOf,
  inOrder,
  length,
  mean,
  meanRow,
  noisy,
  normal,
  perceptron,
  slopes,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";
import { numbers, spec, stream } from "./support.ts";

const single = stream({ needs: [] } as never, 12);
const linear = { model: mlp({ hidden: [] }), optimizer: sgd({ lr: 0.1 }), training: training({ batch: 6, epochs: 1 }) };

/** All numbers of the weights after each step of a run, from before the first; `on` is told when an experience is over. */
function walked(strategy: Strategy, over = single, on: (session: Session, experience: number) => void = () => {}) {
  const session = open(spec(over, [strategy], linear), 0, "test");
  const path: number[][][] = [];
  for (let experience = 0; experience < over.length; experience++) {
    while (session.cursor.experience < experience || session.cursor.phase !== "train") session.advance();
    const steps: number[][] = [numbers(session.learner.weights)];
    for (let local = 1; session.cursor.phase === "train"; local++) {
      session.advance({ experience, local });
      if (session.cursor.phase === "train" && session.cursor.local === local)
        steps.push(numbers(session.learner.weights));
    }
    path.push(steps);
    session.advance();
    on(session, experience);
  }
  session.dispose();
  return path;
}

/** What a strategy holds at a point of a run, as it would be saved. */
function held<T>(session: Session, name: string): T {
  const { states } = decode(session.save()) as { states: Record<string, T> };
  return states[name]!;
}

describe("riemannian walk", () => {
  test("scores and Fisher information are those of the path that the weights took", () => {
    const [lambda, alpha, every, lr] = [0.7, 0.4, 2, 0.1];
    const importances: number[][] = [];
    const path = walked(rwalk({ lambda, alpha, every }), single, (session) => {
      const { tensors } = held<{ tensors: { importance: Tree } }>(session, "rwalk");
      importances.push(numbers(tensors.importance));
      disposeTree(tensors as unknown as Tree);
    });
    let fisher: number[] = path[0]![0]!.map(() => 0);
    let score: number[] | null = null;
    let penalty: { importance: number[]; center: number[] } | null = null;
    path.forEach((steps, experience) => {
      let from = steps[0]!;
      let walkedSince = from.map(() => 0);
      let own = from.map(() => 0);
      for (let k = 1; k < steps.length; k++) {
        const [before, after] = [steps[k - 1]!, steps[k]!];
        // Plain descent moves by −lr · gradient; what the penalty pulls is known.
        const g = before.map(
          (w, i) =>
            (w - after[i]!) / lr -
            (penalty === null ? 0 : 2 * lambda * penalty.importance[i]! * (w - penalty.center[i]!)),
        );
        fisher = fisher.map((f, i) => alpha * g[i]! ** 2 + (1 - alpha) * f);
        walkedSince = walkedSince.map((p, i) => p - g[i]! * (after[i]! - before[i]!));
        if (k % every === 0) {
          own = own.map(
            (s, i) => s + Math.max(0, walkedSince[i]!) / (0.5 * fisher[i]! * (after[i]! - from[i]!) ** 2 + 1e-8),
          );
          [from, walkedSince] = [after, from.map(() => 0)];
        }
      }
      score = score === null ? own : own.map((s, i) => (s + score![i]!) / 2);
      const scaled = (v: number[]): number[] => v.map((a) => (a - Math.min(...v)) / (Math.max(...v) - Math.min(...v)));
      const [f, s] = [scaled(fisher), scaled(score)];
      const wanted = f.map((a, i) => a + s[i]!);
      close(importances[experience]!, wanted, 2);
      expect(Math.max(...wanted)).toBeGreaterThan(0.9);
      penalty = { importance: importances[experience]!, center: steps.at(-1)! };
    });
  });
});

describe("pulls towards older weights", () => {
  const { net, weights } = small([3], 2, 2);
  const context = contextOf(net, weights);
  const moved = noisy(weights, random(7));
  const apart = (a: Weights, b: Weights): number => {
    const [v, w] = [numbers(a), numbers(b)];
    return v.reduce((s, x, i) => s + (x - w[i]!) ** 2, 0);
  };
  const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;
  const at = (w: Weights) => stepOf({ net, weights: w, x: [[0, 0]] });

  test("l2Anchor is lambda times the squared distance from where the last experience ended, and nothing in the first", () => {
    const { beforeExperience, loss } = hooksOf(l2Anchor({ lambda: 0.3 }));
    expect(value(loss(beforeExperience({}, { index: 0 } as never, context), at(moved)))).toBe(0);
    const state = beforeExperience({}, { index: 1 } as never, context);
    expect(value(loss(state, at(moved)))).toBeCloseTo(0.3 * apart(moved, weights), 4);
    expect(value(loss(state, at(weights)))).toBe(0);
  });

  test("l2Init stays with the weights of the start, and with new columns as they came", () => {
    const { init, beforeExperience, loss } = hooksOf(l2Init({ lambda: 0.3 }));
    const first = beforeExperience(init(context), { index: 0 } as never, context);
    expect(value(loss(first, at(moved)))).toBeCloseTo(0.3 * apart(moved, weights), 4);
    const wide = net.grow(moved, random(5), 4);
    const grown = beforeExperience(first, { index: 1 } as never, contextOf(net, wide));
    // The old columns have moved, the new ones are where they began.
    expect(value(loss(grown, at(wide)))).toBeCloseTo(0.3 * apart(moved, weights), 4);
  });
});

describe("pulls on what the network computes", () => {
  const { net, weights } = small([4, 3], 2, 3);
  const after = noisy(weights, random(8));
  const x = normal(6, 2, 5);
  const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;

  test("center loss is half the squared distance from the mean feature that a class had, over rows whose class has one", () => {
    const y = [0, 1, 0, 1, 1, 0];
    const strategy = hooksOf(centerLoss({ lambda: 0.4 }));
    const context = contextOf(net, weights);
    const state = strategy.afterExperience(strategy.init(context), { train: examplesOf(x, y) } as never, context);
    const features = perceptron(weights, x).features;
    const centers = [0, 1].map((c) => meanRow(features.filter((_, i) => y[i] === c)));
    const now = [1, 2, 0, 2, 1, 0];
    const step = stepOf({ net, weights: after, x, y: now, current: 5 });
    const apart = perceptron(after, x)
      .features.slice(0, 5)
      .map((row, i) => {
        const center = centers[now[i]!];
        return center === undefined ? 0 : length(row.map((v, j) => v - center[j]!)) ** 2;
      });
    expect(value(strategy.loss(state, step))).toBeCloseTo(0.2 * mean(apart), 4);
    // The head stays; and a class keeps the center of its first experience.
    const { head, model } = strategy.weights(
      state,
      { before: weights, after, gradient: weights, slope: weights },
      step,
    );
    expect([numbers(head), numbers(model)]).toEqual([numbers(weights.head), numbers(after.model)]);
    const again = strategy.afterExperience(state, { train: examplesOf(x, now) } as never, contextOf(net, after));
    close(numbers(again.tensors.centers).slice(0, 6), centers.flat());
    close(numbers(again.tensors.known), [1, 1, 1]);
  });

  test("less-forgetting learning is half the squared distance of features from what they were", () => {
    const { beforeExperience, loss } = hooksOf(lfl({ lambda: 0.4 }));
    const state = beforeExperience({}, { index: 1 } as never, contextOf(net, weights));
    const [then, now] = [perceptron(weights, x).features, perceptron(after, x).features];
    const wanted = 0.2 * mean(now.map((row, i) => length(row.map((v, j) => v - then[i]![j]!)) ** 2));
    expect(value(loss(state, stepOf({ net, weights: after, x })))).toBeCloseTo(wanted, 4);
  });

  test("function distance is the mean length of the difference of probabilities from those kept", () => {
    const { loss } = hooksOf(fdr({ alpha: 0.7 }));
    const kept = normal(2, 3, 11);
    const extra = { logits: tf.tensor2d(kept) };
    const step = stepOf({ net, weights, x, current: 4, rows: { fdr: [4, 6] }, extra });
    const said = perceptron(weights, x).logits.slice(4);
    const wanted = 0.7 * mean(said.map((z, i) => length(softmax(z).map((p, c) => p - softmax(kept[i]!)[c]!))));
    expect(value(loss({}, step))).toBeCloseTo(wanted, 4);
  });

  test.each([
    ["old", "tasks", 2],
    ["all", "tasks", 2],
    ["old", "constant", 1],
    ["old", "ratio", 4 / 3],
  ] as const)(
    "learning without forgetting is the softened cross-entropy to what was said before (over %s columns, weighting %s)",
    (over, weighting, often) => {
      const { beforeExperience, loss, taskLoss } = hooksOf(lwf({ lambda: 0.5, temperature: 3, over, weighting }));
      // Classes 0 and 1 were met, in two experiences; the third is new.
      const met = { head: "single", taskOf: () => 0, classesOf: () => [0, 1] };
      const state = beforeExperience({}, { index: 2 } as never, contextOf(net, weights, { stream: met as never }));
      const [then, now] = [perceptron(weights, x).logits, perceptron(after, x).logits];
      const wanted = mean(
        now.map((z, i) => {
          const given = softmax([0, 1].map((c) => then[i]![c]! / 3));
          const said = softmax((over === "old" ? [0, 1] : [0, 1, 2]).map((c) => z[c]! / 3));
          return -dot(given, said.slice(0, 2).map(Math.log));
        }),
      );
      const y = [2, 2, 0, 1, 2, 2];
      const step = stepOf({ net, weights: after, x, y });
      expect(value(loss(state, step))).toBeCloseTo(often * 0.5 * wanted, 4);
      if (weighting === "ratio") {
        const fresh = mean(now.map((z, i) => entropy(z, y[i]!)));
        expect(value(taskLoss(state, step))).toBeCloseTo(fresh / 3, 4);
        expect(value(taskLoss({ tensors: undefined }, step))).toBeCloseTo(fresh, 4);
      }
    },
  );

  test("the importance of memory aware synapses is the mean slope of the squared length of the logits", () => {
    const hooks = hooksOf(mas());
    const context = contextOf(net, weights);
    const { tensors } = hooks.afterExperience(
      { tensors: undefined },
      { train: examplesOf(x, [0, 1, 2, 0, 1, 2]), task: 0 } as never,
      context,
    );
    const each = x.map((row) =>
      slopes(weights, (layers) => dot(perceptron(layers, [row]).logits[0]!, perceptron(layers, [row]).logits[0]!)).map(
        Math.abs,
      ),
    );
    close(inOrder(tensors.importance), meanRow(each), 2);
  });
});
