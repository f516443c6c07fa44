/** Recurrences as attention: that the matrices give what the layers give, and what they are by hand. */
import {
  implicitAttention,
  implicitAttribution,
  type Model,
  net,
  network,
  type Params,
  paths,
  random,
  similarityHeatmap,
  type TrainedNetwork,
  type Tree,
  tf,
  trained,
  unflatten,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { mixedBy } from "../../lib/models/parts/mixing.ts";

const [n, length, units] = [2, 9, 8];
const x = random(1).normals([n, length, units], 0, 1);

/** With numbers as training leaves them: none of those that begin as 0 or 1 stays so. */
function made(model: unknown, columns = 3): TrainedNetwork {
  const weights = network(model as Model, [length, units]).init(random(2), columns);
  const noise = random(3);
  const moved = paths(weights.model as Tree).map(([path, t]) => tf.add(t, noise.at(path).normals(t.shape, 0, 0.2)));
  return trained({
    model: model as Model,
    input: [length, units],
    weights: { ...weights, model: unflatten(weights.model, moved) as Params },
  });
}

describe("P214 implicit attention", () => {
  test.each([
    ["mamba", net().mamba({ state: 3 })],
    ["longhorn", net().longhorn({ state: 3 })],
    ["gateLoop", net().gateLoop()],
    ["gla", net().gla(2)],
    ["retention", net().retention(2)],
    ["deltaNet", net().deltaNet(2)],
    ["deltaNet with gates", net().deltaNet(2, { gated: true })],
    ["mlstm", net().mlstm(2)],
    ["lightNet", net().lightNet(2)],
    ["linearAttention", net().linearAttention(2)],
  ] as readonly (readonly [string, unknown])[])(
    "of %s gives what the layer gives, and sees nothing that comes later",
    (_, model) => {
      const [layer] = implicitAttention(made(model), x);
      const { weights, values, rest, out, gave } = layer!;
      tf.tidy(() => {
        const mixed = mixedBy(weights, values);
        const apart = tf.sub(out(rest ? tf.add(mixed, rest) : mixed), gave);
        const size = tf.max(tf.abs(gave)).dataSync()[0]!;
        expect(tf.max(tf.abs(apart)).dataSync()[0]! / size).toBeLessThan(2e-5);
        const later = tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0));
        expect(tf.max(tf.abs(tf.mul(weights, later))).dataSync()[0]).toBe(0);
      });
      layer!.dispose();
    },
  );

  test("of mamba is gates times the recurrence times activations times the convolution, by hand", () => {
    const state = 2;
    const own = made(net().mamba({ state, expand: 1, rank: 1 }));
    const [layer] = implicitAttention(own, x);
    const params = Object.values(own.weights.model)[0] as Record<string, Record<string, tf.Tensor>>;
    const rows = (t: tf.Tensor): number[][] => t.arraySync() as number[][];
    const input = (x.arraySync() as number[][][])[0]!;
    const times = (row: readonly number[], kernel: readonly (readonly number[])[]): number[] =>
      kernel[0]!.map((_, j) => row.reduce((sum, v, i) => sum + v * kernel[i]![j]!, 0));
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const both = input.map((row) => times(row, rows(params.in!.kernel!)));
    const [taps, bias] = [rows(params.conv!.kernel!), [...params.conv!.bias!.dataSync()]];
    const seen = both.map((_, t) =>
      bias.map((b, c) => taps.reduce((sum, row, k) => sum + row[c]! * (both[t - (taps.length - 1 - k)]?.[c] ?? 0), b)),
    );
    const u = seen.map((row) => row.map((v) => v * sigmoid(v)));
    const chosen = u.map((row) => times(row, rows(params.select!.kernel!)));
    const stepBias = [...params.step!.bias!.dataSync()];
    const steps = chosen.map((row) =>
      times(row.slice(0, 1), rows(params.step!.kernel!)).map((v, c) => Math.log1p(Math.exp(v + stepBias[c]!))),
    );
    const a = rows(params.logA as unknown as tf.Tensor).map((row) => row.map((v) => -Math.exp(v)));
    const skip = [...(params.skip as unknown as tf.Tensor).dataSync()];
    const got = (layer!.weights.arraySync() as number[][][][])[0]!;
    for (const c of [0, 5])
      for (let t = 0; t < length; t++)
        for (let s = 0; s <= t; s++) {
          let sum = 0;
          for (let r = s; r <= t; r++) {
            const tap = taps[taps.length - 1 - (r - s)]?.[c] ?? 0;
            let alpha = r === t ? skip[c]! : 0;
            for (let k = 0; k < state; k++) {
              let decay = 1;
              for (let q = r + 1; q <= t; q++) decay *= Math.exp(steps[q]![c]! * a[c]![k]!);
              alpha += chosen[t]![1 + state + k]! * decay * steps[r]![c]! * chosen[r]![1 + k]!;
            }
            sum += alpha * sigmoid(seen[r]![c]!) * tap;
          }
          const z = both[t]![units + c]!;
          expect(got[c]![t]![s]).toBeCloseTo(z * sigmoid(z) * sum, 4);
        }
    const heat = layer!.heat({ example: 1, channel: 3, of: "core" });
    expect(Math.max(...heat.flat())).toBe(1);
    expect(similarityHeatmap(heat).data).toHaveLength(1);
    expect(() => layer!.heat({ example: 2 })).toThrow("an example below 2");
  });

  test("attribution rolls the matrices out, with the identity for what passes the layers by", () => {
    const own = made(
      net()
        .residual((n) => n.gla(2))
        .residual((n) => n.gateLoop())
        .last(),
    );
    const got = implicitAttribution(own, x, { gradients: false });
    const layers = implicitAttention(own, x);
    expect(layers.map(({ layer }) => layer.split("/").at(-1))).toEqual(["1-gla", "1-gateLoop"]);
    const joint = layers.reduce<number[][] | null>((before, { weights }) => {
      const all = (weights.arraySync() as number[][][][])[0]!;
      const mean = all[0]!.map((row, t) =>
        row.map((_, s) => all.reduce((sum, m) => sum + Math.max(0, m[t]![s]!), 0) / all.length),
      );
      const [low, high] = [Math.min(...mean.flat()), Math.max(...mean.flat())];
      const passed = mean.map((row, t) => row.map((v, s) => (v - low) / (high - low) + (s === t ? 1 : 0)));
      const shares = passed.map((row) => row.map((v) => v / row.reduce((sum, w) => sum + w)));
      return before === null
        ? shares
        : shares.map((row) => before[0]!.map((_, s) => row.reduce((sum, v, k) => sum + v * before[k]![s]!, 0)));
    }, null)!;
    got[0]!.forEach((v, s) => {
      expect(v).toBeCloseTo(joint[length - 1]![s]!, 5);
    });
    // a column of the last layer counts by how much the logit rises with that place: of a network that gives the last place, by that place alone
    const single = implicitAttribution(made(net().gla(2).last()), x, { column: 1 })[0]!;
    expect(single.slice(0, -1).every((v) => v === 0)).toBe(true);
    expect(implicitAttribution(own, x, { of: "core", from: "mean" })[1]!.reduce((sum, v) => sum + v)).toBeCloseTo(1, 5);
  });

  test("asks for a layer that can be said so", () => {
    expect(() => implicitAttention(made(net().gru(4).last()), x)).toThrow("linear once its gates are chosen");
    expect(() => implicitAttribution(made(net().gru(4).last()), x)).toThrow("linear once its gates are chosen");
  });
});
