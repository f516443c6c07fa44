import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { bic, icarl, lucir, wa } from "../../lib/strategies/index.ts";
import type { Exemplars } from "../../lib/strategies/parts/exemplars.ts";
import type { Context, Strategy } from "../../lib/strategies/strategy.ts";
import {
  close,
  contextOf,
  dot,
  entropy,
  examplesOf,
  hooksOf,
  layersOf,
  length,
  lossOf,
  matrix,
  mean,
  meanRow,
  noisy,
  normal,
  perceptron,
  predictionOf,
  small,
  softmax,
  stepOf,
  unit,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 2, 5);
const teacher = noisy(weights, random(41));
const x = normal(6, 2, 7);
const y = [0, 3, 1, 4, 2, 3];
/** Classes 0 to 2 are old, 3 and 4 arrive. */
const exemplars: Exemplars = {
  shape: [2],
  scale: 1,
  classes: new Map([0, 1, 2].map((c) => [c, Float32Array.from(normal(2, 2, c).flat())])),
};
const arriving = normal(8, 2, 17);
const labels = [3, 4, 3, 4, 3, 4, 3, 4];
const train = examplesOf(arriving, labels);
const stream = {
  head: "single",
  taskOf: (i: number) => i,
  classesOf: (t: number) => (t === 0 ? [0, 1, 2] : [3, 4]),
  experience: () => ({ train }),
};
const second = { index: 1, task: 1, classes: [3, 4], train } as never;
const context = (of: Weights, more: Partial<Context> = {}): Context =>
  contextOf(net, of, { stream: stream as never, experience: 1, ...more });
/** The state in which the second experience is learnt, the teacher being the network before it. */
const begun = (strategy: Strategy, state: object = { exemplars, tensors: undefined }) =>
  hooksOf(strategy).beforeExperience(state, second, context(teacher));
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;
const logits = perceptron(weights, x).logits;
const before = perceptron(teacher, x).logits;
const old = [0, 1, 2];
/** The softened cross-entropy over the old columns. */
const held = (given: readonly number[], now: readonly number[], temperature: number): number => {
  const over = (z: readonly number[]): number[] => softmax(old.map((c) => z[c]! / temperature));
  return -over(given).reduce((s, p, c) => s + p * Math.log(over(now)[c]!), 0);
};

describe("weight aligning", () => {
  const strategy = wa({ capacity: 10, temperature: 3 });

  test("weighs labels and distillation by the shares of new and old classes", () => {
    const labelled = mean(logits.map((z, i) => entropy(z, y[i]!)));
    const kept = mean(logits.map((z, i) => held(before[i]!, z, 3)));
    const loss = lossOf(strategy, begun(strategy), stepOf({ net, weights, x, y }));
    expect(loss).toBeCloseTo(0.4 * labelled + 0.6 * kept, 4);
  });

  test("gives new columns the mean length of old ones, and says where that lengthens them", () => {
    const after = hooksOf(strategy).afterExperience(begun(strategy), second, context(weights)) as {
      weights: Weights;
      notes: string[];
    };
    const columns = (of: Weights): number[][] => {
      const { kernel } = layersOf(of).at(-1)!;
      return kernel[0]!.map((_, c) => kernel.map((row) => row[c]!));
    };
    const lengths = columns(weights).map(length);
    const factor = mean(old.map((c) => lengths[c]!)) / mean([3, 4].map((c) => lengths[c]!));
    const wanted = columns(weights).map((column, c) => column.map((v) => (c > 2 ? v * factor : v)));
    close(columns(after.weights).flat(), wanted.flat());
    expect(layersOf(after.weights).at(-1)!.bias).toEqual(layersOf(weights).at(-1)!.bias);
    expect(after.notes.some((text) => text.includes("favours the new classes"))).toBe(factor > 1);
  });
});

describe("lucir", () => {
  const strategy = lucir({ capacity: 10, less: 2, ranking: 0.5, margin: 0.6, hardest: 1 });
  const added = { lucir: { scale: tf.scalar(4) } };
  const own = { ...weights, added } as unknown as Weights;
  const cosines = (of: Weights): number[][] => {
    const { kernel } = layersOf(of).at(-1)!;
    return perceptron(of, x).features.map((f) =>
      kernel[0]!.map((_, c) => dot(unit(f), unit(kernel.map((row) => row[c]!)))),
    );
  };
  const state = hooksOf(strategy).beforeExperience(
    { exemplars, tensors: undefined },
    second,
    context({ ...teacher, added } as unknown as Weights),
  );
  const step = stepOf({ net, weights: own, x, y, through: { strategy, state } });

  test("has logits of cosines times a trained scale", () => {
    close(
      matrix(step.logits).flat(),
      cosines(weights).flatMap((row) => row.map((v) => 4 * v)),
    );
  });

  test("keeps the direction of features and a margin between old classes and the hardest new one", () => {
    const [now, then] = [perceptron(weights, x).features, perceptron(teacher, x).features];
    const turned = mean(now.map((f, i) => 1 - dot(unit(f), unit(then[i]!))));
    const ranked = cosines(weights).flatMap((row, i) =>
      y[i]! > 2 ? [] : [Math.max(0, 0.6 - row[y[i]!]! + Math.max(row[3]!, row[4]!))],
    );
    const wanted = 2 * Math.sqrt(3 / 2) * turned + 0.5 * mean(ranked);
    expect(value(hooksOf(strategy).loss(state, step))).toBeCloseTo(wanted, 4);
  });
});

describe("bias correction", () => {
  test("distils from corrected logits, and predicts with them", () => {
    const strategy = bic({ capacity: 10, temperature: 2 });
    const [scale, shift] = [Float32Array.of(1, 1, 0.5, 1, 1), Float32Array.of(0, 0, -0.3, 0, 0)];
    const state = begun(strategy, { exemplars, scale, shift, tensors: {} });
    const corrected = (z: readonly number[]): number[] => z.map((v, c) => v * scale[c]! + shift[c]!);
    const labelled = mean(logits.map((z, i) => entropy(z, y[i]!)));
    const kept = mean(logits.map((z, i) => held(corrected(before[i]!), z, 2)));
    const step = stepOf({ net, weights, x, y });
    expect(lossOf(strategy, state, step)).toBeCloseTo(0.4 * labelled + 0.6 * kept, 4);
    const said = hooksOf(strategy).predict(state, predictionOf(net, weights, x));
    close(matrix(said).flat(), logits.flatMap(corrected));
  });
});

describe("icarl", () => {
  const strategy = hooksOf(icarl({ capacity: 10 }));

  // Class 3 arrives alone: the last of the five columns is of a class not yet met.
  test.each([1, 2])(
    "has a binary cross-entropy for each column met: labels for new ones, what was said before at temperature %i for old ones",
    (temperature) => {
      const own = icarl({ temperature });
      const third = { index: 1, task: 1, classes: [3], train } as never;
      const state = hooksOf(own).beforeExperience({ exemplars, tensors: {} }, third, context(teacher));
      const [sigmoid, seen] = [(z: number): number => 1 / (1 + Math.exp(-z)), y.map((label) => Math.min(label, 3))];
      const each = logits.map((z, i) =>
        [0, 1, 2, 3].reduce((sum, c) => {
          const [p, t] = [sigmoid(z[c]!), c < 3 ? sigmoid(before[i]![c]! / temperature) : +(seen[i] === c)];
          return sum - t * Math.log(p) - (1 - t) * Math.log(1 - p);
        }, 0),
      );
      expect(lossOf(own, state, stepOf({ net, weights, x, y: seen }))).toBeCloseTo(mean(each), 4);
    },
  );

  test("shares its places among all classes of the stream from the start where that is asked for", () => {
    const kept = (share: "met" | "all"): number[] => {
      const all = { ...context(weights), stream: { ...stream, classes: ["a", "b", "c", "d", "e"] } } as never;
      const own = hooksOf(icarl({ capacity: 10, share }));
      const of = { index: 1, task: 1, classes: [3, 4], train } as never;
      const { exemplars: next } = own.afterExperience({ exemplars: null, tensors: {} }, of, all) as {
        exemplars: Exemplars;
      };
      return [...next.classes.values()].map((rows) => rows.length / 2);
    };
    expect(kept("met")).toEqual([4, 4]); // there are four examples of each
    expect(kept("all")).toEqual([2, 2]);
  });

  test("keeps the first exemplars of old classes, herds those of new ones, and predicts by the nearest mean", () => {
    const { exemplars: next, tensors } = strategy.afterExperience(
      { exemplars, tensors: {} },
      second,
      context(weights),
    ) as {
      exemplars: Exemplars;
      tensors: { means: tf.Tensor };
    };
    // Ten places for five classes.
    expect([...next.classes.values()].map((rows) => rows.length / 2)).toEqual([2, 2, 2, 2, 2]);
    const rows = (c: number): number[][] => {
      const flat = [...next.classes.get(c)!];
      return [flat.slice(0, 2), flat.slice(2, 4)];
    };
    for (const c of [3, 4]) {
      const own = arriving.filter((_, i) => labels[i] === c);
      const vectors = perceptron(weights, own).features.map(unit);
      const center = meanRow(vectors);
      const apart = (m: number[]): number => length(m.map((v, j) => v - center[j]!));
      const first = vectors.map((v) => apart(v)).reduce((best, v, i, all) => (v < all[best]! ? i : best), 0);
      const pair = vectors.map((v, i) =>
        i === first ? Number.POSITIVE_INFINITY : apart(meanRow([vectors[first]!, v])),
      );
      close(rows(c).flat(), [own[first]!, own[pair.indexOf(Math.min(...pair))]!].flat());
    }
    const means = [0, 1, 2, 3, 4].map((c) => meanRow(perceptron(weights, rows(c)).features.map(unit)));
    close(matrix(tensors.means).flat(), means.flat());
    const fresh = normal(9, 2, 51);
    const nearest = perceptron(weights, fresh).features.map((f) => {
      const far = means.map((m) => length(m.map((v, j) => v - unit(f)[j]!)));
      return far.indexOf(Math.min(...far));
    });
    const said = strategy.predict({ exemplars: next, tensors }, predictionOf(net, weights, fresh));
    expect([...tf.argMax(said, -1).dataSync()]).toEqual(nearest);
  });
});

test.each([icarl, wa, lucir, bic])("exemplars that are constant images are found out ($strategy)", (make) => {
  const blank = examplesOf(
    arriving.map((_, i) => (labels[i] === 3 ? [1, 1] : arriving[i]!)),
    labels,
  );
  const added = make === lucir ? { added: { lucir: { scale: tf.scalar(4) } } } : {};
  const at = context({ ...weights, ...added } as unknown as Weights, {
    stream: { ...stream, experience: () => ({ train: blank }) } as never,
  });
  const hooks = hooksOf(make());
  const { notes } = hooks.afterExperience(
    hooks.init(at),
    { index: 0, task: 0, classes: [3, 4], train: blank } as never,
    at,
  ) as { notes: string[] };
  expect(notes).toEqual(["the exemplars of class 3 are constant images"]);
});
