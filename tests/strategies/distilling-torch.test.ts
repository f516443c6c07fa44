/** The losses with which networks teach networks, beside PyTorch's: values and slopes, made by peers/distilling.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Tree, tf, valueAndGrad } from "../../lib/engine/index.ts";
import { mlp, net } from "../../lib/models/index.ts";
import type { Model } from "../../lib/models/model.ts";
import { network, type Weights } from "../../lib/models/network.ts";
import { trained } from "../../lib/models/trained.ts";
import { distil, distilFeatures } from "../../lib/strategies/index.ts";
import type { Strategy } from "../../lib/strategies/strategy.ts";
import { close, contextOf, hooksOf, small, stepOf } from "./by-hand.ts";

const torch = JSON.parse(readFileSync(new URL("./peers/distilling.json", import.meta.url), "utf8")) as {
  readonly x: number[];
  readonly y: number[];
  readonly map: number[];
  readonly student: number[][];
  readonly teacher: number[][];
  readonly losses: Record<string, { readonly value: number; readonly slopes: number[][] }>;
};
const input = [4, 4, 2];
const x = tf.tensor(torch.x, [5, ...input]);

function made(filters: readonly [number, number], [k1, b1, k2, b2, k3, b3]: readonly number[][]) {
  const model = net().conv(filters[0], 3).relu().pool(2).conv(filters[1], 3).relu().flatten() as unknown as Model;
  const weights: Weights = {
    model: {
      "1-conv": { kernel: tf.tensor(k1!, [3, 3, 2, filters[0]]), bias: tf.tensor(b1!) },
      "4-conv": { kernel: tf.tensor(k2!, [3, 3, ...filters]), bias: tf.tensor(b2!) },
    },
    head: { kernel: tf.tensor(k3!, [4 * filters[1], 3]), bias: tf.tensor(b3!) },
  };
  return { model, weights };
}

const student = made([3, 2], torch.student as never);
const own = made([4, 3], torch.teacher as never);
const teacher = trained({ model: own.model, input, weights: own.weights });
const structure = network(student.model, input);
const context = contextOf(structure, student.weights, {
  stream: { classes: [], target: "class", head: "single" } as never,
});
const added = { distilFeatures: { map: tf.tensor(torch.map, [8, 12]) } };

describe("PyTorch comes to the same", () => {
  const features = (objective: "mse" | "cosine" | "relations" | "attention"): Strategy =>
    distilFeatures({ teacher, objective }) as unknown as Strategy;
  test.each([
    ["logits", distil({ teacher, temperature: 3, weight: 0.7 }) as unknown as Strategy],
    ["mse", features("mse")],
    ["cosine", features("cosine")],
    ["relations", features("relations")],
    ["attention", features("attention")],
  ] as const)("%s", (name, strategy) => {
    const { init, taskLoss, loss } = hooksOf(strategy);
    const state = init(context);
    const { value, grads } = valueAndGrad((model: Tree) => {
      const mapped = name === "mse" || name === "cosine";
      const weights = { ...student.weights, model, ...(mapped && { added }) } as unknown as Weights;
      const step = stepOf({ net: structure, weights, x, y: torch.y });
      const own = loss(state, step);
      return (taskLoss === undefined ? own : tf.add(taskLoss(state, step), own)) as tf.Scalar;
    }, student.weights.model as Tree);
    const wanted = torch.losses[name]!;
    expect(value.dataSync()[0]! / wanted.value).toBeCloseTo(1, 4);
    const layers = grads as unknown as Record<string, { kernel: tf.Tensor; bias: tf.Tensor }>;
    const slopes = Object.values(layers).flatMap(({ kernel, bias }) => [kernel, bias]);
    for (const [i, slope] of slopes.entries()) close([...slope.dataSync()], wanted.slopes[i]!, 4);
  });

  test("attention needs images on both sides", () => {
    const { net: plain, weights } = small([5], 2, 3);
    const flat = trained({ model: mlp({ hidden: [5] }), input: [2], weights });
    const strategy = distilFeatures({ teacher: flat, objective: "attention" });
    const state = hooksOf(strategy).init(contextOf(plain, weights, { stream: context.stream }));
    expect(() => hooksOf(strategy).loss(state, stepOf({ net: plain, weights, x: [[1, 2]] }))).toThrow(
      "distilFeatures: layers that give images of one size in both networks are required",
    );
  });
});
