/** What a network learns from others, by hand. */
import { describe, expect, test } from "vitest";
import { blobs } from "../../lib/data/blobs.ts";
import { random, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { concatenated, mlp } from "../../lib/models/index.ts";
import { tape } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { trained } from "../../lib/models/trained.ts";
import { sgd } from "../../lib/optim/index.ts";
import {
  distil,
  distilCompetitive,
  distilEnsemble,
  distilFeatures,
  futureTeacher,
} from "../../lib/strategies/index.ts";
import { unlabel } from "../../lib/streams/operators/index.ts";
import { classes } from "../../lib/streams/sources/classes.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { specFromJson } from "../../lib/train/from-json.ts";
import { specHash, specJson, training } from "../../lib/train/spec.ts";
import {
  contextOf,
  dot,
  entropy,
  hooksOf,
  length,
  lossOf,
  mean,
  noisy,
  normal,
  perceptron,
  small,
  softmax,
  stepOf,
} from "./by-hand.ts";
import { run, spec } from "./support.ts";

const { net, weights } = small([5, 4], 2, 3);
const others = [1, 2].map((seed) => small([6], 2, 3, 20 + seed).weights);
const teachers = others.map((own) => trained({ model: mlp({ hidden: [6] }), input: [2], weights: own }));
const x = normal(6, 2, 7);
const y = [0, 2, 1, 0, 2, 1];
const context = contextOf(net, weights, {
  stream: { classes: [], target: "class", head: "single" } as never,
  columns: 3,
});
const student = perceptron(weights, x);
const said = others.map((own) => perceptron(own, x));
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;
const cross = (p: readonly number[], z: readonly number[]): number =>
  -p.reduce((s, v, c) => s + v * Math.log(softmax(z)[c]!), 0);

describe("rows that other strategies have joined", () => {
  const labels = student.logits.map((z, i) => -Math.log(softmax(z)[y[i]!]!));
  const taught = x.map((_, i) =>
    cross(
      softmax(said[0]!.logits[i]!.map((v) => v / 2)),
      student.logits[i]!.map((v) => v / 2),
    ),
  );
  const wanted = (weight: number): number => {
    const current = (1 - weight) * mean(labels.slice(0, 4)) + weight * 4 * mean(taught.slice(0, 4));
    return (4 / 6) * current + (2 / 6) * mean(labels.slice(4));
  };

  test.each([1, 0.6])("are learnt from their labels, and count by their number, with a weight of %s", (weight) => {
    for (const own of [
      distil({ teacher: teachers[0]!, weight }),
      distilEnsemble({ teachers: [teachers[0]!], weight }),
    ]) {
      const state = hooksOf(own as never).init(context);
      expect(lossOf(own as never, state, stepOf({ net, weights, x, y, current: 4 }))).toBeCloseTo(wanted(weight), 4);
    }
    const competitive = distilCompetitive({ weight, temperature: 2 });
    const rows = tf.tensor2d(said[0]!.logits.slice(0, 4));
    const step = stepOf({ net, weights, x, y, current: 4, extra: { said: rows } as never });
    expect(lossOf(competitive as never, {}, step)).toBeCloseTo(wanted(weight), 4);
  });
});

describe("P046: knowledge that each has", () => {
  test.each(["label", "confidence"] as const)("is learnt from who is surer by %s", (partition) => {
    const own = distil({ teacher: teachers[0]!, temperature: 1, weight: 1, partition });
    const before = noisy(weights, random(11));
    const state = hooksOf(own).init(contextOf(net, before, { stream: context.stream, columns: 3 }));
    const was = perceptron(before, x).logits;
    const sure = (z: readonly number[], i: number): number =>
      partition === "label" ? softmax(z)[y[i]!]! : Math.max(...softmax(z));
    const chosen = x.map((_, i) => (sure(said[0]!.logits[i]!, i) > sure(was[i]!, i) ? said[0]!.logits[i]! : was[i]!));
    expect(new Set(chosen.map((z, i) => z === was[i])).size).toBe(2);
    const wanted = mean(chosen.map((z, i) => cross(softmax(z), student.logits[i]!)));
    expect(lossOf(own, state, stepOf({ net, weights, x, y }))).toBeCloseTo(wanted, 4);
  });
});

describe("P309: features of a teacher", () => {
  const map = normal(4, 6, 3);
  const mappedTo = student.features.map((f) => map[0]!.map((_, j) => f.reduce((s, v, k) => s + v * map[k]![j]!, 0)));
  const withMap = { ...weights, added: { distilFeatures: { map: tf.tensor2d(map) } } } as unknown as Weights;
  const wanted = said[0]!.features;
  const loss = (options: Parameters<typeof distilFeatures>[0], at = withMap): number => {
    const own = distilFeatures({ teacher: teachers[0]!, weight: 2, ...options });
    return lossOf(own, hooksOf(own).init(context), stepOf({ net, weights: at, x, y }));
  };
  const cos = (a: readonly number[], b: readonly number[]): number => dot(a, b) / length(a) / length(b);

  test("are compared by squares and by angle", () => {
    const squares = mean(mappedTo.flatMap((g, i) => g.map((v, j) => (v - wanted[i]![j]!) ** 2)));
    expect(loss({ objective: "mse" }) / (2 * squares)).toBeCloseTo(1, 4);
    expect(loss({ objective: "cosine" })).toBeCloseTo(2 * (1 - mean(mappedTo.map((g, i) => cos(g, wanted[i]!)))), 4);
  });

  test("are compared by the distances between examples", () => {
    const distances = (rows: readonly (readonly number[])[]): number[] => {
      const all = rows.flatMap((a) => rows.map((b) => Math.hypot(...a.map((v, j) => v - b[j]!))));
      const average = all.reduce((s, v) => s + v, 0) / (rows.length * (rows.length - 1));
      return all.map((v) => v / average);
    };
    const [a, b] = [distances(student.features), distances(wanted)];
    const huber = a.map((v, i) => Math.abs(v - b[i]!)).map((d) => (d <= 1 ? d * d * 0.5 : d - 0.5));
    const own = distilFeatures({ teacher: teachers[0]!, objective: "relations" });
    const step = stepOf({ net, weights, x, y });
    const of = (features: tf.Tensor): tf.Tensor => hooksOf(own).loss(hooksOf(own).init(context), { ...step, features });
    const slope = tf.grad(of)(step.features).dataSync();
    const moved = step.features.dataSync().slice();
    moved[0]! += 1e-2;
    const up = value(of(tf.tensor(moved, step.features.shape)));
    moved[0]! -= 2e-2;
    expect((up - value(of(tf.tensor(moved, step.features.shape)))) / 2e-2).toBeCloseTo(slope[0]!, 2);
    expect(loss({ objective: "relations" }, weights)).toBeCloseTo(2 * mean(huber), 4);
  });

  test.each([0, 0.9, 1])("are compared by a bound on what they tell of each other (alpha %s)", (alpha) => {
    const critic = wanted.map((t) => mappedTo.map((g) => cos(g, t) / 0.5));
    const m = critic.map((row) => mean(row.map(Math.exp)));
    const base = m.map((v) => alpha * v + 1 - alpha);
    const bound = 1 + mean(critic.map((row, i) => row[i]! - Math.log(base[i]!))) - mean(m.map((v, i) => v / base[i]!));
    expect(loss({ objective: "information", alpha, temperature: 0.5 })).toBeCloseTo(-2 * bound, 4);
    // InfoNCE: the cross-entropy of finding the right one
    if (alpha === 1) expect(bound).toBeCloseTo(Math.log(6) - mean(critic.map((row, i) => entropy(row, i))), 5);
  });
});

describe("P393 and P451: several teachers", () => {
  const at = (t: number) => said.map(({ logits }) => logits.map((z) => softmax(z.map((v) => v / t))));
  const two = (seed: number, inputs: number, outputs: number) => ({
    first: tf.tensor2d(normal(inputs, 5, seed)),
    second: tf.tensor2d(normal(5, outputs, seed + 1)),
  });
  const through = (row: readonly number[], { first, second }: ReturnType<typeof two>): number[] => {
    const [a, b] = [first.arraySync(), second.arraySync()];
    const h = a[0]!.map((_, j) =>
      Math.max(
        0,
        row.reduce((s, v, k) => s + v * a[k]![j]!, 0),
      ),
    );
    return b[0]!.map((_, j) => h.reduce((s, v, k) => s + v * b[k]![j]!, 0));
  };
  const withParts = (parts: object): Weights =>
    ({ ...weights, added: { distilEnsemble: parts } }) as unknown as Weights;
  const softplus = (v: number): number => Math.log1p(Math.exp(v));

  test("are one by their mean, and a judge tells it from the student", () => {
    const own = distilEnsemble({ teachers, weight: 0.8, temperature: 2, adversary: 0.3, units: 5 });
    const judge = two(3, 3, 1);
    const step = stepOf({ net, weights: withParts({ adversary: judge }), x, y });
    const p = at(2)[0]!.map((row, i) => row.map((v, c) => (v + at(2)[1]![i]![c]!) / 2));
    const apart = mean(
      p.map((row, i) =>
        cross(
          row,
          student.logits[i]!.map((v) => v / 2),
        ),
      ),
    );
    const plain = at(1)[0]!.map((row, i) => row.map((v, c) => (v + at(1)[1]![i]![c]!) / 2));
    const told = mean(
      plain.map((row, i) => {
        const [real, fake] = [through(row, judge)[0]!, through(softmax(student.logits[i]!), judge)[0]!];
        return softplus(-real) + softplus(fake) + softplus(-fake);
      }),
    );
    const labels = mean(student.logits.map((z, i) => entropy(z, y[i]!)));
    const state = hooksOf(own).init(context);
    expect(lossOf(own, state, step)).toBeCloseTo(0.2 * labels + 0.8 * 4 * apart + 0.3 * told, 4);
    // The judge learns from both kinds of rows as they are: of the term that moves the student it sees nothing.
    const { grads } = valueAndGrad(
      (parts: { first: tf.Tensor2D; second: tf.Tensor2D }) =>
        hooksOf(own).loss(state, { ...step, weights: withParts({ adversary: parts }) }),
      judge as never,
    ) as unknown as { grads: { second: tf.Tensor } };
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const hidden = (row: readonly number[]): number[] =>
      (judge.first.arraySync() as number[][])[0]!.map((_, j) =>
        Math.max(
          0,
          row.reduce((s, v, k) => s + v * (judge.first.arraySync() as number[][])[k]![j]!, 0),
        ),
      );
    const slope = [0, 1, 2, 3, 4].map((j) =>
      mean(
        plain.map((row, i) => {
          const q = softmax(student.logits[i]!);
          return -sigmoid(-through(row, judge)[0]!) * hidden(row)[j]! + sigmoid(through(q, judge)[0]!) * hidden(q)[j]!;
        }),
      ),
    );
    [...grads.second.dataSync()].forEach((v, j) => {
      expect(v).toBeCloseTo(0.3 * slope[j]!, 4);
    });
  });

  test("have weights that a small network learns, which are kept apart from a choice of one", () => {
    const own = distilEnsemble({ teachers, weight: 1, temperature: 1, combine: "learnt", balance: 0.5, units: 5 });
    const selector = two(5, 6, 2);
    const p = at(1);
    const scores = x.map((_, i) => softmax(through([...p[0]![i]!, ...p[1]![i]!], selector)));
    const mix = scores.map((w, i) => p[0]![i]!.map((v, c) => w[0]! * v + w[1]! * p[1]![i]![c]!));
    const labelled = mean(mix.map((row, i) => -Math.log(row[y[i]!]!)));
    const share = mean(scores.map((w) => w[0]!));
    const variation = (((share - 0.5) ** 2 + (0.5 - share) ** 2) / 2) * 4;
    const apart = mean(mix.map((row, i) => cross(row, student.logits[i]!)));
    const step = stepOf({ net, weights: withParts({ selector }), x, y });
    expect(lossOf(own, hooksOf(own).init(context), step)).toBeCloseTo(apart + labelled + 0.5 * variation, 4);
  });

  test("are heard for their own classes alone where they are specialists, and less the farther they are away", () => {
    const experts = others.map((own, i) =>
      trained({
        model: mlp({ hidden: [6] }),
        input: [2],
        weights: own,
        scenario: "growing",
        met: i === 0 ? [0, 1] : [1, 2],
      }),
    );
    const own = distilEnsemble({ teachers: experts, weight: 0.6, temperature: 2, combine: "own", pace: 0.5 });
    const step = stepOf({ net, weights, x, y });
    const labels = mean(student.logits.map((z, i) => entropy(z, y[i]!)));
    const cool = (z: readonly number[], columns: readonly number[]): number[] => softmax(columns.map((c) => z[c]! / 2));
    const terms = [
      [0, 1],
      [1, 2],
    ].map((columns, t) => {
      const logits = others[t]!;
      const said = perceptron(logits, x).logits;
      const rows = x.map((_, i) => i).filter((i) => columns.includes(y[i]!));
      const far = mean(
        rows.map((i) => {
          const [p, q] = [cool(said[i]!, columns), cool(student.logits[i]!, columns)];
          return p.reduce((sum, v, c) => sum + v * Math.log(v / q[c]!), 0);
        }),
      );
      return far * Math.max(0, 1 - far / 0.5);
    });
    const wanted = 0.4 * labels + 0.6 * 4 * (terms[0]! + terms[1]!);
    expect(lossOf(own, hooksOf(own).init(context), step)).toBeCloseTo(wanted, 4);
  });

  test("stand in the record as their checksums, and the study is made again from it", () => {
    const data = blobs({ classes: 3, dimensions: 2, perClass: 8, testPerClass: 4 });
    const given = spec(classes(data) as unknown as Stream, [distilEnsemble({ teachers }) as never]);
    const named = teachers.map((own) => trained({ ...own.parts, classes: classes(data).classes }));
    const ours = { ...given, strategies: [distilEnsemble({ teachers: named })] };
    const json = JSON.parse(JSON.stringify(specJson(ours)));
    expect(json.strategies[0].options.teachers).toEqual(named.map(({ checksum }) => ({ network: checksum })));
    expect(specHash(specFromJson(json, [data], named))).toBe(specHash(ours));
    expect(() => specFromJson(json, [data])).toThrow("the network with checksum");
    expect(run(ours as never).weights.every(Number.isFinite)).toBe(true);
  });
});

describe("P324: a teacher that has seen the next step", () => {
  test("moves by the labels and by the classes that the teacher ahead gives, as worked with plain descent", () => {
    const labels = [0, -1, 1, -1, -1, 2];
    const [rate, momentum, weight] = [0.4, 0.7, 0.5];
    const own = futureTeacher({ momentum, weight, threshold: 0.4, noise: 0 });
    const teacher = noisy(weights, random(5));
    const supervised = noisy(weights, random(6));
    const step = stepOf({ net, weights, x, y: labels, rate });
    const got = hooksOf(own).gradient({ carried: { teacher } }, supervised, step) as Weights;
    const flat = (tree: unknown): number[] =>
      tree instanceof tf.Tensor ? [...tree.dataSync()] : Object.values(tree as object).flatMap(flat);
    const like = (numbers: readonly number[]): Weights => {
      let at = 0;
      const visit = (node: object): object =>
        Object.fromEntries(
          Object.entries(node).map(([name, child]) => {
            if (!(child instanceof tf.Tensor)) return [name, visit(child as object)];
            return [name, tf.tensor([...numbers.slice(at, (at += child.size))], child.shape)];
          }),
        );
      return visit(weights) as Weights;
    };
    /** The slope of the rows without a label, by finite differences. */
    const slope = (by: Weights): number[] => {
      const p = perceptron(by, x).logits.map((z) => softmax(z));
      const value = (numbers: readonly number[]): number =>
        (weight / x.length) *
        perceptron(like(numbers), x).logits.reduce(
          (s, z, i) =>
            labels[i]! < 0 && Math.max(...p[i]!) >= 0.4 ? s + entropy(z, p[i]!.indexOf(Math.max(...p[i]!))) : s,
          0,
        );
      const base = flat(weights);
      return base.map((_, k) => {
        const moved = (by: number): number[] => base.map((v, j) => (j === k ? v + by : v));
        return (value(moved(1e-2)) - value(moved(-1e-2))) / 2e-2;
      });
    };
    const [now, given] = [flat(weights), flat(supervised)];
    const ahead = now.map((v, k) => v - rate * (given[k]! + slope(teacher)[k]!));
    const next = like(flat(teacher).map((t, k) => momentum * t + (1 - momentum) * ahead[k]!));
    const wanted = given.map((g, k) => g + slope(next)[k]!);
    flat(got).forEach((v, k) => {
      expect(Math.abs(v - wanted[k]!)).toBeLessThan(2e-2);
    });
    const classesBy = (of: Weights): number[] => perceptron(of, x).logits.map((z) => z.indexOf(Math.max(...z)));
    expect(classesBy(teacher)).not.toEqual(classesBy(next)); // the two teachers disagree, so that it matters which is asked
  });

  test("trains from few labels", () => {
    const data = blobs({ classes: 3, dimensions: 3, perClass: 30, testPerClass: 10 });
    const few = unlabel(0.9)(classes(data)) as unknown as Stream;
    const given = spec(few, [futureTeacher({ momentum: 0.9 }) as never], {
      optimizer: sgd({ lr: 0.1 }),
      training: training({ batch: 9, epochs: 5 }),
    });
    const { weights: with_ } = run(given);
    expect(with_.every(Number.isFinite)).toBe(true);
    expect(with_).not.toEqual(run({ ...given, strategies: [] }).weights);
  });
});

describe("P287: features of several networks", () => {
  test("stand side by side, from the weights that each was trained to", () => {
    const model = concatenated(teachers);
    const joint = network(model, [2]);
    const features = tf.tidy(() => {
      const own = joint.init(random(0), 3);
      return joint.features(own, tf.tensor2d(x), tape(false, null, {}).mode).arraySync();
    }) as number[][];
    features.forEach((row, i) => {
      const wanted = [...said[0]!.features[i]!, ...said[1]!.features[i]!];
      row.forEach((v, j) => {
        expect(v).toBeCloseTo(wanted[j]!, 5);
      });
    });
    expect(() => concatenated([])).toThrow("at least one network");
  });
});
