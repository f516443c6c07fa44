import { test } from "vitest";
import { close, matrix, normal, perceptron, small, solved, stepOf, times } from "./by-hand.ts";

test("a step by hand passes rows through the network as plain arithmetic does", () => {
  const { net, weights } = small([4, 3], 2, 3);
  const x = normal(5, 2, 1);
  const step = stepOf({ net, weights, x });
  const { features, logits } = perceptron(weights, x);
  close(matrix(step.features).flat(), features.flat(), 5);
  close(matrix(step.logits).flat(), logits.flat(), 5);
});

test("a solved system is solved", () => {
  const a = normal(4, 4, 2);
  const b = [1, -2, 3, 0.5];
  const column = solved(a, b).map((v) => [v]);
  close(times(a, column).flat(), b, 9);
});
