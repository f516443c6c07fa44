/** What goes when memorised examples are cut out of a denoiser, beside sums by hand. */
import { disposeTree, type Model, net, network, type Params, prune, random, tf, trained } from "thalweg";
import { expect, test } from "vitest";

const model = net()
  .flatten()
  .conditions(4, { classes: 3, steps: 10, range: [-1, 1] })
  .dense(6)
  .modulate()
  .relu()
  .dense(2) as unknown as Model;

function made() {
  const weights = network(model, [2, 1, 1]).init(random(1), 3);
  const modulation = (weights.model["4-modulate"] as Params).modulation as Params;
  const kernel = random(2).normals((modulation.kernel as tf.Tensor).shape);
  const classes = { kernel: random(3).normals([4, 4]) };
  const changed = {
    ...weights.model,
    "2-conditions": { ...(weights.model["2-conditions"] as Params), classes },
    "4-modulate": { modulation: { ...modulation, kernel } },
  };
  const own = trained({ model, input: [2, 1, 1], weights: { ...weights, model: changed } });
  disposeTree([weights, kernel, classes] as never);
  return own;
}
const kernelOf = (own: ReturnType<typeof made>): number[] => [
  ...((own.weights.model["6-dense"] as Params).kernel as tf.Tensor).dataSync(),
];

test("P341 Memorisation subspace pruning: a number goes where it is among the largest scores with the memorised label and weighs less with others", () => {
  const own = made();
  const before = tf.memory().numTensors;
  const options = { labels: [2], others: [0], share: 0.5, count: 5, steps: 10, looks: 1, filter: "6-dense" } as const;
  const found = prune.memorised(own, options);
  // what comes into the last layer at the noisiest step, by hand
  const lengths = (label: number): number[] =>
    tf.tidy(() => {
      const { waves, time, classes } = own.weights.model["2-conditions"] as Record<string, Record<string, tf.Tensor2D>>;
      const x = tf.reshape(random(0).at("memorised").normals([5, 2, 1, 1]), [5, 2]) as tf.Tensor2D;
      const silu = (v: tf.Tensor): tf.Tensor2D => tf.mul(v, tf.sigmoid(v));
      const angles = [900, 900 / 100];
      const wave = tf.tensor2d([[...angles.map(Math.cos), ...angles.map(Math.sin)]]);
      const told = tf.add(
        tf.add(tf.matMul(silu(tf.add(tf.matMul(wave, waves!.kernel!), waves!.bias!)), time!.kernel!), time!.bias!),
        tf.slice(classes!.kernel!, [label, 0], [1, 4]),
      );
      const { kernel, bias } = (own.weights.model["4-modulate"] as Params).modulation as Record<string, tf.Tensor2D>;
      const [shift, scale] = tf.split(tf.add(tf.matMul(silu(told), kernel!), bias!), 2, 1);
      const first = own.weights.model["3-dense"] as Record<string, tf.Tensor2D>;
      const inner = tf.add(tf.matMul(x, first.kernel!), first.bias!);
      const out = tf.relu(tf.add(tf.mul(inner, tf.add(scale!, 1)), shift!));
      return [...tf.sqrt(tf.mean(tf.square(out), 0)).dataSync()];
    });
  const [mine, theirs] = [lengths(2), lengths(0)];
  const kernel = kernelOf(own);
  const wanted = kernel.map((w, at) => {
    const [input, unit] = [Math.floor(at / 2), at % 2];
    const scores = mine.map((length, i) => Math.abs(kernel[2 * i + unit]!) * length);
    const rank = scores.filter((score) => score > scores[input]!).length;
    return rank < 3 && mine[input]! > theirs[input]! ? 0 : w;
  });
  expect(kernelOf(found.network)).toEqual(wanted);
  expect(wanted.filter((w) => w === 0).length).toBeGreaterThan(0);
  expect(found.report.layers).toMatchObject([{ path: "model/6-dense", numbers: 12 }]);
  found.network.dispose();
  expect(tf.memory().numTensors).toBe(before);
  own.dispose();
});

test("nothing goes where labels are held against themselves, and more steps are a union", () => {
  const own = made();
  const with_ = (more: object): number[] => {
    const { network: next } = prune.memorised(own, { labels: [1], filter: "6-dense", share: 0.5, steps: 10, ...more });
    const numbers = kernelOf(next);
    next.dispose();
    return numbers;
  };
  expect(with_({ others: [1] })).toEqual(kernelOf(own));
  const [one, four] = [with_({ others: [0], looks: 1 }), with_({ others: [0], looks: 4 })];
  one.forEach((w, i) => {
    if (w === 0) expect(four[i]).toBe(0);
  });
  expect(() => prune.memorised(own, { labels: [3], filter: "6-dense" })).toThrow("labels among the 3 classes");
  expect(() => prune.memorised(own, { labels: [1] })).toThrow("a filter that selects a parameter is required");
  own.dispose();
});
