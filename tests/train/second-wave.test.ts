/** Things that could not be said before: each in about twenty lines, as a user would write it. */
import { blobs, classes, mlp, type Passed, sgd, strategy, task, tf } from "thalweg";
import { expect, test } from "vitest";
import { numbers } from "../strategies/support.ts";

const quiet = { quiet: true, record: false } as const;
const few = () => classes(blobs({ classes: 4, dimensions: 6, perClass: 30 })).split(2);

test("a strategy trains the input and leaves the network as it is", async () => {
  // A x + δ in every pass, A and δ trained; the network itself stays as it began (reprogramming, Elsayed et al. 2019).
  const inputTuning = strategy("inputTuning", {}, () => ({
    parameters: ({ network }) => ({ delta: tf.zeros([1, ...network.input]), kernel: tf.eye(network.input[0]!) }),
    forward(_state, { x, weights, plain }): Passed {
      const { delta, kernel } = weights.added!.inputTuning as { delta: tf.Tensor; kernel: tf.Tensor2D };
      return plain({ x: tf.add(tf.matMul(x as tf.Tensor2D, kernel), delta) });
    },
    weights: (_state, { before, after }) => ({ ...before, added: after.added! }),
  }));
  const fitting = classes(blobs({ classes: 2, dimensions: 6, perClass: 30 }))
    .split(1)
    .learn(mlp({ hidden: [16] }))
    .by(inputTuning())
    .with(sgd({ lr: 0.1 }))
    .train({ epochs: 20 })
    .fit();
  const kernels: string[] = [];
  const accuracies: number[] = [];
  for await (const event of fitting)
    if (event.type === "evaluated" && event.at !== "step") {
      kernels.push(JSON.stringify(numbers(fitting.session.learner.weights.model)));
      accuracies.push(event.accuracy);
    }
  fitting.dispose();
  expect(new Set(kernels).size).toBe(1);
  expect(accuracies[0]).toBeLessThan(0.8);
  expect(accuracies.at(-1)).toBeGreaterThan(0.95);
});

test("a run stops at a place, and a branch of it cools down", async () => {
  const study = few()
    .learn(mlp({ hidden: [16] }))
    .with(sgd({ lr: 0.1 }));
  const stem = await study.run({ ...quiet, until: task(1).step(3) });
  const branch = await stem.at(task(1).step(3)).fork({ optimizer: sgd({ lr: 0.01 }) }, { until: task(1).step(5) });
  const steps = branch.logs[0]!.events.filter(({ type }) => type === "step");
  expect(steps).toHaveLength(6 + 5);
});
