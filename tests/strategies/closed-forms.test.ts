import { describe, expect, test } from "vitest";
import { fecam, fetril, kalman, nearestMean, slda } from "../../lib/strategies/index.ts";
import { drifted, logLikelihood, observed, vague } from "../../lib/strategies/parts/kalman-filter.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import {
  close,
  contextOf,
  dot,
  examplesOf,
  hooksOf,
  length,
  matrix,
  mean,
  meanRow,
  normal,
  perceptron,
  predictionOf,
  type Rows,
  small,
  softmax,
  solved,
  transposed,
  unit,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 3, 3);
/** Three classes around different places; the third comes later. */
const rows = (n: number, seed: number): { x: number[][]; y: number[] } => {
  const y = Array.from({ length: n }, (_, i) => i % 3);
  return { x: normal(n, 3, seed).map((row, i) => row.map((v, j) => v * (1 + 0.3 * j) + (j === y[i] ? 2 : 0))), y };
};
const { x, y } = rows(36, 5);
const fresh = rows(20, 6).x;
const of = (classes: readonly number[]) => {
  const at = [...y.keys()].filter((i) => classes.includes(y[i]!));
  return { x: at.map((i) => x[i]!), y: at.map((i) => y[i]!) };
};
/** What a strategy predicts after learning the first two classes and then the third. */
const predicted = (strategy: Strategy): number[][] => {
  const hooks = hooksOf(strategy);
  const context = contextOf(net, weights);
  const learn = hooks.learn ?? hooks.afterExperience;
  const state = [[0, 1], [2]].reduce((before, classes, index) => {
    const part = of(classes);
    const train = examplesOf(part.x, part.y);
    const stream = { ...context.stream, experience: () => ({ train }) };
    return learn(before, { train, index, classes } as never, {
      ...context,
      experience: index,
      stream: stream as never,
    });
  }, hooks.init(context));
  return matrix(hooks.predict(state, predictionOf(net, weights, fresh)));
};
const apart = (a: readonly number[], b: readonly number[]): number[] => a.map((v, i) => v - b[i]!);
const covariance = (of: Rows): number[][] => {
  const center = meanRow(of);
  return center.map((_, j) =>
    center.map((_, k) => of.reduce((s, v) => s + (v[j]! - center[j]!) * (v[k]! - center[k]!), 0) / (of.length - 1)),
  );
};
const mahalanobis = (d: readonly number[], a: Rows): number => dot(d, solved(a, d));

test.each([0, 1])("nearest mean scores by the squared distance from class means (features: %s)", (deep) => {
  const v = (of: Rows): Rows => (deep ? perceptron(weights, of).features : of);
  const means = [0, 1, 2].map((c) => meanRow(v(of([c]).x)));
  const wanted = v(fresh).map((row) => means.map((m) => -(length(apart(row, m)) ** 2)));
  close(predicted(nearestMean({ of: deep ? "features" : "inputs" })).flat(), wanted.flat(), 2);
});

test("slda scores by the shared covariance within classes, shrunk towards the identity", () => {
  const within = [0, 1, 2].map((c) => covariance(of([c]).x));
  const shrinkage = 0.2;
  // Each class has 12 rows; the pooled covariance divides by all of them.
  const pooled = within[0]!.map((row, j) =>
    row.map((_, k) => (1 - shrinkage) * mean(within.map((s) => (s[j]![k]! * 11) / 12)) + (j === k ? shrinkage : 0)),
  );
  const means = [0, 1, 2].map((c) => meanRow(of([c]).x));
  const wanted = fresh.map((v) => means.map((m) => dot(v, solved(pooled, m)) - 0.5 * dot(m, solved(pooled, m))));
  close(predicted(slda({ of: "inputs", shrinkage })).flat(), wanted.flat(), 2);
});

test.each([true, false])("fecam scores by each class's own shrunk correlation matrix (unit length: %s)", (long) => {
  const [gamma1, gamma2, power] = [0.8, 0.3, 0.5];
  const positive = (of: Rows): number[][] => perceptron(weights, of).features as number[][];
  const tukey = (row: readonly number[]): number[] => row.map((v) => v ** power);
  const sized = (row: readonly number[]): number[] => (long ? unit(row) : [...row]);
  const known = [0, 1, 2].map((c) => {
    const own = positive(of([c]).x);
    const sigma = covariance(own.map(tukey));
    const n = sigma.length;
    const diagonal = mean(sigma.map((row, i) => row[i]!));
    const rest = sigma.flatMap((row, i) => row.filter((_, j) => j !== i)).reduce((a, b) => a + b, 0) / (n * (n - 1));
    const shrunk = sigma.map((row, i) => row.map((v, j) => v + (i === j ? gamma1 * diagonal : gamma2 * rest)));
    const correlation = shrunk.map((row, i) => row.map((v, j) => v / Math.sqrt(shrunk[i]![i]! * shrunk[j]![j]!)));
    return { center: sized(tukey(meanRow(own))), correlation };
  });
  const wanted = positive(fresh).map((v) =>
    known.map(({ center, correlation }) => -mahalanobis(apart(sized(tukey(v)), center), correlation)),
  );
  const got = predicted(fecam({ of: "features", gamma1, gamma2, power, unit: long }));
  close(got.flat(), wanted.flat(), 2);
});

describe("fetril", () => {
  test("stands in for an old class by the nearest new one moved to its mean, under the classifier with the least loss", () => {
    const decay = 0.05;
    const strategy = fetril({ rounds: 600, decay });
    const features = (c: number): number[][] => perceptron(weights, of([c]).x).features as number[][];
    const third = features(2);
    const moved = (c: number): number[][] => {
      const shift = apart(meanRow(features(c)), meanRow(third));
      return third.map((v) => v.map((a, j) => a + shift[j]!));
    };
    const pseudo = [moved(0), moved(1), third];
    const context = contextOf(net, weights);
    const hooks = hooksOf(strategy);
    const state = [[0, 1], [2]].reduce((before, classes, index) => {
      const part = of(classes);
      const stream = { ...context.stream, experience: () => ({ train: examplesOf(part.x, part.y) }) };
      return hooks.afterExperience(before, { index } as never, { ...context, stream: stream as never });
    }, hooks.init(context));
    // At the minimum the slope of the mean cross-entropy plus ½ decay ‖kernel‖² is 0.
    const [kernel, bias] = [matrix(state.tensors.kernel), [...state.tensors.bias.dataSync()] as number[]];
    const errors = pseudo.flatMap((own, c) =>
      own.map((v) => ({
        v,
        e: softmax(
          bias.map(
            (b, k) =>
              b +
              dot(
                v,
                kernel.map((row) => row[k]!),
              ),
          ),
        ).map((p, k) => p - +(k === c)),
      })),
    );
    kernel.forEach((row, j) => {
      row.forEach((w, k) => {
        expect(mean(errors.map(({ v, e }) => v[j]! * e[k]!)) + decay * w).toBeCloseTo(0, 2);
      });
    });
    bias.forEach((_, k) => {
      expect(mean(errors.map(({ e }) => e[k]!))).toBeCloseTo(0, 2);
    });
    const wanted = perceptron(weights, fresh).features.map((v) =>
      bias.map(
        (b, k) =>
          b +
          dot(
            v,
            kernel.map((row) => row[k]!),
          ),
      ),
    );
    close(matrix(hooks.predict(state, predictionOf(net, weights, fresh))).flat(), wanted.flat());
  });
});

describe("kalman head", () => {
  test("without drift it is ridge regression on all examples at once, whatever the batches", () => {
    const [prior, noise] = [0.8, 0.3];
    const whole = x.map((row) => [...row, 1]);
    const wide = 4;
    const gram = Array.from({ length: wide }, (_, j) =>
      Array.from({ length: wide }, (_, k) =>
        whole.reduce((s, v) => s + v[j]! * v[k]!, j === k ? (noise / prior) ** 2 : 0),
      ),
    );
    const kernel = transposed(
      [0, 1, 2].map((c) =>
        solved(
          gram,
          Array.from({ length: wide }, (_, j) => whole.reduce((s, v, i) => s + (y[i] === c ? v[j]! : 0), 0)),
        ),
      ),
    );
    const wanted = fresh.map((v) =>
      [0, 1, 2].map((c) =>
        dot(
          [...v, 1],
          kernel.map((row) => row[c]!),
        ),
      ),
    );
    close(predicted(kalman({ of: "inputs", prior, noise })).flat(), wanted.flat(), 3);
  });

  test("uncertain, it gives the probabilities of Bayes' rule under the variance of the regression, nearly even far away", () => {
    const [prior, noise] = [0.8, 0.3];
    const far = [...fresh.slice(0, 5), [40, -60, 50]];
    const means = (uncertain: boolean): number[][] => {
      const hooks = hooksOf(kalman({ of: "inputs", prior, noise, uncertain }));
      const context = contextOf(net, weights);
      const state = hooks.learn(hooks.init(context), { train: examplesOf(x, y) } as never, context);
      return matrix(hooks.predict(state, predictionOf(net, weights, far)));
    };
    // the posterior covariance of a regression: noise² (Σ v vᵀ + (noise / prior)² I)⁻¹
    const whole = x.map((row) => [...row, 1]);
    const gram = [0, 1, 2, 3].map((j) =>
      [0, 1, 2, 3].map((k) => whole.reduce((s, v) => s + v[j]! * v[k]!, j === k ? (noise / prior) ** 2 : 0)),
    );
    const wanted = means(false).map((row, i) => {
      const v = [...far[i]!, 1];
      const spread = noise ** 2 * (1 + dot(v, solved(gram, v)));
      // by Bayes' rule over the densities of (1, 0, 0), (0, 1, 0) and (0, 0, 1)
      const logs = row.map((_, c) => -row.reduce((s, m, k) => s + (+(k === c) - m) ** 2, 0) / (2 * spread));
      return softmax(logs);
    });
    const got = means(true).map(softmax);
    close(got.flat(), wanted.flat(), 3);
    const surest = (row: readonly number[]): number => Math.max(...row);
    expect(surest(got.at(-1)!)).toBeLessThan(Math.min(...got.slice(0, -1).map(surest)));
  });

  test("a drift and an observation of one number are those of the filter by hand", () => {
    const [keep, prior, noise] = [0.9, 2, 0.5];
    let belief = vague(1, 2, prior);
    let [p, m] = [prior ** 2, [0, 0]];
    for (const [v, label] of [
      [1.5, 0],
      [-0.7, 1],
      [0.4, 1],
    ] as const) {
      belief = observed(drifted(belief, keep, prior), Float64Array.of(v), Int32Array.of(label), noise);
      p = keep ** 2 * p + (1 - keep ** 2) * prior ** 2;
      const gain = (p * v) / (v * v * p + noise ** 2);
      m = m.map((mu, c) => keep * mu + gain * (+(c === label) - v * keep * mu));
      p -= gain * v * p;
      close([...belief.mean, ...belief.covariance], [...m, p], 9);
    }
  });

  test("the likelihood of a batch is that of its rows one after the other", () => {
    const noise = 0.4;
    const start = observed(vague(3, 2, 1), Float64Array.from([1, 0, 2]), Int32Array.of(1), noise);
    const batch = normal(4, 3, 9);
    const labels = [0, 1, 1, 0];
    let [belief, total] = [start, 0];
    batch.forEach((row, i) => {
      const spread = row.reduce(
        (s, a, j) => s + row.reduce((r, b, k) => r + a * b * belief.covariance[j * 3 + k]!, 0),
        noise ** 2,
      );
      for (const c of [0, 1]) {
        const error = +(c === labels[i]) - row.reduce((s, v, j) => s + v * belief.mean[j * 2 + c]!, 0);
        total += -0.5 * (error ** 2 / spread + Math.log(spread));
      }
      belief = observed(belief, Float64Array.from(row), Int32Array.of(labels[i]!), noise);
    });
    expect(logLikelihood(start, Float64Array.from(batch.flat()), Int32Array.from(labels), noise)).toBeCloseTo(total, 8);
  });

  test("a learnt drift forgets more where labels change their meaning than where they stay", () => {
    const hooks = hooksOf(kalman({ of: "inputs", drift: "learnt", keep: 0.99, rate: 0.3 }));
    const context = contextOf(net, weights, { batch: 5 });
    const memory = (turns: boolean): number => {
      let state = hooks.init(context);
      for (let e = 0; e < 6; e++) {
        const from = rows(30, 40 + e);
        const labels = from.y.map((c) => (turns && e % 2 === 1 ? (c + 1) % 3 : c));
        state = hooks.learn(state, { train: examplesOf(from.x, labels) } as never, context);
      }
      return state.memory;
    };
    expect(memory(true)).toBeLessThan(memory(false));
  });
});
