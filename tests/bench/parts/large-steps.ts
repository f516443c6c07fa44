/** The studies of large steps, by row. */
import { random } from "../../../lib/index.ts";
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

export const largeStepStudies: Readonly<Record<string, () => Promise<Study>>> = { P322: largeSteps };
