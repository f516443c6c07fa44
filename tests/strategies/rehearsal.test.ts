import { describe, expect, test } from "vitest";
import { gather, table } from "../../lib/data/dataset.ts";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import {
  clsEr,
  erAce,
  erAml,
  gdumb,
  gss,
  mir,
  momentumInterpolation,
  powerLawReplay,
  replay,
} from "../../lib/strategies/index.ts";
import { continualPretrain } from "../../lib/strategies/replay/continual-pretrain.ts";
import {
  batchOf,
  close,
  contextOf,
  dot,
  entropy,
  examplesOf,
  hooksOf,
  inOrder,
  layersOf,
  lossOf,
  mean,
  noisy,
  normal,
  perceptron,
  predictionOf,
  slopes,
  small,
  softmax,
  stepOf,
  unit,
} from "./by-hand.ts";
import { numbers, run, spec, stream } from "./support.ts";

const { net, weights } = small([5, 4], 2, 4);
const x = normal(7, 2, 21);
const y = [2, 3, 2, 0, 1, 2, 0];
const { features, logits } = perceptron(weights, x);
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;
/** Three new rows, two drawn by the method, two by another strategy of which the second does not count. */
const step = (name: string, more = {}) =>
  stepOf({ net, weights, x, y, current: 3, rows: { [name]: [3, 5] }, weight: [1, 1, 1, 1, 1, 1, 0], ...more });
const counted = [3, 4, 5];

describe("asymmetric replay", () => {
  test("er-ace lets new rows compete with the classes of their batch, and past rows with all", () => {
    const fresh = mean([0, 1, 2].map((i) => entropy(logits[i]!, y[i]!, [2, 3])));
    const past = mean(counted.map((i) => entropy(logits[i]!, y[i]!)));
    expect(lossOf(erAce(), {}, step("erAce"))).toBeCloseTo(fresh + past, 4);
    const first = stepOf({ net, weights, x: x.slice(0, 3), y: y.slice(0, 3) });
    expect(lossOf(erAce(), {}, first)).toBeCloseTo(fresh, 4);
  });

  test("er-aml compares new rows with their class everywhere and with the other classes of their batch", () => {
    const temperature = 0.3;
    const u = features.map(unit);
    const s = (i: number, j: number): number => Math.exp(dot(u[i]!, u[j]!) / temperature);
    // The only row of class 3 has no other of its class and does not count.
    const each = [0, 2].map((i) => {
      const compared = [0, 1, 2, 3, 4, 5, 6].filter((j) => j !== i && [2, 3].includes(y[j]!));
      const all = compared.reduce((sum, j) => sum + s(i, j), 0);
      return mean(compared.filter((j) => y[j] === y[i]).map((j) => -Math.log(s(i, j) / all)));
    });
    const past = mean(counted.map((i) => entropy(logits[i]!, y[i]!)));
    const loss = lossOf(erAml({ temperature }), {}, step("erAml"));
    expect(loss).toBeCloseTo(mean(each) + past, 4);
  });
});

describe("chosen memories", () => {
  test("mir replays the candidates whose loss a step would raise most, one row weighing as another", () => {
    const [rate, draw] = [0.5, 2];
    const candidates = normal(5, 2, 33);
    const labels = [0, 1, 0, 3, 1];
    const extra = {
      x: tf.tensor2d(candidates),
      y: tf.tensor1d(labels, "int32"),
      task: tf.zeros([5], "int32"),
    };
    const now = stepOf({ net, weights, x: x.slice(0, 3), y: y.slice(0, 3), rate, extra });
    const gradient = now.gradient((w) => now.crossEntropy(now.forward(now.x, { weights: w }).logits, now.y, null));
    const plain = inOrder(gradient);
    close(
      plain,
      slopes(weights, (layers) => mean(perceptron(layers, x.slice(0, 3)).logits.map((z, i) => entropy(z, y[i]!)))),
      2,
    );
    let next = 0;
    const after = layersOf(weights).map(({ kernel, bias }) => ({
      kernel: kernel.map((row) => row.map((v) => v - rate * plain[next++]!)),
      bias: bias.map((v) => v - rate * plain[next++]!),
    }));
    const losses = (of: typeof after | Weights): number[] =>
      perceptron(of, candidates).logits.map((z, i) => entropy(z, labels[i]!));
    const rise = losses(after).map((v, i) => v - losses(weights)[i]!);
    const chosen = [...rise.keys()].sort((a, b) => rise[b]! - rise[a]!).slice(0, draw);
    const wanted = slopes(weights, (layers) => {
      const own = perceptron(layers, x.slice(0, 3)).logits.map((z, i) => entropy(z, y[i]!));
      const past = chosen.map((i) => entropy(perceptron(layers, [candidates[i]!]).logits[0]!, labels[i]!));
      return mean([...own, ...past]);
    });
    close(inOrder(hooksOf(mir({ draw })).gradient({}, gradient, now)), wanted, 2);
  });

  test("gss scores a new example by the largest cosine of its gradient with those of others", () => {
    const { score } = hooksOf(gss()).outputs({}, step("gss"));
    const gradients = [0, 1, 2, 3, 4].map((i) => {
      const error = softmax(logits[i]!).map((p, c) => p - +(c === y[i]));
      return [...features[i]!, 1].flatMap((f) => error.map((e) => f * e));
    });
    const cosine = (i: number, j: number): number => dot(unit(gradients[i]!), unit(gradients[j]!));
    close(
      [...score!.dataSync()],
      [0, 1, 2].map((i) => 1 + Math.max(cosine(i, 3), cosine(i, 4))),
    );
    const alone = hooksOf(gss()).outputs({}, stepOf({ net, weights, x, y }));
    close([...alone.score!.dataSync()], Array(7).fill(1));
  });

  test("gss gives a place away with the probability that its score and the newcomer's say", () => {
    const strategy = hooksOf(gss({ capacity: 2 }));
    const from = examplesOf([[1], [2], [3]], [0, 1, 2]);
    const offered = (at: number[], scores: number[], memory: ReturnType<typeof strategy.init>, seed: number): void => {
      const batch = batchOf(from, at);
      const context = contextOf(net, weights, { rng: random(seed) });
      strategy.batch(memory, batch, context);
      strategy.afterStep(memory, { batch, outputs: { score: Float32Array.from(scores) } }, context);
    };
    const counts = { first: 0, second: 0, none: 0 };
    const trials = 1500;
    for (let seed = 0; seed < trials; seed++) {
      const memory = strategy.init(contextOf(net, weights));
      offered([0, 1], [1.5, 0.5], memory, seed);
      offered([2], [0.5], memory, seed + trials);
      const kept = [...memory.buffer.labels];
      counts[kept[0] === 2 ? "first" : kept[1] === 2 ? "second" : "none"]++;
    }
    // Proposed with 3/4 and 1/4, then given away with 1.5/2 and 0.5/1.
    const wanted = { first: 9 / 16, second: 1 / 8, none: 5 / 16 };
    const chi = Object.entries(wanted).reduce(
      (s, [k, p]) => s + (counts[k as "none"] - trials * p) ** 2 / (trials * p),
      0,
    );
    expect(chi).toBeLessThan(13.8); // 2 degrees of freedom: p = 0.001
    const memory = strategy.init(contextOf(net, weights));
    offered([0, 1], [1, 1], memory, 1);
    offered([2], [1.2], memory, 2);
    expect([...memory.buffer.labels]).toEqual([0, 1]);
  });

  test("power-law rehearsal draws an experience as often as a power of its age says", () => {
    const strategy = hooksOf(powerLawReplay({ capacity: 40, draw: 3000, exponent: 1.5 }));
    const context = (experience: number) => contextOf(net, weights, { experience });
    let memory = strategy.init(context(0));
    for (let e = 0; e < 3; e++) {
      const train = examplesOf(normal(12, 2, e), Array(12).fill(e));
      memory = strategy.afterExperience(memory, { train, task: e } as never, context(e));
    }
    const drawn = strategy.batch(memory, batchOf(examplesOf([[1, 2]], [3]), [0]), context(3)).y.slice(1);
    const weightsOf = [3, 2, 1].map((age) => age ** -1.5);
    const total = weightsOf.reduce((a, b) => a + b, 0);
    const chi = weightsOf.reduce((sum, w, e) => {
      const wanted = (3000 * w) / total;
      return sum + ((drawn as Int32Array).filter((label) => label === e).length - wanted) ** 2 / wanted;
    }, 0);
    expect(chi).toBeLessThan(13.8); // 2 degrees of freedom: p = 0.001
  });
});

describe("slow weights", () => {
  test("momentum interpolation keeps tau of the average, which predicts; new columns begin as in the network", () => {
    const strategy = hooksOf(momentumInterpolation({ tau: 0.8 }));
    const after = noisy(weights, random(9));
    const change = { before: weights, after, gradient: weights, slope: weights };
    const slow = strategy.update(
      strategy.init(contextOf(net, weights)),
      change,
      stepOf({ net, weights, x }),
    ) as Weights;
    const mixed = numbers(weights).map((w, i) => 0.8 * w + 0.2 * numbers(after)[i]!);
    close(numbers(slow), mixed);
    close(numbers(strategy.predict({ carried: slow }, predictionOf(net, after, x))), perceptron(slow, x).logits.flat());
    const wide = net.grow(after, random(1), 6);
    const { carried } = strategy.beforeExperience({ carried: slow }, {} as never, contextOf(net, wide));
    const [was, is, now] = [layersOf(slow), layersOf(carried), layersOf(wide)].map((layers) => layers.at(-1)!.kernel);
    close(
      is!.flat(),
      was!.flatMap((row, i) => [...row, ...now![i]!.slice(4)]),
    );
  });

  test("cls-er holds drawn rows to the average that gives the true class more, and renews averages as often as it says", () => {
    const strategy = hooksOf(
      clsEr({ lambda: 0.6, plasticRate: 1, plasticDecay: 0.7, stableRate: 0, stableDecay: 0.9 }),
    );
    const [plastic, stable] = [noisy(weights, random(1)), noisy(weights, random(2))];
    const carried = { plastic, stable, steps: tf.scalar(0) };
    const [p, s] = [perceptron(plastic, x).logits, perceptron(stable, x).logits];
    const apart = [3, 4].flatMap((i) => {
      const teacher = softmax(s[i]!)[y[i]!]! > softmax(p[i]!)[y[i]!]! ? s[i]! : p[i]!;
      return logits[i]!.map((z, c) => (z - teacher[c]!) ** 2);
    });
    expect(value(strategy.loss({ carried }, step("clsEr")))).toBeCloseTo(0.6 * mean(apart), 4);
    let now: typeof carried = carried;
    let wanted = numbers(plastic);
    for (let k = 1; k <= 4; k++) {
      const after = noisy(weights, random(k + 20));
      const change = { before: weights, after, gradient: weights, slope: weights };
      now = strategy.update({ carried: now }, change, stepOf({ net, weights, x, rng: random(k) })) as typeof carried;
      const keep = Math.min(1 - 1 / (k + 1), 0.7);
      wanted = wanted.map((v, i) => keep * v + (1 - keep) * numbers(after)[i]!);
      close(numbers(now.plastic), wanted);
      close(numbers(now.stable), numbers(stable));
    }
  });
});

describe("gdumb", () => {
  test("trains a new network on a balanced memory alone", () => {
    const strategy = gdumb({ capacity: 6 });
    const hooks = hooksOf(strategy);
    const context = contextOf(net, weights, { stream: { classes: [0, 1, 2, 3] } as never });
    let memory = hooks.init(context);
    const arriving = [
      [0, 0, 0, 0, 0, 0, 1, 1, 1, 1],
      [2, 2, 2, 2, 2],
    ];
    arriving.forEach((labels, index) => {
      const train = examplesOf(
        labels.map((label, i) => [label, i]),
        labels,
      );
      const {
        weights: begun,
        restart,
        ...rest
      } = hooks.beforeExperience(memory, { train, task: 0, index } as never, { ...context, experience: index });
      expect(restart).toBe(true);
      expect(numbers(begun)).not.toEqual(numbers(weights));
      memory = rest;
    });
    const table = hooks.data(memory, {} as never, context)!;
    expect([0, 1, 2].map((c) => table.labels.filter((label) => label === c).length)).toEqual([2, 2, 2]);
    // Rows of the memory are those that arrived under their label.
    const rows = new Float32Array(12);
    table.read(Uint32Array.from([0, 1, 2, 3, 4, 5]), rows);
    expect([...table.labels]).toEqual([0, 1, 2, 3, 4, 5].map((i) => rows[2 * i]));
  });

  test("does not depend on what was learnt before, but through the memory", () => {
    const over = stream({ needs: [] } as never, 12);
    const whole = run(
      spec(over, [gdumb({ capacity: 1000 })], {
        training: { batch: 4, epochs: 1, steps: 0, shuffle: true, dropLast: false },
      }),
    );
    const last = whole.events.filter((e) => e.type === "step" && e.experience === 2);
    expect(last.length).toBe(18); // all 72 examples, 4 at a time
  });
});

test("examples that replay joins are learnt under er-ace, not only drawn", () => {
  const over = stream({ needs: [] } as never, 12);
  const alone = run(spec(over, [erAce({ capacity: 6, draw: 3 })])).weights;
  const both = run(spec(over, [erAce({ capacity: 6, draw: 3 }), replay({ capacity: 6, draw: 3 })])).weights;
  expect(both).not.toEqual(alone);
});

test("replay with a share for each experience keeps as much of the first as of the last, and nothing more before they come", () => {
  const strategy = hooksOf(replay({ capacity: 6, fill: "boundary", keep: "perExperience" }));
  const context = (experience: number) =>
    contextOf(net, weights, { experience, stream: { facts: ["length"], length: 3 } as never });
  let state = strategy.init(context(0));
  for (const index of [0, 1, 2]) {
    const train = examplesOf(normal(10, 2, index), Array(10).fill(index % 2));
    expect(strategy.batch(state, batchOf(train, [0, 1, 2]), context(index)).y).toHaveLength(3 + Math.min(3, 2 * index));
    state = strategy.afterExperience(state, { train, task: index, index } as never, context(index));
    const { tasks, size } = (state as { episodes: { buffer: { tasks: Int32Array; size: number } } }).episodes.buffer;
    expect([...tasks.subarray(0, size)]).toEqual([0, 0, 1, 1, 2, 2].slice(0, 2 * index + 2));
  }
  expect(() => replay({ keep: "perExperience" })).toThrow('goes with fill "boundary"');
});

test("continualPretrain learns the likeliest examples several times over, with the share of the past that is asked for", () => {
  const own = hooksOf(continualPretrain({ subset: 0.5, epochs: 3, mixture: 0.25, capacity: 4 }));
  const numbered = (from: number, labels: readonly number[]) =>
    table(
      Float32Array.from(labels, (_, i) => from + i),
      Int32Array.from(labels),
      [1],
      1,
    );
  const [first, second] = [numbered(0, [0, 1, 0, 1]), numbered(10, [0, 0, 1, 1])];
  // losses: ln(1 + e⁰), ln(1 + e⁻²), ln(1 + e¹), ln(1 + e⁻³)
  const logits = Float32Array.from([0, 0, 2, 0, 1, 0, 0, 3]);
  const context = { rng: random(3), outputs: () => ({ features: new Float32Array(0), logits }) } as never;
  const experience = (train: object, index: number) => ({ train, index, task: index }) as never;
  const begun = own.beforeExperience(own.init(context), experience(first, 0), context);
  expect(own.data(begun, experience(first, 0), context)).toBe(first);
  const held = own.afterExperience(begun, experience(first, 0), context);
  const state = own.beforeExperience(held, experience(second, 1), context);
  const made = own.data(state, experience(second, 1), context)!;
  const rows = [...gather(made, [...made.labels.keys()])];
  expect(rows.slice(0, 6)).toEqual([13, 11, 13, 11, 13, 11]);
  // 2 of 8 are of the past
  expect(rows).toHaveLength(8);
  for (const row of rows.slice(6)) expect([0, 1, 2, 3]).toContain(row);
});
