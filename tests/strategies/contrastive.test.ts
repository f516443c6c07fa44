import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { hpcr, scr } from "../../lib/strategies/index.ts";
import {
  batchOf,
  contextOf,
  dot,
  examplesOf,
  hooksOf,
  layersOf,
  length,
  mean,
  meanRow,
  noisy,
  normal,
  perceptron,
  predictionOf,
  type Rows,
  small,
  softmax,
  stepOf,
  unit,
} from "./by-hand.ts";

const { net, weights } = small([5, 4], 2, 4);
const x = normal(7, 2, 21);
const y = [2, 3, 2, 0, 1, 2, 0];
const { features } = perceptron(weights, x);
const value = (loss: tf.Tensor): number => loss.dataSync()[0]!;
/** Three new rows, two drawn by the method, two by another strategy of which the second does not count. */
const step = (name: string, more = {}) =>
  stepOf({ net, weights, x, y, current: 3, rows: { [name]: [3, 5] }, weight: [1, 1, 1, 1, 1, 1, 0], ...more });

describe("contrastive replay", () => {
  const contrast = (v: Rows, labels: readonly number[], temperature: number): number => {
    const u = v.map(unit);
    const each = u.flatMap((a, i) => {
      const s = u.map((b) => Math.exp(dot(a, b) / temperature));
      const all = s.reduce((sum, w, j) => sum + (j === i ? 0 : w), 0);
      const own = s.filter((_, j) => j !== i && labels[j] === labels[i]);
      return own.length === 0 ? [] : [mean(own.map((w) => -Math.log(w / all)))];
    });
    return mean(each);
  };

  test("scr is the supervised contrastive loss of projected rows, and predicts by the nearest mean of the memory", () => {
    const strategy = hooksOf(scr({ capacity: 7, temperature: 0.5, projected: 3 }));
    const context = contextOf(net, weights);
    const added = strategy.parameters(context) as { first: tf.Tensor2D; second: tf.Tensor2D };
    const all = { ...weights, added: { scr: added } } as unknown as Weights;
    const through = (rows: Rows, t: tf.Tensor2D): number[][] =>
      (rows as number[][]).map((row) =>
        (t.arraySync() as number[][])[0]!.map((_, j) =>
          dot(
            row,
            t.arraySync().map((r) => r[j]!),
          ),
        ),
      );
    const projected = through(
      through(features, added.first).map((row) => row.map((v) => Math.max(0, v))),
      added.second,
    );
    expect(value(strategy.taskLoss({}, stepOf({ net, weights: all, x, y })))).toBeCloseTo(
      contrast(projected, y, 0.5),
      3,
    );

    const memory = strategy.init(context);
    strategy.batch(memory, batchOf(examplesOf(x, y), [0, 1, 2, 3, 4, 5, 6]), context);
    const state = strategy.afterExperience(memory, {} as never, context);
    const means = [0, 1, 2, 3].map((c) => meanRow(features.filter((_, i) => y[i] === c).map(unit)));
    const fresh = normal(9, 2, 4);
    const nearest = perceptron(weights, fresh).features.map((f) => {
      const apart = means.map((m) => length(m.map((v, j) => v - unit(f)[j]!)));
      return apart.indexOf(Math.min(...apart));
    });
    const said = strategy.predict(state, predictionOf(net, weights, fresh));
    expect([...tf.argMax(said, -1).dataSync()]).toEqual(nearest);
  });

  /** The step and what `hpcr` holds: what another network gave for the two rows drawn, at the places 1 and 0 of its memory. */
  const held = (options: Parameters<typeof hpcr>[0], swing: number) => {
    const strategy = hpcr({ temperature: 0.4, ...options });
    const cosines = (w: Weights): number[][] => {
      const head = layersOf(w).at(-1)!;
      const to = head.kernel[0]!.map((_, c) => unit(head.kernel.map((row) => row[c]!)));
      return perceptron(w, x).features.map((f) => to.map((p) => dot(unit(f), p) / 0.4));
    };
    const then = noisy(weights, random(5));
    const [given, seen] = [cosines(then), perceptron(then, x).features];
    const carried = { logits: tf.tensor2d([given[4]!, given[3]!]), features: tf.tensor2d([seen[4]!, seen[3]!]) };
    const extra = {
      swing: tf.scalar(swing),
      drawn: tf.tensor1d([1, 0], "int32"),
      known: tf.tensor2d([[4], [3]]), // the last column came after the example of the second row
    };
    const state = { carried };
    const all = step("hpcr", { through: { strategy, state }, extra });
    return { strategy: hooksOf(strategy), state, all, now: cosines(weights), given, seen };
  };
  const pcr = (now: Rows): number =>
    // each proxy is in the sum once for every row of its class
    mean(now.map((z, i) => Math.log(y.reduce((sum, c) => sum + Math.exp(z[c]!), 0)) - z[y[i]!]!));

  test("hpcr compares rows with the proxies of the classes at hand, as often as each is there, times its second temperature", () => {
    const { strategy, state, all, now } = held({}, 1.3);
    expect(value(strategy.taskLoss(state, all))).toBeCloseTo(1.3 * pcr(now), 4);
  });

  test("hpcr compares rows with each other too where there are many", () => {
    const { strategy, state, all, now } = held({ pairsFrom: 7 }, 1);
    const u = features.map(unit);
    const wanted = mean(
      now.map((z, i) => {
        const others = u.map((b) => Math.exp(dot(u[i]!, b) / 0.4));
        const total = y.reduce((sum, c, j) => sum + Math.exp(z[c]!) + (j === i ? 0 : others[j]!), 0);
        const own = y.flatMap((c, j) => (c === y[i] ? [Math.exp(z[c]!), ...(j === i ? [] : [others[j]!])] : []));
        return mean(own.map((w) => -Math.log(w / total)));
      }),
    );
    expect(value(strategy.taskLoss(state, all))).toBeCloseTo(wanted, 4);
    expect(wanted).not.toBeCloseTo(pcr(now), 1);
  });

  test("hpcr holds the logits of drawn rows at the columns of the rows, and how alike they are to each other", () => {
    const { strategy, state, all, now, given } = held({ proxies: 0.7, structure: 0 }, 1);
    const counts = [0, 1, 2, 3].map((c) => y.filter((label) => label === c).length);
    const known = [4, 3];
    const apart = [3, 4].flatMap((i, r) =>
      counts.flatMap((n, c) => (c < known[r]! ? Array(n).fill((now[i]![c]! - given[i]![c]!) ** 2) : [])),
    );
    expect(value(strategy.loss(state, all))).toBeCloseTo(0.7 * mean(apart), 4);

    // of three rows each is compared with two others
    const three = (at: Rows): number[][] => {
      const u = at.map(unit);
      return u.map((a, i) => softmax(u.flatMap((b, j) => (j === i ? [] : [dot(a, b) / 0.4]))));
    };
    const both = held({ proxies: 0, structure: 0.6 }, 1);
    const wide = {
      ...both.all,
      rows: { hpcr: [2, 5] as const },
      extra: { ...both.all.extra, drawn: tf.tensor1d([0, 1, 2], "int32"), known: tf.fill([3, 1], 4) },
    };
    const [then, after] = [[2, 3, 4].map((i) => both.seen[i]!), [2, 3, 4].map((i) => features[i]!)];
    const records = { carried: { logits: tf.zeros([3, 4]), features: tf.tensor2d(then) } };
    const wanted = mean(three(then).map((p, i) => -p.reduce((s, v, k) => s + v * Math.log(three(after)[i]![k]!), 0)));
    expect(value(both.strategy.loss(records, wide as never))).toBeCloseTo(0.6 * wanted, 4);
  });

  test("hpcr's second temperature begins low, is highest after 250 steps of an experience, and distillation waits for the second", () => {
    const strategy = hooksOf(hpcr({ capacity: 7, least: 0.5, most: 2 }));
    const context = contextOf(net, weights);
    const train = examplesOf(x, y);
    const begun = strategy.beforeExperience(strategy.init(context), { train } as never, { ...context, step: 1000 });
    const at = (step: number, experience: number) =>
      strategy.batch(begun, batchOf(train, [0, 1, 2]), { ...context, step, experience }).extra.hpcr!;
    expect(at(1000, 0).swing!.data[0]).toBeCloseTo(0.5, 6);
    expect(at(1250, 0).swing!.data[0]).toBeCloseTo(2, 6);
    expect(at(1125, 0).swing!.data[0]).toBeCloseTo(1.25, 6);
    expect(at(1500, 0).swing!.data[0]).toBeCloseTo(0.5, 6);
    expect(at(1501, 0).drawn).toBeUndefined();
    expect(at(1502, 1).drawn!.shape).toEqual([3]);
  });
});
