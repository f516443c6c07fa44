import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { bottleneck, from, mlp } from "../../lib/models/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { trained } from "../../lib/models/trained.ts";
import { scaLearn } from "../../lib/strategies/index.ts";
import { close, contextOf, hooksOf, noisy, normal, perceptron, small, stepOf } from "./by-hand.ts";

const { weights } = small([5, 4], 3, 2);
const big = trained({ model: mlp({ hidden: [5, 4] }), input: [3], weights });

/** The network with drawn adapters of two units on both layers, whose own weights are as they were. */
const sourceOf = (seed: number, adapter = bottleneck({ units: 2, on: "*" })) => {
  const model = from(big).adapt(adapter);
  const begun = network(model, [3]).init(random(seed), 2);
  const other = noisy(begun, random(seed + 50));
  const merged = (was: Params, now: Params, inside: boolean): Params =>
    Object.fromEntries(
      Object.entries(was).map(([name, child]) => [
        name,
        child instanceof tf.Tensor
          ? inside
            ? now[name]!
            : child
          : merged(child as Params, now[name] as Params, inside || name === "adapters"),
      ]),
    );
  return trained({ model, input: [3], weights: { ...begun, model: merged(begun.model, other.model, false) } });
};
const sources = [sourceOf(1), sourceOf(2)];
const net = network(from(big), [3]);
const x = normal(6, 3, 7);

/** What the network gives with the strategy, with these numbers. */
function featuresWith(strategy: ReturnType<typeof scaLearn>, added: Params): number[][] {
  const hooks = hooksOf(strategy);
  const all = { ...weights, added: { scaLearn: added } } as unknown as Weights;
  const state = hooks.init(contextOf(net, all, { columns: 2 }));
  return stepOf({ net, weights: all, x, through: { strategy, state } }).features.arraySync() as number[][];
}

describe("scaLearn (P345 ScaLearn)", () => {
  const widths = { "2-dense": 5, "4-dense": 4 } as const;

  test("adds what each source's adapter adds, times its numbers, as worked by hand", () => {
    const scales = { "2-dense": normal(2, 5, 3), "4-dense": normal(2, 4, 4) };
    const added = Object.fromEntries(Object.entries(scales).map(([path, rows]) => [path, tf.tensor2d(rows)]));
    let rows = x as number[][];
    for (const [path, scale] of Object.entries(scales)) {
      const layer = (of: Weights): Record<string, tf.Tensor> => of.model[path] as Record<string, tf.Tensor>;
      const times = (a: number[], matrix: number[][], bias: number[]): number[] =>
        bias.map((b, j) => a.reduce((sum, v, i) => sum + v * matrix[i]![j]!, b));
      const of = (tensor: tf.Tensor): never => tensor.arraySync() as never;
      rows = rows.map((row) => {
        const y = times(row, of(layer(weights).kernel!), of(layer(weights).bias!));
        const ups = sources.map((source) => {
          const { down, downBias, up, upBias } = (layer(source.weights).adapters as unknown as Params)
            .bottleneck as Record<string, tf.Tensor>;
          const inner = times(y, of(down!), of(downBias!)).map((v) => Math.max(0, v));
          return times(inner, of(up!), of(upBias!));
        });
        return y.map((v, j) => Math.max(0, v + scale[0]![j]! * ups[0]![j]! + scale[1]![j]! * ups[1]![j]!));
      });
    }
    close(featuresWith(scaLearn({ sources }), added).flat(), rows.flat(), 4);
  });

  test("with one source and numbers of 1 it is that source, and with numbers of 0 the network", () => {
    const [source] = sources;
    const all = (value: number): Params => ({ all: tf.fill([1, 1], value) });
    const strategy = scaLearn({ sources: [source!], uniform: true, shared: false });
    const by = (value: number): Params => ({ "2-dense": all(value).all!, "4-dense": all(value).all! });
    const theirs = stepOf({ net: source!.structure, weights: source!.weights, x }).features.arraySync() as number[][];
    close(featuresWith(strategy, by(1)).flat(), theirs.flat(), 5);
    close(featuresWith(strategy, by(0)).flat(), perceptron(weights, x).features.flat(), 5);
  });

  test("has as many numbers as the paper says, around 2 for all sources together", () => {
    const shapes = (options: object): number[][] =>
      Object.values(hooksOf(scaLearn({ sources, ...options })).parameters(contextOf(net, weights, { columns: 2 }))).map(
        (tensor) => (tensor as tf.Tensor).shape,
      );
    expect(shapes({})).toEqual(Object.values(widths).map((width) => [2, width]));
    expect(shapes({ uniform: true })).toEqual([
      [2, 1],
      [2, 1],
    ]); // prettier-ignore
    expect(() => shapes({ shared: true })).toThrow("scaLearn: layers of one width are required");
    const same = [sourceOf(1, bottleneck({ units: 2, on: "2-dense" }))];
    expect(shapes({ sources: same, shared: true, uniform: true })).toEqual([[1, 1]]);
    const drawn = hooksOf(scaLearn({ sources })).parameters(contextOf(net, weights, { columns: 2 }));
    for (const value of (drawn["2-dense"] as tf.Tensor).dataSync()) expect(Math.abs(value - 1)).toBeLessThan(0.01);
  });

  test("trains its numbers and the head alone", () => {
    const { trains } = hooksOf(scaLearn({ sources }));
    expect(["model/2-dense/kernel", "head/kernel", "added/scaLearn/2-dense"].map(trains)).toEqual([false, true, true]);
  });

  test("says which networks it needs", () => {
    expect(() => scaLearn({ sources: [big] })).toThrow("got source 0 with none");
    const init = (own: Weights) => hooksOf(scaLearn({ sources })).init(contextOf(net, own, { columns: 2 }));
    expect(() => init(noisy(weights, random(9)))).toThrow("got source 0 with another 2-dense/kernel");
    expect(() => init(weights)).not.toThrow();
  });
});
