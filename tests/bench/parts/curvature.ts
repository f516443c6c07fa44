/** The studies of curvature and large steps, by row. */
import { hessianTrace, mapTensors, random, tf, topEigenvalues, valueAndGrad } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, band, outcomeOf } from "./studies.ts";

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

type Layers = { readonly in: tf.Tensor2D; readonly out: tf.Tensor2D };

/** P408: where descent with all rows, and with one row at a time, comes to rest. */
async function stability(): Promise<Study> {
  const [seeds, lr, rows] = [5, 0.1, 16];
  const tops: Record<"all" | "one", number[]> = { all: [], one: [] };
  const traces: Record<"all" | "one", number[]> = { all: [], one: [] };
  for (let seed = 0; seed < seeds; seed++) {
    const rng = random(seed);
    const x = rng.at("x").normals([rows, 5]) as tf.Tensor2D;
    const y = rng.at("y").normals([rows, 1]) as tf.Tensor2D;
    const lossOf = (a: tf.Tensor2D, b: tf.Tensor2D) => (w: Layers) =>
      tf.mul(tf.mean(tf.square(tf.sub(tf.matMul(tf.relu(tf.matMul(a, w.in)), w.out), b))), 0.5);
    for (const way of ["all", "one"] as const) {
      let w: Layers = {
        in: rng.at("in").normals([5, 40], 0, 0.9) as tf.Tensor2D,
        out: rng.at("out").normals([40, 1], 0, 0.45) as tf.Tensor2D,
      };
      const order = rng.at("order");
      for (let step = 0; step < (way === "all" ? 1500 : 6000); step++) {
        w = tf.tidy(() => {
          const at = order.int(rows);
          const [a, b] = way === "all" ? [x, y] : [tf.slice(x, [at, 0], [1, 5]), tf.slice(y, [at, 0], [1, 1])];
          const { grads } = valueAndGrad(lossOf(a, b), w);
          return mapTensors((p, g) => tf.sub(p, tf.mul(g!, lr)), w, grads as Layers) as never;
        }) as unknown as Layers;
      }
      const whole = lossOf(x, y);
      tops[way].push(topEigenvalues(whole, w, { rounds: 60 })[0]!);
      traces[way].push(hessianTrace(whole, w, { samples: 60 }).trace);
    }
  }
  const bound = 2 / lr;
  return {
    headline:
      "Descent bounds the top eigenvalue by 2/lr; descent row by row bounds the trace by it, which the other does not",
    outcome: allOf(
      outcomeOf(tops.all.map((value) => 1.05 * bound - value)),
      outcomeOf(traces.one.map((value) => 1.05 * bound - value)),
      outcomeOf(traces.all.map((value, i) => value - traces.one[i]!)),
    ),
    figures: {
      "2 / lr": bound,
      "top eigenvalue, all rows": band(tops.all),
      "trace, all rows": band(traces.all),
      "top eigenvalue, one row": band(tops.one),
      "trace, one row": band(traces.one),
    },
    seeds,
  };
}

export const curvatureStudies: Readonly<Record<string, () => Promise<Study>>> = { P322: largeSteps, P408: stability };
