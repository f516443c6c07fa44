/** Linear systems with a state by the formulas that they come from. */
import { hippoMatrices, jit, leaves, type Model, net, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";
import { delaySteps } from "../../lib/models/parts/delay-steps.ts";
import { legsFactors } from "../../lib/models/parts/hippo-steps.ts";
import { ptdFactors } from "../../lib/models/parts/ptd-factors.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const far = (got: readonly number[], wanted: readonly number[]): number => {
  expect(got.length).toBe(wanted.length);
  return Math.max(...got.map((value, i) => Math.abs(value - wanted[i]!)));
};
const mode = tape(false, null, {}).mode;
const cut = (x: tf.Tensor, from: number, count: number): tf.Tensor =>
  tf.slice(x, [0, from], [x.shape[0]!, count, ...x.shape.slice(2)].slice(0, 2));

const applied = (given: unknown, params: Params, x: tf.Tensor): number[] =>
  numbers(jit((x: tf.Tensor) => (given as Model).apply(params, x, mode))(x));
type Z = readonly [re: number, im: number];
const times = ([a, b]: Z, [c, d]: Z): Z => [a * c - b * d, a * d + b * c];
const over = (x: Z, [c, d]: Z): Z => times(x, [c / (c * c + d * d), -d / (c * c + d * d)]);
const exp = ([re, im]: Z): Z => [Math.exp(re) * Math.cos(im), Math.exp(re) * Math.sin(im)];
const complexOf = (of: unknown): Z[] => {
  const { re, im } = of as { readonly re: tf.Tensor; readonly im: tf.Tensor };
  const ims = numbers(im);
  return numbers(re).map((re, i) => [re, ims[i]!]);
};
/** A unit at the first place of one channel of a sequence. */
const unit = (length: number, channel = 0, channels = 1): tf.Tensor =>
  tf.tensor3d(
    Array.from({ length: length * channels }, (_, i) => (i === channel ? 1 : 0)),
    [1, length, channels],
  );

describe("s4d and s5 by their formulas", () => {
  test("s4d answers a unit with 2 Re Σ C (Ā − 1)/A Āᵗ, and D at once", () => {
    const model = net().s4d(6, { mix: "none" });
    const params = (model as unknown as Model).init(random(3), [80, 1]);
    const own = params["1-s4d"] as Params;
    const step = Math.exp(numbers(own.logStep as tf.Tensor)[0]!);
    const modes = numbers(own.decay as tf.Tensor).map(
      (decay, i): Z => [-Math.exp(decay), numbers(own.frequency as tf.Tensor)[i]!],
    );
    expect(modes.flatMap(([re, im]) => [re, im / Math.PI])).toEqual(
      [-0.5, 0, -0.5, 1, -0.5, 2].map((v) => expect.closeTo(v, 5)),
    );
    const c = complexOf(own.readout);
    const wanted = Array.from({ length: 80 }, (_, t) =>
      modes.reduce(
        (sum, a, i) => {
          const once = exp([a[0] * step, a[1] * step]);
          const b = over([once[0] - 1, once[1]], a);
          return sum + 2 * times(times(c[i]!, b), exp([a[0] * step * t, a[1] * step * t]))[0];
        },
        t === 0 ? numbers(own.skip as tf.Tensor)[0]! : 0,
      ),
    );
    expect(far(applied(model, params, unit(80)), wanted)).toBeLessThan(1e-5);
  });

  test("s5 steps x ← Λ̄ x + B̄ u with the zero-order hold, over all channels", () => {
    const model = net().s5(4, { mix: "none" });
    const params = (model as unknown as Model).init(random(4), [40, 2]);
    const own = params["1-s5"] as Params;
    const [b, c] = [complexOf(own.input), complexOf(own.readout)];
    const steps = numbers(own.logStep as tf.Tensor).map(Math.exp);
    const modes = numbers(own.decay as tf.Tensor).map(
      (decay, i): Z => [-Math.exp(decay), numbers(own.frequency as tf.Tensor)[i]!],
    );
    const wanted = Array.from({ length: 40 }, (_, t) =>
      [0, 1].map((channel) =>
        modes.reduce(
          (sum, a, m) => {
            const once = exp([a[0] * steps[m]!, a[1] * steps[m]!]);
            // B is [width, modes], C [modes, width]
            const enters = times(over([once[0] - 1, once[1]], a), b[2 + m]!);
            const grown = exp([a[0] * steps[m]! * t, a[1] * steps[m]! * t]);
            return sum + 2 * times(c[m * 2 + channel]!, times(grown, enters))[0];
          },
          t === 0 && channel === 1 ? numbers(own.skip as tf.Tensor)[1]! : 0,
        ),
      ),
    );
    expect(far(applied(model, params, unit(40, 1, 2)), wanted.flat())).toBeLessThan(1e-5);
  });

  test("s5 with marks is every episode by itself", () => {
    const [whole, alone] = [net().s5(6, { resets: true }), net().s5(6)];
    const params = (alone as unknown as Model).init(random(5), [30, 3]);
    const x = random(6).normals([1, 45, 3], 0, 1);
    const marks = tf.tensor3d(
      Array.from({ length: 45 }, (_, t) => (t === 7 || t === 29 ? 1 : 0)),
      [1, 45, 1],
    );
    const episodes = [
      [0, 7],
      [7, 22],
      [29, 16],
    ].map(([from, count]) => applied(alone, params, cut(x, from!, count!)));
    expect(far(applied(whole, params, tf.concat([x, marks], 2)), episodes.flat())).toBeLessThan(1e-5);
  });
});

/** What a system answers to a unit by the bilinear rule, its matrix being a lower triangle: `(1 − Δ/2 A) x' = (1 + Δ/2 A) x + ΔB u`. */
function answers(a: Float64Array, b: readonly number[], c: readonly number[], step: number, length: number): number[] {
  const n = b.length;
  const entry = (sign: number) => Float64Array.from(a, (v, i) => (i % (n + 1) === 0 ? 1 : 0) + (sign * step * v) / 2);
  const [left, forth] = [entry(-1), entry(1)];
  const solved = (right: readonly number[]): number[] => {
    const x = [...right];
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i]! -= left[i * n + k]! * x[k]!;
      x[i]! /= left[i * n + i]!;
    }
    return x;
  };
  let x = solved(b.map((v) => v * step));
  return Array.from({ length }, () => {
    const y = x.reduce((sum, v, i) => sum + v * c[i]!, 0);
    x = solved(x.map((_, i) => x.reduce((sum, v, k) => sum + forth[i * n + k]! * v, 0)));
    return y;
  });
}
const withSkip = (y: readonly number[], own: Params): number[] =>
  y.map((v, t) => v + (t === 0 ? numbers(own.skip as tf.Tensor)[0]! : 0));

describe("s4 and lssl", () => {
  test("s4 begins as HiPPO-LegS by the bilinear rule, in another basis", () => {
    const n = 6;
    const model = net().s4(n, { mix: "none" });
    const params = (model as unknown as Model).init(random(7), [70, 1]);
    const own = params["1-s4"] as Params;
    const step = Math.exp(numbers(own.logStep as tf.Tensor)[0]!);
    const { a, b } = hippoMatrices("legs", n);
    // C of the basis of the polynomials: 2 Re(C V*) of the modes that are kept
    const { vectors } = legsFactors(n);
    const c = Array.from({ length: n }, (_, k) =>
      complexOf(own.readout).reduce(
        (sum, c, m) => sum + 2 * times(c, [vectors.re[k * 3 + m]!, -vectors.im[k * 3 + m]!])[0],
        0,
      ),
    );
    const wanted = withSkip(answers(a, [...b], c, step, 70), own);
    expect(far(applied(model, params, unit(70)), wanted)).toBeLessThan(1e-5);
  });

  test("lssl is its triangle by the bilinear rule, and a rate of a half is half of every step", () => {
    const n = 5;
    const [model, half] = [net().lssl(n, { mix: "none" }), net().lssl(n, { mix: "none", rate: 0.5 })];
    const params = (model as unknown as Model).init(random(11), [70, 1]);
    const own = params["1-lssl"] as Params;
    const step = Math.exp(numbers(own.logStep as tf.Tensor)[0]!);
    const { a, b } = hippoMatrices("legs", n);
    const c = numbers(own.readout as tf.Tensor);
    for (const [which, by] of [
      [model, 1],
      [half, 0.5],
    ] as const) {
      const wanted = withSkip(answers(a, [...b], c, by * step, 70), own);
      expect(far(applied(which, params, unit(70)), wanted)).toBeLessThan(1e-5);
    }
  });
});

describe("lmu", () => {
  test("has the held steps of the delay network, and its memory is the window", () => {
    const [order, window] = [8, 40];
    const { responses, whole } = delaySteps(order, window, 1);
    // m' = (A m + B u)/θ over one place, u held at 1, by ten thousand small steps
    const slope = (m: readonly number[], u: number): number[] =>
      m.map((_, i) => {
        const sum = m.reduce((sum, x, j) => sum + (i < j ? -1 : (i - j) % 2 === 0 ? -1 : 1) * x, u * (-1) ** i);
        return ((2 * i + 1) * sum) / window;
      });
    const held = (m: number[], u: number): number[] => {
      let now = m;
      for (let k = 0; k < 10000; k++) {
        const middle = slope(
          now.map((x, i) => x + slope(now, u)[i]! / 20000),
          u,
        );
        now = now.map((x, i) => x + middle[i]! / 10000);
      }
      return now;
    };
    const zero = new Array<number>(order).fill(0);
    expect(far([...responses], held(zero, 1))).toBeLessThan(1e-5);
    expect(
      far(
        [...whole.subarray(2 * order, 3 * order)],
        held(
          zero.map((_, i) => (i === 2 ? 1 : 0)),
          0,
        ),
      ),
    ).toBeLessThan(1e-5);
    // Σ mᵢ Pᵢ(2r − 1) is what came in r windows ago
    let m = zero;
    for (let t = 0; t < 200; t++) {
      const u = Math.sin(t / 12);
      m = m.map((_, i) => m.reduce((sum, x, j) => sum + whole[j * order + i]! * x, responses[i]! * u));
    }
    for (const back of [10, 20, 30]) {
      const z = (2 * back) / window - 1;
      let [before, p, sum] = [0, 1, 0];
      m.forEach((x, n) => {
        sum += x * p;
        [before, p] = [p, ((2 * n + 1) * z * p - n * before) / (n + 1)];
      });
      expect(sum).toBeCloseTo(Math.sin((200 - back) / 12), 1);
    }
  });
});

describe("multires and ckconv", () => {
  test("multires is a tree of convolutions: details of each level and what is left", () => {
    const model = net().multires({ depth: 2, mix: "none" });
    const own = {
      detail: tf.tensor2d([[2], [3]]),
      coarse: tf.tensor2d([[5], [7]]),
      weights: tf.tensor2d([[1], [10], [100], [1000]]),
    };
    // level 0: details 3, 2 and coarse 7, 5; level 1, two places apart: details 3 c(t) + 2 c(t − 2), coarse 7 c(t) + 5 c(t − 2)
    const coarse = [7, 5, 0, 0];
    const at = (t: number): number => coarse[t] ?? 0;
    const wanted = [0, 1, 2, 3].map(
      (t) =>
        1000 * (t === 0 ? 1 : 0) +
        100 * ([3, 2][t] ?? 0) +
        10 * (3 * at(t) + 2 * at(t - 2)) +
        7 * at(t) +
        5 * at(t - 2),
    );
    expect(far(applied(model, { "1-multires": own }, unit(4)), wanted)).toBeLessThan(1e-2);
  });

  test("ckconv draws its filters with sines of how far back a place lies", () => {
    const model = net().ckconv(2, { hidden: 3, omega: 4 });
    const params = (model as unknown as Model).init(random(12), [6, 1]);
    const own = params["1-ckconv"] as Record<string, Params>;
    const linear = (x: readonly number[], { kernel, bias }: Params): number[] => {
      const [k, b] = [numbers(kernel as tf.Tensor), numbers(bias as tf.Tensor)];
      return b.map((start, j) => x.reduce((sum, v, i) => sum + v * k[i * b.length + j]!, start));
    };
    const sines = (x: readonly number[]): number[] => x.map((v) => Math.sin(4 * v));
    const wanted = Array.from({ length: 6 }, (_, t) =>
      linear(sines(linear(sines(linear([-1 + (2 * t) / 5], own.first!)), own.second!)), own.filters!).map(
        (v) => v / Math.sqrt(6),
      ),
    );
    expect(far(applied(model, params, unit(6)), wanted.flat())).toBeLessThan(1e-5);
    // sines begin at any phase: biases before the factor between −1 and 1
    const many = net().ckconv(2, { hidden: 64 }) as unknown as Model;
    const begun = many.init(random(3), [6, 1])["1-ckconv"] as Record<string, Params>;
    for (const part of ["first", "second"]) {
      const sizes = numbers(begun[part]!.bias as tf.Tensor).map(Math.abs);
      expect(Math.max(...sizes)).toBeGreaterThan(0.9);
      expect(Math.max(...sizes)).toBeLessThan(1);
    }
    const slopes = jit((params: Params) =>
      valueAndGrad((p: Params) => tf.sum(tf.square((model as unknown as Model).apply(p, unit(6), mode))), params),
    )(params);
    expect(leaves(slopes.grads).every((g) => numbers(g).every(Number.isFinite))).toBe(true);
  });
});

describe("s4d and s5 from LegS, perturbed", () => {
  test("it comes to a diagonal, is LegS but for little, and does not grow", () => {
    const n = 16;
    const { values, vectors, inverse } = ptdFactors(n);
    const { a } = hippoMatrices("legs", n);
    let apart = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let sum: Z = [-a[i * n + j]!, 0];
        for (let k = 0; k < n; k++) {
          const part = times(times([vectors.re[i * n + k]!, vectors.im[i * n + k]!], [values.re[k]!, values.im[k]!]), [
            inverse.re[k * n + j]!,
            inverse.im[k * n + j]!,
          ]);
          sum = [sum[0] + part[0], sum[1] + part[1]];
        }
        apart += sum[0] ** 2 + sum[1] ** 2;
      }
    expect(Math.sqrt(apart) / Math.hypot(...a)).toBeCloseTo(0.003, 6);
    expect(Math.max(...values.re)).toBeLessThan(-0.1);
    // LegS itself has vectors that are almost parallel: their inverse has numbers of some millions
    expect(Math.max(...inverse.re.map(Math.abs))).toBeLessThan(1000);
  });

  test("s4d's answer begins as that of the matrices: at once it is C B̄ and D", () => {
    const n = 4;
    const model = net().s4d(n, { modes: "ptd", mix: "none", steps: [1e-4, 1.0001e-4] });
    const params = (model as unknown as Model).init(random(3), [3, 1]);
    const own = params["1-s4d"] as Params;
    // 2 Re Σ of half of C V V⁻¹ B is C B, a real number; Δ of it enters at once
    const sum = complexOf(own.readout).reduce((sum, [re, im]) => [sum[0]! + 2 * re, sum[1]! + 2 * im], [0, 0]);
    const first = applied(model, params, unit(3))[0]! - numbers(own.skip as tf.Tensor)[0]!;
    expect(first / 1e-4).toBeCloseTo(sum[0]!, 2);
    expect(Math.abs(sum[1]!)).toBeLessThan(1e-4);
  });
});

describe("lif", () => {
  test("charges, fires and begins again, with the gradient of an arc tangent", () => {
    const model = net().lif() as unknown as Model;
    const x = tf.tensor3d([[[1.5], [1.5], [3], [0.5]]]);
    // v: 0.75; 1.125, fires; 1.5, fires; 0.25
    expect(applied(model, {}, x)).toEqual([0, 1, 1, 0]);
    const { grads } = valueAndGrad((x: tf.Tensor) => tf.sum(model.apply({}, x, mode)), x);
    const slope = (v: number): number => 1 / (1 + (Math.PI * (v - 1)) ** 2);
    // a charge that did not fire goes on by half; one that fired is gone
    const wanted = [slope(0.75) / 2 + slope(1.125) / 4, slope(1.125) / 2, slope(1.5) / 2, slope(0.25) / 2];
    expect(far(numbers(grads), wanted)).toBeLessThan(1e-5);
  });
});

describe("gateLoop", () => {
  test("is attention over the products of the gates between", () => {
    const model = net().gateLoop();
    const params = (model as unknown as Model).init(random(8), [12, 2]);
    const own = params["1-gateLoop"] as { readonly in: Params; readonly out: Params };
    const x = random(9).normals([1, 12, 2], 0, 1);
    const matrix = (t: unknown, columns: number): number[][] => {
      const all = numbers(t as tf.Tensor);
      return Array.from({ length: all.length / columns }, (_, i) => all.slice(i * columns, (i + 1) * columns));
    };
    const given = matrix(
      tf.add(tf.matMul(tf.reshape(x, [12, 2]), own.in.kernel as tf.Tensor2D), own.in.bias as tf.Tensor),
      12,
    );
    const part = (t: number, which: number, channel: number): number => given[t]![which * 2 + channel]!;
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const seen = given.map((_, l) =>
      [0, 1].map((channel) => {
        let sum = 0;
        for (let m = 0; m <= l; m++) {
          let gates: Z = [1, 0];
          for (let j = m + 1; j <= l; j++) {
            const [size, phase] = [sigmoid(part(j, 4, channel)), part(j, 5, channel)];
            gates = times(gates, [size * Math.cos(phase), size * Math.sin(phase)]);
          }
          sum += part(l, 0, channel) * part(m, 1, channel) * part(m, 2, channel) * gates[0];
        }
        const gate = part(l, 3, channel);
        return sum * gate * sigmoid(gate);
      }),
    );
    const wanted = tf.add(tf.matMul(tf.tensor2d(seen), own.out.kernel as tf.Tensor2D), own.out.bias as tf.Tensor);
    expect(far(applied(model, params, x), numbers(wanted))).toBeLessThan(1e-5);
  });
});

describe("smr", () => {
  test("P183: each number is multiplied by a sigmoid of the weighed sum of itself and those before it", () => {
    const params = { "1-smr": { kernel: tf.tensor2d([[1], [0], [-2]]), bias: tf.tensor1d([0.5]) } };
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
    const x = [1, -2, 0.5, 3];
    // two places back counts once, the place itself −2 times
    const wanted = x.map((v, t) => v * sigmoid((x[t - 2] ?? 0) - 2 * v + 0.5));
    expect(far(applied(net().smr(3), params, tf.tensor3d(x, [1, 4, 1])), wanted)).toBeLessThan(1e-6);
  });
});
