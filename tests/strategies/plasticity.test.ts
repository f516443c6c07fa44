import { describe, expect, test } from "vitest";
import { digits } from "../../lib/data/digits.ts";
import { classes } from "../../lib/dsl/index.ts";
import { mapTensors, random, sumTree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { cnn, resnet18 } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { continualBackprop, shrinkAndPerturb, upgd } from "../../lib/strategies/index.ts";
import { layerAt, leaving, withLayer } from "../../lib/strategies/parts/layers.ts";
import type { Stream } from "../../lib/streams/stream.ts";
import { open } from "../../lib/train/session.ts";
import {
  close,
  contextOf,
  type Dense,
  entropy,
  hooksOf,
  layersOf,
  matrix,
  mean,
  noisy,
  normal,
  perceptron,
  slopes,
  small,
  stepOf,
} from "./by-hand.ts";
import { advance, numbers, run, spec, stream } from "./support.ts";

const { net, weights } = small([4, 3], 2, 2);
const x = normal(6, 2, 1);
const context = contextOf(net, weights);
const change = (before: Weights, after: Weights, slope = before) => ({ before, after, slope, gradient: slope });

describe("continual backprop", () => {
  const hidden = ["model/2-dense", "model/4-dense"];
  type Layer = { utility: tf.Tensor; age: tf.Tensor; due: tf.Tensor };

  test("judges units by their mean activity times the weights that leave them, and renews the worst mature one when it is due", () => {
    const [rate, maturity, decay] = [0.3, 2, 0.6];
    const strategy = hooksOf(continualBackprop({ rate, maturity, decay }));
    let carried = strategy.init(context).carried as Record<string, Layer>;
    let now = weights;
    const state = [4, 3].map((n) => ({ utility: Array<number>(n).fill(0), age: Array<number>(n).fill(0), due: 0 }));
    let renewed = 0;
    for (let k = 0; k < 6; k++) {
      const tried = mapTensors((w) => tf.add(w, 0.1), now);
      const step = stepOf({ net, weights: now, x, rng: random(k) });
      const moved = change(now, tried);
      const after = strategy.weights({ carried }, moved, step);
      const layers = layersOf(now);
      const { inputs } = perceptron(now, x);
      const wanted = layersOf(tried).map(({ kernel, bias }) => ({
        kernel: kernel.map((row) => [...row]),
        bias: [...bias],
      }));
      const anew: (number | null)[] = state.map((own, l) => {
        own.utility = own.utility.map((u, i) => {
          const out = layers[l + 1]!.kernel[i]!.reduce((s, v) => s + Math.abs(v), 0);
          return decay * u + (1 - decay) * mean(inputs[l + 1]!.map((row) => Math.abs(row[i]!))) * out;
        });
        own.age = own.age.map((a) => a + 1);
        const mature = own.age.map((a) => a > maturity);
        own.due += rate * mature.filter(Boolean).length;
        if (own.due < 1) return null;
        own.due -= 1;
        const worst = own.utility.reduce(
          (best, u, i) => (mature[i] && (best < 0 || u < own.utility[best]!) ? i : best),
          -1,
        );
        [own.utility[worst], own.age[worst]] = [0, 0];
        wanted[l + 1]!.kernel[worst] = wanted[l + 1]!.kernel[worst]!.map(() => 0);
        return worst;
      });
      hidden.forEach((path, l) => {
        const { kernel, bias } = layerAt(after, path);
        matrix(kernel).forEach((row, i) => {
          row.forEach((v, j) => {
            if (j !== anew[l]) expect(v).toBeCloseTo(wanted[l]!.kernel[i]![j]!, 4);
            else expect(Math.abs(v)).toBeLessThanOrEqual(1 / Math.sqrt(kernel.shape[0]));
          });
        });
        if (anew[l] !== null) {
          renewed++;
          expect(bias!.dataSync()[anew[l]!]).toBeCloseTo(0, 9);
        }
      });
      close(matrix(layerAt(after, "head").kernel).flat(), wanted[2]!.kernel.flat());
      carried = strategy.update({ carried }, moved, step) as Record<string, Layer>;
      hidden.forEach((path, l) => {
        close([...carried[path]!.utility.dataSync()], state[l]!.utility, 3);
        close([...carried[path]!.age.dataSync()], state[l]!.age);
        expect(carried[path]!.due.dataSync()[0]).toBeCloseTo(state[l]!.due, 4);
      });
      now = after;
    }
    expect(renewed).toBeGreaterThan(3);
  });
});

describe("utility-based perturbed descent", () => {
  test("spares weights by the sigmoid of their share of the largest utility", () => {
    const decay = 0.7;
    const strategy = hooksOf(upgd({ deviation: 0, decay }));
    let { carried } = strategy.init(context);
    let utility = numbers(weights).map(() => 0);
    let now = weights;
    for (let k = 1; k <= 3; k++) {
      const slope = noisy(weights, random(30 + k));
      const [g, w] = [numbers(slope), numbers(now)];
      utility = utility.map((u, i) => decay * u - (1 - decay) * g[i]! * w[i]!);
      const corrected = utility.map((u) => u / (1 - decay ** k));
      const most = Math.max(...corrected);
      const wanted = g.map((v, i) => v * (1 - 1 / (1 + Math.exp(-corrected[i]! / most))));
      const step = stepOf({ net, weights: now, x, rng: random(1) });
      close(numbers(strategy.gradient({ carried }, slope, step)), wanted);
      const after = mapTensors((t) => tf.mul(t, 0.9), now);
      carried = strategy.update({ carried }, change(now, after, slope), step) as typeof carried;
      close(numbers((carried as { utility: Weights }).utility), utility);
      now = after;
    }
  });

  test("of second order, adds half the curvature times the squared weight: exact where the Hessian is diagonal", () => {
    const decay = 0.7;
    const strategy = hooksOf(upgd({ deviation: 0, decay, order: 2 }));
    const [slope, bend] = [noisy(weights, random(31)), noisy(weights, random(32))];
    const step = {
      ...stepOf({ net, weights, x, rng: random(1) }),
      forward: (_: tf.Tensor, { weights: at }: { weights: Weights }) => ({ logits: at }),
      targetLoss: ({ logits }: { logits: Weights }) =>
        sumTree((w, c) => tf.sum(tf.mul(c!, tf.div(tf.square(w), 2))) as tf.Scalar, logits, bend),
      gradient: (loss: (at: Weights) => tf.Tensor) => valueAndGrad(loss, weights).grads,
    };
    const [g, w, c] = [numbers(slope), numbers(weights), numbers(bend)];
    const utility = g.map((v, i) => -v * w[i]! + 0.5 * c[i]! * w[i]! ** 2);
    const most = Math.max(...utility);
    const wanted = g.map((v, i) => v * (1 - 1 / (1 + Math.exp(-utility[i]! / most))));
    close(numbers(strategy.gradient(strategy.init(context), slope, step as never)), wanted, 4);
    expect(() => upgd({ order: 3 as never })).toThrow("upgd: order must be 1 or 2, got 3");
  });

  test("of second order it runs compiled, the same after a saved state", () => {
    const given = spec(stream({ needs: [] } as never), [upgd({ order: 2 })]);
    const all = run(given, 1);
    const session = open(given, 1, "test");
    advance(session, 9);
    const bytes = session.save();
    const tensors = tf.memory().numTensors;
    advance(session, 20);
    expect(tf.memory().numTensors).toBe(tensors);
    session.dispose();
    expect(run(given, 1, bytes).weights).toEqual(all.weights);
  });

  test("of features, spares what leads into a unit by what the loss would gain without the unit", () => {
    const decay = 0.6;
    const strategy = hooksOf(upgd({ deviation: 0, decay, of: "features" }));
    const y = [0, 1, 1, 0, 1, 0];
    const loss = (layers: readonly Dense[]): number =>
      mean(perceptron(layers, x).logits.map((row, n) => entropy(row, y[n]!)));
    const flat = slopes(weights, loss);
    const taken = (like: tf.Tensor): tf.Tensor => tf.tensor(flat.splice(0, like.size), like.shape);
    const slope = ["model/2-dense", "model/4-dense", "head"].reduce((tree, path) => {
      const { kernel, bias } = layerAt(weights, path);
      return withLayer(tree, path, { kernel: taken(kernel), bias: taken(bias!) });
    }, weights);
    const step = stepOf({ net, weights, x, rng: random(1) });
    const got = strategy.gradient(strategy.init(context), slope, step) as Weights;
    // the utility of a unit by hand: minus the slope of the loss along a factor on all that leaves it, at 1
    const layers = layersOf(weights);
    const utility = [0, 1].map((l) =>
      layers[l]!.bias.map((_, unit) => {
        const scaled = (by: number): readonly Dense[] =>
          layers.map((layer, k) =>
            k !== l + 1
              ? layer
              : { ...layer, kernel: layer.kernel.map((row, i) => row.map((v) => (i === unit ? v * (1 + by) : v))) },
          );
        return -(loss(scaled(1e-4)) - loss(scaled(-1e-4))) / 2e-4;
      }),
    );
    const most = Math.max(...utility.flat());
    ["model/2-dense", "model/4-dense"].forEach((path, l) => {
      const free = utility[l]!.map((u) => 1 - 1 / (1 + Math.exp(-u / most)));
      const given = layerAt(slope, path);
      close(
        matrix(layerAt(got, path).kernel).flat(),
        matrix(given.kernel).flatMap((row) => row.map((g, j) => g * free[j]!)),
        3,
      );
      close(
        [...layerAt(got, path).bias!.dataSync()],
        [...given.bias!.dataSync()].map((g, j) => g * free[j]!),
        3,
      );
    });
    close(matrix(layerAt(got, "head").kernel).flat(), matrix(layerAt(slope, "head").kernel).flat());
  });

  test("a unit of a convolution is a channel, also where a flattened image goes into a dense layer", () => {
    const kernel = tf.tensor2d(Array.from({ length: 12 }, (_, i) => [i, 100]));
    // 12 inputs are 4 places of 3 channels
    expect([...leaving(kernel, 3).dataSync()]).toEqual([18 + 400, 22 + 400, 26 + 400]);
    const window = tf.tensor4d(
      Array.from({ length: 8 }, (_, i) => i),
      [2, 1, 2, 2],
    );
    expect([...leaving(window, 2).dataSync()]).toEqual([0 + 1 + 4 + 5, 2 + 3 + 6 + 7]);
    const arriving = classes(digits()).split(5) as unknown as Stream;
    const chain = spec(arriving, [upgd({ of: "features" })], { model: cnn({ filters: [2, 3], units: 4 }) });
    const session = open(chain, 0, "test");
    while (session.cursor.step < 16) session.advance();
    session.dispose();
    expect(() => run(spec(arriving, [upgd({ of: "features" })], { model: resnet18({ filters: 1 }) }))).toThrow(
      /^upgd: a model of dense layers and convolutions is required/,
    );
  });

  test("shakes useless weights with noise of its deviation", () => {
    const strategy = hooksOf(upgd({ deviation: 2, decay: 0.5 }));
    const { net: wide, weights: many } = small([60], 30, 4);
    const at = contextOf(wide, many);
    const zero = mapTensors((w) => tf.zerosLike(w), many);
    const step = stepOf({ net: wide, weights: many, x: [Array(30).fill(0)], rng: random(3) });
    // With no gradient nothing has utility: half of the noise comes through.
    const noise = numbers(strategy.gradient(strategy.init(at), zero, step));
    expect(mean(noise)).toBeCloseTo(0, 1);
    expect(mean(noise.map((v) => v * v))).toBeGreaterThan(0.92);
    expect(mean(noise.map((v) => v * v))).toBeLessThan(1.08);
  });
});

describe("shrink and perturb", () => {
  const { net: wide, weights: many } = small([60], 30, 4);
  const begun = numbers(many);

  test("multiplies all weights and adds noise of its deviation, when an experience begins", () => {
    const at = contextOf(wide, many);
    const begin = (deviation: number, index: number) =>
      hooksOf(shrinkAndPerturb({ shrink: 0.6, deviation })).beforeExperience({}, { index } as never, at) as {
        weights?: Weights;
      };
    expect(begin(0.5, 0)).toEqual({});
    close(
      numbers(begin(0, 1).weights),
      numbers(many).map((w) => 0.6 * w),
    );
    const noise = numbers(begin(0.5, 1).weights).map((v, i) => v - 0.6 * begun[i]!);
    expect(mean(noise)).toBeCloseTo(0, 1);
    expect(mean(noise.map((v) => v * v))).toBeCloseTo(0.25, 1);
    expect(numbers(begin(0.5, 2).weights)).not.toEqual(numbers(begin(0.5, 1).weights));
  });

  test("or after every step", () => {
    const strategy = (deviation: number) => hooksOf(shrinkAndPerturb({ shrink: 0.6, deviation, every: "step" }));
    const step = (seed: number) => stepOf({ net: wide, weights: many, x: [Array(30).fill(0)], rng: random(seed) });
    const after = noisy(many, random(2));
    const moved = numbers(after);
    close(
      numbers(strategy(0).weights({}, change(many, after), step(1))),
      numbers(after).map((w) => 0.6 * w),
    );
    const shaken = (seed: number): number[] => numbers(strategy(0.5).weights({}, change(many, after), step(seed)));
    const noise = shaken(1).map((v, i) => v - 0.6 * moved[i]!);
    expect(mean(noise.map((v) => v * v))).toBeCloseTo(0.25, 1);
    expect(shaken(2)).not.toEqual(shaken(1));
  });
});
