import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { sgd } from "../../lib/optim/index.ts";
import { aper, ease, l2Anchor, mos, simpleCil, slca } from "../../lib/strategies/index.ts";
import { alignedHead, evened, gaussiansOf } from "../../lib/strategies/parts/alignment.ts";
import type { Bottlenecks } from "../../lib/strategies/parts/bottlenecks.ts";
import { type Known, prototypeUnder } from "../../lib/strategies/parts/synthesised.ts";
import { open } from "../../lib/train/session.ts";
import { begun, featuresWith, sequences } from "./attentive.ts";
import { contextOf, examplesOf, hooksOf, matrix, normal, predictionOf, small, stepOf } from "./by-hand.ts";
import { numbers, spec, stream } from "./support.ts";

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const cosine = (a: readonly number[], b: readonly number[]): number =>
  dot(a, b) / (Math.hypot(...a) * Math.hypot(...b));
const meanOf = (rows: readonly (readonly number[])[]): number[] =>
  rows[0]!.map((_, j) => rows.reduce((s, row) => s + row[j]!, 0) / rows.length);
const close = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 5): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]!).toBeCloseTo(b[i]!, digits);
};

describe("SimpleCIL", () => {
  const { net, weights } = small([5], 3, 3);
  const [x, y] = [normal(6, 3, 1), [0, 1, 0, 1, 1, 0]];
  const learn = (parts: readonly (readonly number[])[]) =>
    parts.reduce(
      (state, at) =>
        hooksOf(simpleCil()).learn(
          state,
          {
            train: examplesOf(
              at.map((i) => x[i]!),
              at.map((i) => y[i]!),
            ),
          } as never,
          contextOf(net, weights),
        ),
      {},
    );

  test("scores by the cosine of features and class means, whatever the order in which examples come", () => {
    const features = matrix(predictionOf(net, weights, x).features);
    const means = [0, 1].map((label) => meanOf(features.filter((_, i) => y[i] === label)));
    for (const parts of [[[0, 1, 2, 3, 4, 5]], [[5, 1], [0, 4, 3], [2]]]) {
      const scores = matrix(hooksOf(simpleCil()).predict(learn(parts), predictionOf(net, weights, x)));
      for (const [i, row] of scores.entries()) {
        close(
          row.slice(0, 2),
          means.map((mean) => cosine(features[i]!, mean)),
        );
        expect(row[2]).toBeLessThan(-1e8);
      }
    }
  });
});

describe("APER", () => {
  test("scores by the means of features before and after the first experience, side by side, and trains no more", () => {
    const given = spec(stream(aper as never), [aper()], { optimizer: sgd({ lr: 0.3 }) });
    const session = open(given, 0, "test");
    const start = numbers(session.learner.weights.model);
    const after: number[][] = [];
    while (session.advance()) if (session.cursor.phase === "before") after.push(numbers(session.learner.weights));
    expect(after.at(-1)).toEqual(after.at(-2));
    expect(numbers(session.learner.weights.model)).not.toEqual(start);
    session.dispose();
  });

  test("keeps the means of both", () => {
    const [{ net, weights: first }, { weights: later }] = [small([4], 3, 2, 1), small([4], 3, 2, 2)];
    const [x, y] = [normal(4, 3, 5), [0, 1, 1, 0]];
    const train = examplesOf(x, y);
    const base = contextOf(net, later);
    const context = {
      ...base,
      stream: { ...base.stream, experience: () => ({ train }) } as never,
      outputs: (of: typeof train, at = later) => contextOf(net, at).outputs(of),
    };
    const state = hooksOf(aper()).afterExperience(
      { prototypes: null, tensors: { start: first } },
      { index: 0 } as never,
      context,
    );
    const [before, after] = [first, later].map((at) => matrix(predictionOf(net, at, x).features));
    const rows = before!.map((row, i) => [...row, ...after![i]!]);
    const means = [0, 1].map((label) => meanOf(rows.filter((_, i) => y[i] === label)));
    const scores = matrix(hooksOf(aper()).predict(state, predictionOf(net, later, x)));
    for (const [i, row] of scores.entries())
      close(
        row,
        means.map((mean) => cosine(rows[i]!, mean)),
      );
  });
});

const drawnBottlenecks = (seed: number): Bottlenecks =>
  Object.fromEntries(
    [0, 1].map((b) => {
      const rng = random(seed).at(b);
      const part = (name: string, shape: number[]): tf.Tensor => rng.at(name).normals(shape);
      const bottleneck = {
        down: part("d", [4, 3]),
        downBias: part("b", [3]),
        up: part("u", [3, 4]),
        upBias: part("c", [4]),
      };
      return [b, bottleneck];
    }),
  );
const besideBy = (own: Bottlenecks, b: number) => (x: tf.Tensor) => {
  const { down, downBias, up, upBias } = own[b]!;
  const inner = tf.relu(tf.add(tf.matMul(tf.reshape(x, [-1, 4]), down as tf.Tensor2D), downBias));
  return tf.mul(tf.reshape(tf.add(tf.matMul(inner as tf.Tensor2D, up as tf.Tensor2D), upBias), x.shape), 0.5);
};

describe("EASE", () => {
  const [drawn, beside] = [drawnBottlenecks, besideBy];
  const features = (
    own: Bottlenecks,
    weights: ReturnType<typeof begun>["weights"],
    x: readonly (readonly number[])[],
  ) => featuresWith(weights, sequences(x), [{ beside: beside(own, 0) }, { beside: beside(own, 1) }]);

  test("puts a bottleneck beside the dense layers of each block", () => {
    const own = drawn(3);
    const { net, weights } = begun({ ease: own });
    const x = normal(3, 12, 4);
    const step = stepOf({
      net,
      weights,
      x,
      through: { strategy: ease({ units: 3, scale: 0.5 }), state: { tensors: {} } },
    });
    close(step.features.dataSync(), features(own, weights, x).dataSync(), 4);
  });

  test("makes a class's prototype under a later adapter of those of new classes, by their likeness under its own", () => {
    const of = (task: number, ...means: number[][]): Known => ({ task, means: means.map((m) => Float64Array.from(m)) });
    const [old, a, b] = [of(0, [1, 0]), of(1, [1, 1], [2, 0]), of(1, [0, 1], [0, 4])];
    const [sa, sb] = [Math.exp(1 / Math.SQRT2), Math.exp(0)];
    close(prototypeUnder(1, old, [old, a, b]), [(2 * sa) / (sa + sb), (4 * sb) / (sa + sb)]);
    close(prototypeUnder(0, old, [old, a, b]), [1, 0]);
    close(prototypeUnder(1, a, [old, a, b]), [2, 0]);
  });

  test("adds up the cosines under all adapters, those of other experiences a little", () => {
    const strategy = ease({ units: 3, scale: 0.5, alpha: 0.2 });
    const adapters = [drawn(3), drawn(8)];
    const { net, weights } = begun({ ease: adapters[1]! });
    const [x, y] = [normal(6, 12, 6), [2, 1, 2, 1, 1, 2]];
    const train = examplesOf(x, y);
    const base = contextOf(net, weights);
    const context = {
      ...base,
      columns: 3,
      stream: { ...base.stream, experience: () => ({ train }) } as never,
      outputs: (_of: unknown, at = weights) => ({
        features: features(at.added!.ease as never, weights, x).dataSync() as Float32Array,
        logits: new Float32Array(0),
      }),
    };
    const first = random(17).normals([4]).dataSync();
    const known = new Map([[0, { task: 0, means: [Float64Array.from(first)] }]]);
    const before = { known, tensors: { adapters: [adapters[0]!] } };
    const state = hooksOf(strategy).afterExperience(before, { index: 1 } as never, context);
    const under = adapters.map((own) => matrix(features(own, weights, x)));
    const means = [1, 2].map((label) => under.map((rows) => meanOf(rows.filter((_, i) => y[i] === label))));
    const like = means.map(([inFirst]) => Math.exp(cosine([...first], inFirst!)));
    const total = like[0]! + like[1]!;
    const old = means[0]![1]!.map((v, j) => (like[0]! * v + like[1]! * means[1]![1]![j]!) / total);
    const step = stepOf({ net, weights, x, through: { strategy, state } });
    const scores = matrix(hooksOf(strategy).predict(state, { ...step, forward: step.forward } as never));
    for (const [i, row] of scores.entries()) {
      const at = (d: number, mean: readonly number[]): number => cosine(under[d]![i]!, mean);
      const wanted = [at(0, [...first]) + 0.2 * at(1, old), ...means.map(([a, b]) => 0.2 * at(0, a!) + at(1, b!))];
      close(row, wanted, 4);
    }
  });
});

describe("SLCA", () => {
  test("moves the model a hundredth of the way, and the head all of it", () => {
    const [{ net, weights: before }, { weights: after }] = [small([4], 3, 2, 1), small([4], 3, 2, 2)];
    const moved = hooksOf(slca({ slow: 0.01 })).weights(
      {},
      { before, after } as never,
      stepOf({ net, weights: before, x: [[1, 1, 1]] }),
    );
    const [was, now, got] = [before, after, moved].map(({ model }) => numbers(model));
    close(
      got!,
      was!.map((v, i) => v + 0.01 * (now![i]! - v)),
      6,
    );
    expect(numbers(moved.head)).toEqual(numbers(after.head));
  });

  test("takes means and covariances of features as numpy's cov does, with a little on the diagonal", () => {
    const own = gaussiansOf(Float32Array.from([1, 2, 3, 4, 5, 9, 7, 7]), Int32Array.from([3, 3, 3, 5]), 2);
    const { mean, factor, experience } = own.get(3)!;
    expect(experience).toBe(2);
    close(mean, [3, 5]);
    const [a, , b, c] = factor as unknown as number[];
    close([a! * a!, a! * b!, b! * b! + c! * c!], [4 + 1e-4, 7, 13 + 1e-4]);
  });

  test("evens logits by the mean length of those of each experience", () => {
    const out = evened(
      tf.tensor2d([[3, 4, 12]]),
      tf.tensor2d([
        [1, 1, 0],
        [0, 0, 1],
      ]),
      0.1,
    );
    close(
      out.dataSync(),
      [3, 4, 12].map((v) => v / ((5 + 12) / 2) / 0.1),
      3,
    );
  });

  test("fits the head to draws of all classes: where one class alone competes there is only the decay, and two are told apart", () => {
    const { net, weights } = small([2], 3, 3);
    const at = (label: number, mean: number[], experience: number) =>
      [label, { experience, mean: Float64Array.from(mean), factor: Float64Array.from([0.1, 0, 0, 0.1]) }] as const;
    const options = { rounds: 1, perClass: 16, rate: 0.5, decay: 0.1, temperature: 0, keeps: 1 };
    const one = alignedHead(net, weights, new Map([at(1, [1, 0], 0)]), 3, options, random(1));
    close(
      numbers(one),
      numbers(weights.head).map((w) => w * (1 - 0.5 * 0.1)),
      5,
    );
    const classes = new Map([at(0, [1, 0], 0), at(2, [0, 1], 1)]);
    const two = alignedHead(net, weights, classes, 3, { ...options, rounds: 30, decay: 0 }, random(2));
    const logits = matrix(
      net.logits(
        { ...weights, head: two },
        tf.tensor2d([
          [1, 0],
          [0, 1],
        ]),
      ),
    );
    expect(logits[0]![0]!).toBeGreaterThan(logits[0]![2]! + 2);
    expect(logits[1]![2]!).toBeGreaterThan(logits[1]![0]! + 2);
  });
});

describe("MOS", () => {
  const strategy = mos({ units: 3, scale: 0.5, merge: 0.25, apart: 0.1, slow: 0.1 });
  const adapters = [drawnBottlenecks(3), drawnBottlenecks(8)];

  test("draws an adapter to the mean of the past ones, and moves the head slowly", () => {
    const { weights: before } = begun({ mos: adapters[0]! });
    const { net, weights: plain } = begun({ mos: adapters[1]! });
    const after = { ...plain, head: { kernel: tf.ones([4, 3]), bias: tf.ones([3]) } };
    const mean = drawnBottlenecks(5);
    const step = stepOf({ net, weights: before, x: normal(1, 12, 1) });
    const moved = hooksOf(strategy).weights({ tensors: { mean } }, { before, after } as never, step);
    const [own, past] = [numbers(adapters[1]), numbers(mean)];
    close(
      numbers(moved.added!.mos),
      own.map((v, i) => 0.75 * v + 0.25 * past[i]!),
      5,
    );
    const [was, now] = [numbers(before.head), numbers(after.head)];
    close(
      numbers(moved.head),
      was.map((v, i) => v + 0.1 * (now[i]! - v)),
      5,
    );
  });

  test("keeps features apart by the cross-entropy of telling rows from each other by their products", () => {
    const { net, weights } = small([3], 2, 2);
    const step = stepOf({ net, weights, x: normal(3, 2, 2), current: 2 });
    const rows = [[0.5, -1, 0.25], ...matrix(step.features).slice(0, 2)];
    const wanted = rows.map((a, i) => {
      const like = rows.map((b) => dot(a, b) / 0.8);
      return Math.log(like.reduce((s, v) => s + Math.exp(v), 0)) - like[i]!;
    });
    const means = tf.tensor2d([[0.5, -1, 0.25]]);
    const term = hooksOf(strategy).loss({ tensors: { means } }, step).dataSync()[0]!;
    expect(term).toBeCloseTo((0.1 * wanted.reduce((a, b) => a + b, 0)) / 3, 5);
  });

  test("goes from the adapter of the class it decides for to that of the next, and adds what the plain network says", () => {
    const { net, weights } = begun({ mos: adapters[1]! });
    const owner = [
      [1, 0],
      [0, 1],
      [0, 1],
    ];
    const x = normal(8, 12, 9);
    const state = { tensors: { adapters, owner: tf.tensor2d(owner) } };
    const step = stepOf({ net, weights, x, through: { strategy, state } });
    const under = (own?: Bottlenecks): number[][] => {
      const into = own === undefined ? [] : [{ beside: besideBy(own, 0) }, { beside: besideBy(own, 1) }];
      return matrix(net.logits(weights, featuresWith(weights, sequences(x), into)));
    };
    const [plain, each] = [under(), adapters.map((own) => under(own))];
    const best = (row: readonly number[]): number => row.indexOf(Math.max(...row));
    const soft = (row: readonly number[], times = 1): number[] => {
      const e = row.map((v) => Math.exp(v * times));
      return e.map((v) => v / e.reduce((a, b) => a + b, 0));
    };
    const scores = matrix(hooksOf(strategy).predict(state, step as never));
    for (const [i, row] of plain.entries()) {
      let at = owner[best(row)]!.indexOf(1);
      for (let loop = 1; loop < 4; loop++) at = owner[best(each[at]![i]!)]!.indexOf(1);
      const [found, sharp] = [soft(each[at]![i]!), soft(row, 2)];
      close(
        scores[i]!.map(Math.exp),
        found.map((v, c) => v + sharp[c]!),
        3,
      );
    }
  });
});

describe("the L2 pull of a closer look at rehearsal-free learning (P052)", () => {
  test("holds the weights that it is told and no others", () => {
    const { net, weights } = begun();
    const strategy = l2Anchor({ lambda: 0.5, on: ["*query", "*key", "*value", "*out"] });
    const state = hooksOf(strategy).beforeExperience({}, { index: 1 } as never, contextOf(net, weights));
    const moved = begun().weights;
    const by = (path: string): number => (/(query|key|value|out)$/.test(path) ? 2 : 3);
    let wanted = 0;
    const shift = (node: object, path: string): object =>
      Object.fromEntries(
        Object.entries(node).map(([name, child]) => {
          if (!(child instanceof tf.Tensor)) return [name, shift(child as object, name)];
          if (by(path) === 2) wanted += 0.5 * 4 * child.size;
          return [name, tf.add(child, by(path))];
        }),
      );
    const at = shift(moved, "") as typeof weights;
    const term = hooksOf(strategy).loss(state, stepOf({ net, weights: at, x: normal(1, 12, 1) }));
    expect(term.dataSync()[0]! / wanted).toBeCloseTo(1, 5);
    expect(() =>
      hooksOf(l2Anchor({ on: "nothing" })).beforeExperience({}, { index: 1 } as never, contextOf(net, weights)),
    ).toThrow('l2Anchor: a filter that selects a weight is required, got "nothing"');
  });
});
