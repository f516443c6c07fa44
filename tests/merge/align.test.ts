import {
  blobs,
  disposeTree,
  type Model,
  merge,
  mlp,
  net,
  network,
  random,
  type TrainedNetwork,
  type Tree,
  table,
  tf,
  trained,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { assignment } from "../../lib/merge/parts/assignment.ts";
import { linksOf, momentsOf, outputsOf, reorder } from "../../lib/merge/parts/chain.ts";
import { placesOf, vectorOf, withVector } from "../../lib/merge/parts/vectors.ts";

const numbersOf = ({ weights }: TrainedNetwork): number[] => [...vectorOf(weights, placesOf("test", weights))];

function drawn(model: Model, input: readonly number[], seed: number, columns = 3): TrainedNetwork {
  const weights = network(model, input).init(random(seed), columns);
  const made = trained({ model, input, weights });
  disposeTree(weights as unknown as Tree);
  return made;
}

/** The same network with its units in another order. */
function shuffled(own: TrainedNetwork, seed: number): TrainedNetwork {
  const { places, links } = linksOf("test", own);
  const numbers = vectorOf(own.weights, places);
  for (const [k, from] of links.slice(0, -1).entries())
    reorder(numbers, from, links[k + 1]!, random(seed).at(k).permutation(from.units));
  return own.with({ weights: withVector(own.weights, places, numbers) });
}

const models: readonly [string, Model, readonly number[]][] = [
  ["dense layers", mlp({ hidden: [16, 12, 9] }), [6]],
  ["convolutions", net().conv(8, 3).relu().pool(2).conv(6, 3).relu().flatten().dense(10).relu() as Model, [8, 8, 1]],
];

describe("re-basin", () => {
  test.each(models)("finds a hidden order of %s exactly, by weights and by activations", (_, model, input) => {
    const a = drawn(model, input, 1);
    const b = shuffled(a, 5);
    expect(numbersOf(b)).not.toEqual(numbersOf(a));
    const rows = new Float32Array(
      random(2)
        .normals([40, ...input])
        .dataSync(),
    );
    const data = table(rows, new Int32Array(40), [...input], 1);
    for (const match of ["weights", "activations"] as const) {
      const found = merge.rebasin([a, b], { match, data });
      expect(numbersOf(found.aligned)).toEqual(numbersOf(a));
      expect(numbersOf(found.network)).toEqual(numbersOf(a));
    }
    const x = tf.tensor(rows, [40, ...input]);
    const difference = tf.max(tf.abs(tf.sub(a.predict(x), b.predict(x)))).dataSync()[0]!;
    expect(difference).toBeLessThan(1e-5); // an order changes no answer
  });

  test("another network answers as before in its new order, and lies nearer", () => {
    const [a, b] = [drawn(mlp({ hidden: [20, 20] }), [6], 1), drawn(mlp({ hidden: [20, 20] }), [6], 2)];
    const { aligned, permutations } = merge.rebasin([a, b]);
    const x = tf.tensor2d(random(3).normals([10, 6]).dataSync(), [10, 6]);
    expect(tf.max(tf.abs(tf.sub(aligned.predict(x), b.predict(x)))).dataSync()[0]!).toBeLessThan(1e-5);
    const far = (other: TrainedNetwork): number =>
      numbersOf(a).reduce((sum, w, i) => sum + (w - numbersOf(other)[i]!) ** 2, 0);
    expect(far(aligned)).toBeLessThan(far(b));
    for (const order of Object.values(permutations))
      expect([...order].sort((p, q) => p - q)).toEqual([...Array(20).keys()]);
  });

  test("an assignment is the best of all, beside trying each", () => {
    const gains = Float64Array.from(random(1).normals([5, 5]).dataSync());
    const best = (left: number[], row: number): number =>
      left.length === 0
        ? 0
        : Math.max(
            ...left.map(
              (c) =>
                gains[row * 5 + c]! +
                best(
                  left.filter((o) => o !== c),
                  row + 1,
                ),
            ),
          );
    const found = assignment(gains, 5).reduce((sum, c, row) => sum + gains[row * 5 + c]!, 0);
    expect(found).toBeCloseTo(best([0, 1, 2, 3, 4], 0), 9);
  });

  test("repair brings back spreads, means, or both", () => {
    const ends = [drawn(mlp({ hidden: [12, 8] }), [4], 1), drawn(mlp({ hidden: [12, 8] }), [4], 2)];
    const merged = merge.average(ends).network;
    const data = table(new Float32Array(random(5).normals([60, 4]).dataSync()), new Int32Array(60), [4], 1);
    const stats = (own: TrainedNetwork) => momentsOf(outputsOf(own, own.weights, data, 60).get("model/4-dense")!);
    const wanted = (of: "mean" | "deviation", i: number) => (stats(ends[0]!)[of][i]! + stats(ends[1]!)[of][i]!) / 2;
    const both = stats(merge.repair(merged, ends, data, { renorm: "both" }));
    const rescaled = stats(merge.repair(merged, ends, data));
    const shifted = stats(merge.repair(merged, ends, data, { renorm: "reshift" }));
    for (let i = 0; i < 8; i++) {
      expect(both.mean[i]).toBeCloseTo(wanted("mean", i), 4);
      expect(both.deviation[i]).toBeCloseTo(wanted("deviation", i), 4);
      expect(rescaled.deviation[i]).toBeCloseTo(wanted("deviation", i), 4);
      expect(shifted.mean[i]).toBeCloseTo(wanted("mean", i), 4);
    }
    expect(Math.abs(rescaled.mean[0]! - wanted("mean", 0))).toBeGreaterThan(1e-3);
  });

  test("says what it needs", () => {
    const odd = drawn(net().dense(4).layerNorm().relu() as Model, [3], 1);
    expect(() => merge.rebasin([odd, odd])).toThrow("in a row is required, got net with layerNorm");
    const plain = drawn(mlp({ hidden: [4] }), [3], 1);
    expect(() => merge.rebasin([plain, plain], { renorm: "rescale" })).toThrow("examples are required to renormalise");
  });
});

describe("merged by data", () => {
  const model = mlp({ hidden: [5] });
  const [base, a, b] = [0, 1, 2].map((seed) => drawn(model, [3], seed)) as [
    TrainedNetwork,
    TrainedNetwork,
    TrainedNetwork,
  ];
  const rows = table(new Float32Array(random(5).normals([12, 3]).dataSync()), new Int32Array(12), [3], 1);
  const x = tf.tensor2d(new Float32Array(random(5).normals([12, 3]).dataSync()), [12, 3]);

  test("the first step of AdaMerging goes against the slope of the entropy, by finite differences", () => {
    const entropy = (c: readonly [number, number]): number => {
      const vector = [a, b].reduce<number[]>(
        (sum, own, k) => sum.map((w, i) => w + c[k]! * (numbersOf(own)[i]! - numbersOf(base)[i]!)),
        numbersOf(base),
      );
      const places = placesOf("test", base.weights);
      const mixed = base.with({ weights: withVector(base.weights, places, Float64Array.from(vector)) });
      return tf.tidy(() => {
        const z = mixed.predict(x);
        return -2 * tf.mean(tf.sum(tf.mul(tf.softmax(z), tf.logSoftmax(z)), -1)).dataSync()[0]!;
      });
    };
    const { coefficients } = merge.ada([a, b], [rows, rows], { base, level: "task", steps: 1, lr: 0.01, batch: 12 });
    [0, 1].forEach((k) => {
      const moved = (by: number) => entropy([0.3 + (k === 0 ? by : 0), 0.3 + (k === 1 ? by : 0)]);
      const slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
      expect(coefficients[k]![0]!).toBeCloseTo(0.3 - 0.01 * Math.sign(slope), 5); // Adam's first step has the size of its rate
    });
    const later = merge.ada([a, b], [rows, rows], { base, level: "task", steps: 60, lr: 0.01, batch: 12 }).coefficients;
    expect(entropy([later[0]![0]!, later[1]![0]!])).toBeLessThan(entropy([0.3, 0.3]));
    expect(merge.ada([a, b], [rows, rows], { base, steps: 1 }).coefficients[0]).toHaveLength(2); // a layer and the head
  });

  test("emulated fine-tuning adds the difference of two small networks' log-probabilities", () => {
    const emulated = merge.emulate(base, a, b, { scale: 0.5 }).predict(x);
    const by = (own: TrainedNetwork) => tf.logSoftmax(own.predict(x));
    const wanted = tf.add(by(base), tf.mul(tf.sub(by(a), by(b)), 0.5));
    expect(tf.max(tf.abs(tf.sub(emulated, wanted))).dataSync()[0]!).toBeLessThan(1e-5);
    expect(() => merge.emulate(base, drawn(model, [4], 1), b)).toThrow("got one over [4] with 3");
  });

  test("twins give back a single expert wholly, and of two the one that an example belongs to", () => {
    const one = merge.twin([a], [rows], { base, rank: 1, steps: 1 }).network;
    expect(tf.max(tf.abs(tf.sub(one.predict(x), a.predict(x)))).dataSync()[0]!).toBeLessThan(1e-4);
    const far = (centre: number) => {
      const values = new Float32Array(random(7).normals([30, 3], centre, 0.3).dataSync());
      return table(values, new Int32Array(30), [3], 1);
    };
    const { network, report } = merge.twin([a, b], [far(4), far(-4)], { base, rank: 1, scale: 0.3, steps: 1500 });
    for (const [centre, own] of [
      [4, a],
      [-4, b],
    ] as const) {
      const row = tf.fill([1, 3], centre);
      const [shared] = [merge.taskArithmetic([a, b], { base }).network.predict(row)];
      const error = (z: tf.Tensor) => tf.max(tf.abs(tf.sub(z, own.predict(row)))).dataSync()[0]!;
      expect(error(network.predict(row))).toBeLessThan(0.1 * error(shared) + 1e-6);
    }
    expect(report.kept).toBe(1);
    const { test } = blobs({ classes: 3, dimensions: 3 });
    expect(merge.twin([a, b], [test, test], { base, rank: 0.2, steps: 1 }).report.kept).toBeLessThan(1);
  });
});
