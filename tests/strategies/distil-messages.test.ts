import { expect, test } from "vitest";
import { tf, valueAndGrad } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import type { Weights } from "../../lib/models/network.ts";
import { trained } from "../../lib/models/trained.ts";
import { distilMessages } from "../../lib/strategies/index.ts";
import { contextOf, entropy, hooksOf, layersOf, mean, normal, perceptron, small, stepOf, times } from "./by-hand.ts";

test("P330: a network and its teacher answer each other, as worked by hand", () => {
  const { net, weights } = small([5, 4], 2, 3);
  const { weights: said } = small([7, 6], 2, 3, 21);
  const teacher = trained({ model: mlp({ hidden: [7, 6] }), input: [2], weights: said });
  const [x, y] = [normal(6, 2, 7), [0, 2, 1, 0, 2, 1]];
  const context = contextOf(net, weights, {
    stream: { classes: [], target: "class", head: "single" } as never,
    columns: 3,
  });
  const strategy = distilMessages({ teacher, units: 3, answer: 0.5, agree: 2, keep: 0.3 });
  const hooks = hooksOf(strategy);
  const drawn = hooks.parameters(context) as unknown as Record<string, Record<string, tf.Tensor>>;
  // the teacher hears what comes into its second layer
  expect(Object.values(drawn).flatMap((speech) => Object.values(speech).map(({ shape }) => shape))).toEqual([
    [4, 3],
    [3, 4],
    [6, 3],
    [3, 7],
  ]);
  const talk = [normal(4, 3, 1), normal(3, 4, 2), normal(6, 3, 3), normal(3, 7, 4)];
  const parts = (of: readonly tf.Tensor[]) => ({
    own: { encoder: of[0], decoder: of[1] },
    teacher: { encoder: of[2], decoder: of[3] },
  });
  const tensors = talk.map((matrix) => tf.tensor2d(matrix));
  const state = hooks.init(context);
  const at = (of: readonly tf.Tensor[]): tf.Scalar => {
    const all = { ...weights, added: { distilMessages: parts(of) } } as unknown as Weights;
    return hooks.loss(state, stepOf({ net, weights: all, x, y }));
  };

  const [s, t] = [perceptron(weights, x).features, perceptron(said, x).features];
  const [ownIn, ownOut, otherIn, otherOut] = talk as [number[][], number[][], number[][], number[][]];
  const second = layersOf(said)[1]!;
  const told = (message: number[][]): number[][] =>
    times(times(message, otherOut), second.kernel).map((row) => row.map((v, j) => Math.max(0, v + second.bias[j]!)));
  const squares = (a: readonly number[][], b: readonly number[][]): number =>
    mean(a.flatMap((row, i) => row.map((v, j) => (v - b[i]![j]!) ** 2)));
  const [mine, theirs] = [times(s, ownIn), times(t, otherIn)];
  const head = layersOf(weights).at(-1)!;
  const logits = times(times(times(told(mine), otherIn), ownOut), head.kernel).map((row) =>
    row.map((v, j) => v + head.bias[j]!),
  );
  const wanted =
    0.5 * mean(logits.map((z, i) => entropy(z, y[i]!))) +
    2 * squares(mine, theirs) +
    0.3 * (squares(times(mine, ownOut), s as number[][]) + squares(told(theirs), t as number[][]));
  expect(at(tensors).dataSync()[0]! / wanted).toBeCloseTo(1, 4);
  // what leaves the teacher's ears is learnt through its own layers
  const { grads } = valueAndGrad((decoder: { d: tf.Tensor }) => at([...tensors.slice(0, 3), decoder.d]), {
    d: tensors[3]!,
  } as never) as unknown as { grads: { d: tf.Tensor } };
  const moved = (by: number): number => {
    const data = tensors[3]!.dataSync().slice();
    data[2]! += by;
    return at([...tensors.slice(0, 3), tf.tensor(data, [3, 7])]).dataSync()[0]!;
  };
  const slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
  expect(grads.d.dataSync()[2]! / slope).toBeCloseTo(1, 1);
});
