import { describe, expect, test } from "vitest";
import { paths, random, type Tree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { bottleneck, connected, gpt, mlp, net } from "../../lib/models/index.ts";
import type { Model, Params } from "../../lib/models/model.ts";
import { tape } from "../../lib/models/model.ts";
import { normal } from "../strategies/by-hand.ts";

describe("connected (P417 Connected PEFT for retrieval)", () => {
  const model = mlp({ hidden: [4, 3, 5] }).adapt(connected({ units: 2, on: "*" }));
  const drawn = (of: Model, input: number[]): Params => {
    let next = 0;
    const visit = (node: object): object =>
      Object.fromEntries(
        Object.entries(node).map(([name, child]) => [
          name,
          child instanceof tf.Tensor ? random(5).at(next++).normals(child.shape, 0, 0.8) : visit(child as object),
        ]),
      );
    return visit(of.init(random(1), input)) as Params;
  };
  const pass = (of: Model, params: Params, x: tf.Tensor): tf.Tensor =>
    of.apply(params, x, tape(false, null, {}).mode) as tf.Tensor;

  test("what the first bottleneck makes reaches the last one, as worked by hand", () => {
    const params = drawn(model as unknown as Model, [3]);
    const x = normal(4, 3, 9) as number[][];
    const times = (a: number[], matrix: number[][], bias: number[]): number[] =>
      bias.map((b, j) => a.reduce((sum, v, i) => sum + v * matrix[i]![j]!, b));
    const of = (tensor: unknown): never => (tensor as tf.Tensor).arraySync() as never;
    let rows = x;
    let path: number[][] | undefined;
    for (const layer of Object.values(params) as Params[]) {
      if (!("kernel" in layer)) continue;
      const own = (layer.adapters as Params).connected as Params;
      const y = rows.map((row) => times(row, of(layer.kernel), of(layer.bias)));
      const next = y.map((row, n) => {
        const hidden = times(row, of(own.down), of(own.downBias)).map((v) => Math.max(0, v));
        return path === undefined
          ? hidden
          : hidden.map((v, j) => path![n]!.reduce((sum, h, i) => sum + h * (of(own.along) as number[][])[i]![j]!, v));
      });
      path = next;
      rows = y.map((row, n) => row.map((v, j) => Math.max(0, v + times(next[n]!, of(own.up), of(own.upBias))[j]!)));
    }
    const ours = pass(model as unknown as Model, params, tf.tensor2d(x)).dataSync();
    for (const [i, v] of rows.flat().entries()) expect(ours[i]).toBeCloseTo(v, 4);
  });

  test("a frozen layer that gives nothing stops the slope of a bottleneck, and not that of a connected one", () => {
    const slopes = (adapter: typeof connected | typeof bottleneck): number => {
      const whole = mlp({ hidden: [4, 4] }).adapt(
        (adapter as typeof bottleneck)({ units: 2, on: "*" }),
      ) as unknown as Model;
      const begun = drawn(whole, [3]);
      const [first, second] = Object.keys(begun).filter((name) => "kernel" in (begun[name] as Params));
      const layer = begun[second!] as Params;
      const dead = {
        ...begun,
        [second!]: { ...layer, kernel: tf.zerosLike(layer.kernel as tf.Tensor), bias: tf.ones([4]) },
      };
      const loss = (at: Params): tf.Tensor =>
        tf.sum(tf.square(pass(whole, at, tf.tensor2d(normal(6, 3, 2) as number[][]))));
      const { grads } = valueAndGrad(loss as never, dead as never) as unknown as { grads: Params };
      const found = paths(grads as Tree).filter(([path]) => path.startsWith(`${first}/adapters`));
      return found.reduce((sum, [, g]) => sum + tf.sum(tf.abs(g)).dataSync()[0]!, 0);
    };
    expect(slopes(bottleneck)).toBe(0);
    expect(slopes(connected)).toBeGreaterThan(0);
  });

  test("begins as the network was, and has a path of units² numbers more than bottlenecks", () => {
    const base = gpt({ tokens: 7, width: 8, depth: 2, heads: 2 });
    const count = (of: Model): number => paths(of.init(random(1), [5]) as Tree).reduce((sum, [, t]) => sum + t.size, 0);
    const [wired, apart] = [base.adapt(connected({ units: 3 })), base.adapt(bottleneck({ units: 3 }))];
    expect(count(wired as unknown as Model) - count(apart as unknown as Model)).toBe(3 * 9);
    const x = tf.tensor2d([[1, 2, 3, 4, 5]]);
    const [a, b] = [wired, base].map((of) => pass(of as never, of.init(random(1), [5]), x).dataSync());
    expect(a).toEqual(b);
  });

  test("says where layers do not fit together", () => {
    const image = net()
      .conv(2, 3)
      .relu()
      .pool(2)
      .flatten()
      .dense(4)
      .adapt(connected({ units: 2, on: "*" }));
    const params = image.init(random(1), [6, 6, 1]);
    expect(() => pass(image as never, params, tf.zeros([2, 6, 6, 1]))).toThrow(
      "connected: layers whose outputs differ in their last axis alone are required, got 2 vectors after",
    );
  });
});
