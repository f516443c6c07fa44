/** Studies of what memories of polynomials keep, without training, by row. */
import { product, solveSymmetric, transposed } from "../../../lib/engine/linear-algebra.ts";
import { hippoMatrices, random } from "../../../lib/index.ts";
import { hippoSteps, legsFactors } from "../../../lib/models/parts/hippo-steps.ts";
import { ptdFactors } from "../../../lib/models/parts/ptd-factors.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

/** P107: waves of two kinds are told apart by the coefficients of a memory, also where they are sampled half or twice as often as those that were learned from. */
async function timescales(): Promise<Study> {
  const [order, places, count, seeds] = [8, 120, 120, 5];
  const coefficients = (measure: "legs" | "legt", signal: (x: number) => number, length: number): number[] => {
    const steps = hippoSteps(measure, order, length, places);
    let c = new Array<number>(order).fill(0);
    for (let t = 0; t < length; t++) {
      const at = steps.count === 1 ? 0 : t;
      const f = signal((t + 0.5) / length);
      c = c.map((_, i) =>
        c.reduce((sum, v, k) => sum + steps.a[(at * order + i) * order + k]! * v, steps.b[at * order + i]! * f),
      );
    }
    return c;
  };
  const found: Record<string, number[]> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const draws = random(seed)
      .uniforms([2 * count, 3])
      .dataSync();
    // a chirp that quickens or one that slows, of a drawn speed, phase and height
    const wave =
      (i: number) =>
      (x: number): number => {
        const [speed, phase, height] = draws.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
        return (0.5 + height) * Math.sin(6.28 * phase + (4 + 2 * speed) * (i % 2 === 0 ? x * x : 2 * x - x * x));
      };
    for (const measure of ["legs", "legt"] as const) {
      const rows = (from: number, length: number): Float64Array => {
        const all = new Float64Array(count * (order * order + order + 1));
        for (let i = 0; i < count; i++) {
          const c = coefficients(measure, wave(from + i), length);
          // squares as well: the sign of a wave says nothing
          all.set([1, ...c, ...c.flatMap((a) => c.map((b) => a * b))], i * (order * order + order + 1));
        }
        return all;
      };
      const width = order * order + order + 1;
      const x = rows(0, places);
      const y = Float64Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 1 : -1));
      const gram = product(transposed(x, count, width), x, width, count, width);
      for (let i = 0; i < width; i++) gram[i * width + i]! += 1e-2;
      const w = solveSymmetric(gram, product(transposed(x, count, width), y, width, count, 1), width, 1);
      for (const [name, length] of [
        ["as learned", places],
        ["half as often", places / 2],
        ["twice as often", places * 2],
      ] as const) {
        const said = product(rows(count, length), w, count, width, 1);
        const right = said.reduce((sum, v, i) => sum + (v > 0 === (i % 2 === 0) ? 1 : 0), 0) / count;
        (found[`${measure}, ${name}`] ??= []).push(right);
      }
    }
  }
  const gain = ["half as often", "twice as often"].map((name) =>
    outcomeOf(apart(found[`legs, ${name}`]!, found[`legt, ${name}`]!)),
  );
  return {
    headline:
      "A memory in a scale of time of its own tells trajectories apart that are sampled at another rate than those it learned from",
    outcome: allOf(...gain),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P438: how far the transfer functions of two diagonal systems are from that of LegS, at most, over frequencies; 16 states. */
async function perturbed(): Promise<Study> {
  const [n, seeds] = [16, 5];
  type Z = readonly [re: number, im: number];
  const times = ([a, b]: Z, [c, d]: Z): Z => [a * c - b * d, a * d + b * c];
  const over = (x: Z, [c, d]: Z): Z => times(x, [c / (c * c + d * d), -d / (c * c + d * d)]);
  const plus = (a: Z, b: Z): Z => [a[0] + b[0], a[1] + b[1]];
  const { a, b } = hippoMatrices("legs", n);
  const [{ values, vectors, inverse }, normal] = [ptdFactors(n), legsFactors(n)];
  const half = n / 2;
  const found: Record<string, number[]> = { perturbed: [], "normal part": [] };
  for (let seed = 0; seed < seeds; seed++) {
    const c = random(seed).normals([n]).dataSync();
    const sum = (fn: (k: number) => number): number =>
      Array.from({ length: n }, (_, k) => fn(k)).reduce((x, y) => x + y, 0);
    const residues = Array.from(
      { length: n },
      (_, j): Z =>
        times(
          [sum((k) => c[k]! * vectors.re[k * n + j]!), sum((k) => c[k]! * vectors.im[k * n + j]!)],
          [sum((k) => inverse.re[j * n + k]! * b[k]!), sum((k) => inverse.im[j * n + k]! * b[k]!)],
        ),
    );
    // S4D-LegS: the normal part, with half of B
    const ofNormal = Array.from(
      { length: half },
      (_, j): Z =>
        times(
          [sum((k) => c[k]! * normal.vectors.re[k * half + j]!), sum((k) => c[k]! * normal.vectors.im[k * half + j]!)],
          [
            sum((k) => normal.vectors.re[k * half + j]! * b[k]!) / 2,
            -sum((k) => normal.vectors.im[k * half + j]! * b[k]!) / 2,
          ],
        ),
    );
    let [worst, worstNormal, most] = [0, 0, 0];
    for (let step = 0; step < 800; step++) {
      const s: Z = [0, 0.1 * step];
      const x: Z[] = [];
      for (let i = 0; i < n; i++) {
        let right: Z = [b[i]!, 0];
        for (let k = 0; k < i; k++) right = plus(right, times([a[i * n + k]!, 0], x[k]!));
        x.push(over(right, [s[0] - a[i * n + i]!, s[1]]));
      }
      const exact = x.reduce<Z>((sum, v, k) => plus(sum, times([c[k]!, 0], v)), [0, 0]);
      const near = residues.reduce<Z>(
        (sum, r, j) => plus(sum, over(r, [s[0] - values.re[j]!, s[1] - values.im[j]!])),
        [0, 0],
      );
      const other = ofNormal.reduce<Z>(
        (sum, r, j) =>
          plus(plus(sum, over(r, [0.5, s[1] - normal.im[j]!])), over([r[0], -r[1]], [0.5, s[1] + normal.im[j]!])),
        [0, 0],
      );
      most = Math.max(most, Math.hypot(...exact));
      worst = Math.max(worst, Math.hypot(near[0] - exact[0], near[1] - exact[1]));
      worstNormal = Math.max(worstNormal, Math.hypot(other[0] - exact[0], other[1] - exact[1]));
    }
    found.perturbed!.push(worst / most);
    found["normal part"]!.push(worstNormal / most);
  }
  return {
    headline:
      "LegS, perturbed and then brought to a diagonal, answers waves of all frequencies as LegS does, which its normal part does not",
    outcome: outcomeOf(apart(found["normal part"]!, found.perturbed!)),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [
        `largest error of the transfer function, in the greatest of LegS, ${name}`,
        band(values),
      ]),
    ),
    seeds,
  };
}

export const memories: Readonly<Record<string, () => Promise<Study>>> = { P107: timescales, P438: perturbed };
