/** Dense layers that places pass or skip, in plain operations. */
import { dynamicLayers, expand, net, network, random, tf, trained, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import type { Params } from "../../lib/models/model.ts";
import { begun, block, sequences } from "./attentive.ts";
import { close, contextOf, dot, hooksOf, length, lossOf, mean, stepOf } from "./by-hand.ts";

const rows = [...Array(4).keys()].map((i) => Array.from({ length: 12 }, (_, j) => Math.sin(i * 5 + j)));
const y = [0, 2, 1, 1];
const routers = {
  0: { kernel: tf.tensor2d([[0.7], [-1], [0.4], [0.2]]) },
  1: { kernel: tf.tensor2d([[-0.3], [0.5], [0.9], [-0.6]]) },
};
const { net: own, weights } = begun({ dynamicLayers: routers });
const flat = (t: tf.Tensor): number[][] => tf.reshape(t, [-1, 4]).arraySync() as number[][];

/** A pass in which `open` says from all sureness of a block which places pass: what each block was given, gave by its dense layers, and how sure routers were. */
function passed(open: (sure: number[], i: number) => number[], gap: number) {
  let x = sequences(rows);
  const seen = [0, 1].map((i) => {
    const params = weights.model[`${i + 2}-transformer`] as Params;
    const kernel = [...routers[i as 0 | 1].kernel.dataSync()];
    const sure = flat(x).map((row) => 1 / (1 + Math.exp(-dot(row, kernel))));
    const passes = open(sure, i);
    const gate = tf.tensor2d(passes.map((p, k) => [p * (1 + gap * (sure[k]! - 0.5))]));
    let dense = tf.zeros([1]);
    const out = block(params, x, {
      product: (part, of) => {
        if (part !== "down") return tf.zeros([1]);
        const { kernel: w, bias } = params.down as { kernel: tf.Tensor2D; bias: tf.Tensor };
        dense = tf.add(tf.matMul(tf.reshape(of, [12, -1]) as tf.Tensor2D, w), bias);
        return tf.reshape(tf.mul(dense, tf.sub(gate, 1)), [4, 3, 4]);
      },
    });
    const before = flat(tf.sub(tf.reshape(out, [12, 4]), tf.mul(dense, gate)));
    const given = flat(dense);
    const cosines = before.map((row, k) => {
      const after = row.map((v, j) => v + given[k]![j]!);
      return dot(row, after) / length(row) / length(after);
    });
    x = out;
    return { sure, cosines };
  });
  const first = tf.reshape(tf.slice(x, [0, 0, 0], [4, 1, 4]), [4, 4]);
  return { seen, features: first };
}
const largest = (values: number[], count: number): number[] => {
  const least = [...values].sort((a, b) => b - a)[count - 1]!;
  return values.map((v) => +(v >= least));
};
const entropy = (sure: number[], wanted: number[]): number =>
  -mean(sure.map((p, k) => (wanted[k] === 1 ? Math.log(p) : Math.log(1 - p))));

describe("P075: dense layers that are skipped", () => {
  const strategy = dynamicLayers({ share: 0.5, gap: 0.3, annealSteps: 10, weight: 2 });
  const state = { carried: { capacities: tf.tensor1d([0.25, 0.75]), steps: tf.scalar(4) } };
  const step = stepOf({ net: own, weights, x: rows, y, through: { strategy, state } });

  test("are passed in training by the places with the surest routers, and weighed by them", () => {
    const { features } = passed((sure, i) => largest(sure, [3, 9][i]!), 0.3);
    close([...step.features.dataSync()], [...features.dataSync()], 4);
  });

  test("are passed later where a router is sure", () => {
    const { features } = passed((sure) => sure.map((p) => +(p > 0.5)), 0.3);
    const later = stepOf({ net: own, weights, x: rows, y, through: { strategy, state: {} } });
    close([...later.forward(later.x, { frozen: {} }).features.dataSync()], [...features.dataSync()], 4);
  });

  test("teach their routers which places they change most, over all blocks or in each", () => {
    const { seen } = passed((sure, i) => largest(sure, [3, 9][i]!), 0.3);
    const sure = seen.flatMap((one) => one.sure);
    const apart = seen.map(({ cosines }) => cosines.map((v) => -v));
    // after 4 of 10 steps the share is 0.8: of 24 places 20, of 12 places 10
    const all = largest(apart.flat(), 20);
    expect(lossOf(strategy, state, step)).toBeCloseTo(2 * entropy(sure, all), 4);
    const each = dynamicLayers({ share: 0.5, gap: 0.3, annealSteps: 10, weight: 2, marks: "block" });
    expect(lossOf(each, state, step)).toBeCloseTo(
      2 *
        entropy(
          sure,
          apart.flatMap((row) => largest(row, 10)),
        ),
      4,
    );
    // in the next step the share is 0.75: 18 of 24, and each block has its own of them
    const next = hooksOf(strategy).update(state, {} as never, step) as never as Required<typeof state>["carried"];
    const marks = largest(apart.flat(), 18);
    close([...next.capacities.dataSync()], [mean(marks.slice(0, 12)), mean(marks.slice(12))], 5);
    expect(next.steps.dataSync()[0]).toBe(5);
  });

  test("move by as much as is passed", () => {
    const after = {
      ...weights,
      model: Object.fromEntries(Object.entries(weights.model).map(([name, tree]) => [name, added(tree as Params)])),
    };
    const moved = hooksOf(strategy).weights(state, { before: weights, after } as never, step);
    const at = (of: { model: object }, name: string): number =>
      (((of.model as Record<string, Params>)[name]!.up as Params).kernel as tf.Tensor).dataSync()[0]!;
    expect(at(moved, "2-transformer") - at(weights, "2-transformer")).toBeCloseTo(0.75, 5);
    expect(at(moved, "3-transformer") - at(weights, "3-transformer")).toBeCloseTo(1.25, 5);
  });

  test("are refused where there are none, or where blocks normalise what they give", () => {
    const begin = (model: object): unknown => {
      const made = network(model as never, [3, 4]);
      return hooksOf(strategy).parameters(contextOf(made, made.init(random(0), 3), { columns: 3 }));
    };
    expect(() => begin(net().attention(2).first())).toThrow("a model with blocks of attention and dense layers");
    expect(() => begin(net().transformer(2, { norm: "after" }).first())).toThrow('got norm: "after"');
  });

  test("come in new blocks that change nothing yet", () => {
    const model = vit({ patch: 4, width: 8, depth: 2, heads: 2 });
    const two = trained({ model, input: [8, 8, 1], weights: network(model, [8, 8, 1]).init(random(0), 3) });
    const three = expand.interpolate(two, 3, { by: "zeros" }).network;
    const x = random(5).normals([3, 8, 8, 1]);
    close([...three.predict(x).dataSync()], [...two.predict(x).dataSync()], 5);
    expect(three.parameters).toBeGreaterThan(two.parameters);
  });
});

/** A tree with 1 added to every number. */
function added(tree: Params): Params {
  return Object.fromEntries(
    Object.entries(tree).map(([name, child]) => [
      name,
      child instanceof tf.Tensor ? tf.add(child, 1) : added(child as Params),
    ]),
  ) as Params;
}
