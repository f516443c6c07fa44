/** Layers whose connections are functions, beside scipy's splines and sums worked by hand. */
import { readFileSync } from "node:fs";
import { jit, layers, type Model, modelFromJson, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";
import { kanFunctions } from "../../lib/models/parts/kan-bases.ts";

const found = JSON.parse(readFileSync(new URL("peers/splines.json", import.meta.url), "utf8")) as {
  readonly x: number[];
  readonly splines: readonly { readonly grid: number; readonly degree: number; readonly values: number[][] }[];
} & { readonly [name in "chebyshev" | "gauss" | "wavelet" | "fourier"]: number[][] };
const mode = tape(false, null, {}).mode;
const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: tf.Tensor, wanted: readonly number[], digits = 5): void => {
  const values = numbers(got);
  expect(values.length).toBe(wanted.length);
  values.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, digits);
  });
};
const range = [-1, 1] as const;

describe("P047: families of functions", () => {
  test("have the values that scipy and numpy give", () => {
    const x = tf.tensor1d(found.x);
    for (const { values, ...how } of found.splines) close(kanFunctions("spline", x, { ...how, range }), values.flat());
    close(kanFunctions("chebyshev", x, { grid: 4, degree: 3, range }), found.chebyshev.flat());
    for (const name of ["gauss", "wavelet", "fourier"] as const)
      close(kanFunctions(name, x, { grid: 5, degree: 3, range }), found[name].flat());
  });

  test("are mixed by each unit as it selects, or the best is taken", () => {
    const bases = ["spline", "fourier"] as const;
    const x = random(1).uniforms([4, 2], -0.9, 0.9);
    const params = layers.kan(3, { bases }).init!(random(2), [2]);
    const alone = bases.map((basis) => layers.kan(3, { bases: [basis] }).apply(x, params, mode));
    const base = tf.matMul(tf.mul(x, tf.sigmoid(x)) as tf.Tensor2D, params.base as tf.Tensor2D);
    const select = (params.select as tf.Tensor2D).arraySync();
    const share = select[0]!.map((a, unit) => Math.exp(a) / (Math.exp(a) + Math.exp(select[1]![unit]!)));
    const mix = (shares: readonly number[]): tf.Tensor =>
      tf.add(
        base,
        tf.add(
          tf.mul(tf.sub(alone[0]!, base), tf.tensor1d([...shares])),
          tf.mul(tf.sub(alone[1]!, base), tf.tensor1d(shares.map((s) => 1 - s))),
        ),
      );
    close(layers.kan(3, { bases }).apply(x, params, mode), numbers(mix(share)));
    close(
      layers.kan(3, { bases, select: "best" }).apply(x, params, mode),
      numbers(mix(share.map((s) => (s > 0.5 ? 1 : 0)))),
    );
  });

  test("over each window are a convolution", () => {
    const image = random(3).uniforms([2, 4, 5, 2], -0.9, 0.9);
    const one = layers.kanConv(3, 1, { bases: ["gauss", "chebyshev"] });
    const params = one.init!(random(4), [4, 5, 2]);
    const flat = Object.fromEntries(
      Object.entries(params).map(([name, t]) => [name, name === "select" ? t : tf.reshape(t as tf.Tensor, [-1, 3])]),
    ) as Params;
    const byPixel = layers.kan(3, { bases: ["gauss", "chebyshev"] }).apply(tf.reshape(image, [40, 2]), flat, mode);
    close(one.apply(image, params, mode), numbers(byPixel));
    // a window of 2×2 is the sum over its four pixels
    const two = layers.kanConv(1, 2, { pad: "valid", bases: ["spline"] });
    const own = two.init!(random(5), [4, 5, 2]);
    const sums = [0, 1, 2, 3].map((corner) => {
      const [top, left] = [corner >> 1, corner & 1];
      const part = tf.reshape(tf.slice(image, [0, top, left, 0], [2, 3, 4, 2]), [24, 2]);
      const at = (name: string): tf.Tensor =>
        tf.reshape(tf.slice(own[name] as tf.Tensor, [top, left, 0, 0], [1, 1, -1, 1]), [-1, 1]);
      return layers.kan(1).apply(part, { spline: at("spline"), base: at("base") }, mode);
    });
    close(two.apply(image, own, mode), numbers(tf.addN(sums)));
  });

  test("learn in one program, with the gradients of finite differences", () => {
    const model = net()
      .kan(4, { bases: ["spline", "chebyshev", "wavelet"] })
      .kan(2) as Model;
    const params = model.init(random(6), [3]);
    const x = random(7).uniforms([5, 3], -0.8, 0.8);
    const loss = (x: tf.Tensor): tf.Tensor => tf.sum(tf.square(model.apply(params, x, mode)));
    const { grads } = jit((x: tf.Tensor) => valueAndGrad(loss, x))(x);
    const length = tf.norm(grads).dataSync()[0]!;
    const moved = (by: number): number => loss(tf.add(x, tf.mul(grads, by / length))).dataSync()[0]!;
    expect((moved(5e-3) - moved(-5e-3)) / 1e-2 / length).toBeCloseTo(1, 2);
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
  });

  test("say what they need", () => {
    expect(() => net().kan(3, { bases: ["gauss", "gauss"] })).toThrow(
      "bases that differ are required, got gauss, gauss",
    );
    expect(() => net().kan(3, { range: [1, -1] })).toThrow("a range that rises is required, got [1,-1]");
    expect(() => net().kanConv(3, 5, { pad: "valid" }).features([4, 4, 1])).toThrow("at least 5×5 is required");
  });
});
