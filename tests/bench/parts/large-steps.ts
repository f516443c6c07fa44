/** The studies that plain numbers are enough for, by row: large steps, and examples by relevance. */
import { solveSymmetric, symmetricEigen } from "../../../lib/engine/linear-algebra.ts";
import { random, taskRelevance } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

/** Separable points with a margin, labels in their sign, as `y · x`. */
function separable(seed: number, points = 40, width = 10): Float64Array[] {
  const rng = random(seed);
  const direction = Array.from({ length: width }, () => rng.normal());
  const length = Math.hypot(...direction);
  const found: Float64Array[] = [];
  while (found.length < points) {
    const x = Float64Array.from({ length: width }, () => rng.normal());
    const side = x.reduce((sum, v, i) => sum + (v * direction[i]!) / length, 0);
    if (Math.abs(side) > 0.15) found.push(x.map((v) => v * Math.sign(side)));
  }
  return found;
}

/** Steps until every point is on its side; `share(margin)` is how much a point pulls. */
function stepsToSeparate(points: readonly Float64Array[], share: (margin: number) => number, lr: number): number {
  const w = new Float64Array(points[0]!.length);
  for (let step = 1; step <= 20_000; step++) {
    const margins = points.map((x) => x.reduce((sum, v, i) => sum + v * w[i]!, 0));
    if (step > 1 && margins.every((margin) => margin > 0)) return step - 1;
    for (const [n, x] of points.entries())
      for (let i = 0; i < w.length; i++) w[i]! += (lr / points.length) * share(margins[n]!) * x[i]!;
  }
  return 20_000;
}

/** P322: gradient descent on logistic regression with larger and larger steps. */
async function largeSteps(): Promise<Study> {
  const seeds = 20;
  const logistic = (margin: number): number => 1 / (1 + Math.exp(margin));
  const wrong = (margin: number): number => (margin > 0 ? 0 : margin === 0 ? 0.5 : 1);
  const sets = Array.from({ length: seeds }, (_, seed) => separable(seed));
  const at = (lr: number): number[] => sets.map((points) => stepsToSeparate(points, logistic, lr));
  const [small, large, huge] = [at(0.3), at(30), at(1e6)];
  const perceptron = sets.map((points) => stepsToSeparate(points, wrong, 1));
  return {
    headline:
      "Larger steps separate sooner though the loss is higher, and in the limit they are the batch perceptron's",
    outcome: allOf(
      outcomeOf(small.map((steps, i) => steps - large[i]!)),
      huge.every((steps, i) => steps === perceptron[i]) ? "holds" : "does not hold here",
    ),
    figures: {
      "steps at rate 0.3": band(small),
      "steps at rate 30": band(large),
      "steps at rate 1000000": band(huge),
      "steps of the batch perceptron": band(perceptron),
    },
    seeds,
  };
}

/** P444: examples of source tasks by their relevance, for a target that few of them make. */
async function relevant(): Promise<Study> {
  const [seeds, d, r, tasks, budget, few] = [12, 24, 4, 24, 1600, 12];
  const errorOf = (seed: number, by: "l1" | "l2" | "alike"): number => {
    const rng = random(seed).at("tasks");
    const basis = Array.from({ length: r }, () => Float64Array.from({ length: d }, () => rng.normal() / Math.sqrt(d)));
    const heads = Array.from({ length: tasks }, () => Array.from({ length: r }, () => rng.normal()));
    const target = heads[0]!.map((v, i) => v + 0.7 * heads[1]![i]!);
    const through = (head: readonly number[]): Float64Array =>
      Float64Array.from({ length: d }, (_, j) => head.reduce((sum, v, i) => sum + v * basis[i]![j]!, 0));
    const fitted = (head: readonly number[], n: number, noise: ReturnType<typeof random>): Float64Array => {
      const truth = through(head);
      const [gram, cross] = [new Float64Array(d * d), new Float64Array(d)];
      for (let k = 0; k < n; k++) {
        const x = Float64Array.from({ length: d }, () => noise.normal());
        const y = x.reduce((sum, v, j) => sum + v * truth[j]!, 0) + noise.normal();
        for (let i = 0; i < d; i++) {
          cross[i]! += x[i]! * y;
          for (let j = 0; j < d; j++) gram[i * d + j]! += x[i]! * x[j]!;
        }
      }
      for (let i = 0; i < d; i++) gram[i * d + i]! += 1;
      return solveSymmetric(gram, cross, d, 1);
    };
    const shares =
      by === "alike"
        ? heads.map(() => 1 / tasks)
        : taskRelevance(heads, target, { by, penalty: by === "l1" ? 0.05 : 1e-6 }).shares;
    const second = new Float64Array(d * d);
    for (const [t, head] of heads.entries()) {
      const n = Math.round(shares[t]! * budget);
      if (n < 2) continue;
      const theta = fitted(head, n, random(seed).at("examples", t));
      for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) second[i * d + j]! += n * theta[i]! * theta[j]!;
    }
    const { values, vectors } = symmetricEigen(second, d);
    const order = [...values.keys()].sort((a, b) => values[b]! - values[a]!).slice(0, r);
    const directions = order.map((k) => vectors.subarray(k * d, (k + 1) * d));
    // the target's head over the directions, from a few examples
    const truth = through(target);
    const own = random(seed).at("target");
    const [gram, cross] = [new Float64Array(r * r), new Float64Array(r)];
    for (let k = 0; k < few; k++) {
      const x = Float64Array.from({ length: d }, () => own.normal());
      const y = x.reduce((sum, v, j) => sum + v * truth[j]!, 0) + own.normal();
      const z = directions.map((direction) => direction.reduce((sum, v, j) => sum + v * x[j]!, 0));
      for (let i = 0; i < r; i++) {
        cross[i]! += z[i]! * y;
        for (let j = 0; j < r; j++) gram[i * r + j]! += z[i]! * z[j]!;
      }
    }
    for (let i = 0; i < r; i++) gram[i * r + i]! += 0.1;
    const head = solveSymmetric(gram, cross, r, 1);
    return truth.reduce(
      (sum, v, j) => sum + (v - directions.reduce((made, direction, i) => made + head[i]! * direction[j]!, 0)) ** 2,
      0,
    );
  };
  const [own, squares, alike] = (["l1", "l2", "alike"] as const).map((by) =>
    Array.from({ length: seeds }, (_, seed) => errorOf(seed, by)),
  ) as [number[], number[], number[]];
  return {
    headline:
      "Shares by a lasso need fewer examples of sources than those by squares: a lower error on the target for as many",
    outcome: outcomeOf(apart(squares, own)),
    figures: {
      "excess risk, lasso": band(own),
      "excess risk, squares": band(squares),
      "excess risk, all alike": band(alike),
    },
    seeds,
  };
}

export const largeStepStudies: Readonly<Record<string, () => Promise<Study>>> = {
  P322: largeSteps,
  P444: relevant,
};
