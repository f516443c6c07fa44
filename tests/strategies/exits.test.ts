import { classes, digits, expand, gpt, layerSkip, network, random, selfDistil, tf, trained, vit } from "thalweg";
import { describe, expect, test } from "vitest";
import { exitWeights } from "../../lib/strategies/architecture/layer-skip.ts";
import { begun, block, blockPaths, sequences } from "./attentive.ts";
import { hooksOf, stepOf } from "./by-hand.ts";

const rows = [...Array(3).keys()].map((i) => Array.from({ length: 12 }, (_, j) => Math.sin(i * 5 + j)));
const y = [0, 2, 1];

/** The first place of what each block gives, in plain operations. */
function byHand(weights: ReturnType<typeof begun>["weights"]): tf.Tensor[] {
  const params = blockPaths.map((path) => weights.model[path.slice(6)] as never);
  const one = block(params[0]!, sequences(rows));
  const two = block(params[1]!, one);
  return [one, two].map((each) => tf.reshape(tf.slice(each, [0, 0, 0], [3, 1, 4]), [3, 4]));
}

const dense = (x: tf.Tensor, head: object): tf.Tensor => {
  const { kernel, bias } = head as { kernel: tf.Tensor2D; bias: tf.Tensor };
  return tf.add(tf.matMul(x as tf.Tensor2D, kernel), bias);
};
const entropies = (logits: tf.Tensor): tf.Tensor =>
  tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(tf.tensor1d(y, "int32"), 3)), -1));
const value = (x: tf.Tensor): number => x.dataSync()[0]!;

describe("networks that are left early", () => {
  test("layerSkip weighs exits as the source says", () => {
    expect(exitWeights(4, 0.5)).toEqual([0, 0.5, 1.5, 3 + 0.5 * 3]);
  });

  test("layerSkip asks every open exit through the one head", () => {
    const { net, weights } = begun();
    const step = stepOf({ net, weights, x: rows, y, extra: { weights: tf.tensor1d([0.3, 0.7]) } });
    const [one, two] = byHand(weights).map((features) => value(tf.mean(entropies(dense(features, weights.head)))));
    expect(value(hooksOf(layerSkip()).taskLoss({}, step))).toBeCloseTo(0.3 * one! + 0.7 * two!, 5);
    // the last block is dropped for every example: its exit is that of the block before
    const dropped = stepOf({ net, weights, x: rows, y, rng: random(1), extra: { weights: tf.tensor1d([0, 1]) } });
    expect(value(hooksOf(layerSkip({ dropout: 1 })).taskLoss({}, dropped))).toBeCloseTo(one!, 5);
  });

  test.each([
    ["rotational", 0, [1, 0, 1, 1]],
    ["rotational", 1, [0, 1, 0, 1]],
    ["gradual", 0, [0, 0, 0, 1]],
    ["gradual", 3, [0, 0, 1, 1]],
    ["gradual", 8, [0, 1, 1, 1]],
    ["all", 0, [1, 1, 1, 1]],
  ] as const)("layerSkip opens exits, %s in step %i", (curriculum, at, open) => {
    const net = network(vit({ patch: 4, width: 8, depth: 4, heads: 2 }), [8, 8, 1]);
    const hooks = hooksOf(layerSkip({ curriculum, scale: 1 }));
    const batch = hooks.batch({ start: 0, steps: 20 }, { extra: {} } as never, { network: net, step: at } as never);
    const weights = exitWeights(4, 1).map((w, l) => w * open[l]!);
    const total = weights.reduce((a, b) => a + b, 0);
    const found = [...batch.extra.layerSkip!.weights!.data];
    found.forEach((w, l) => {
      expect(w).toBeCloseTo(weights[l]! / total, 6);
    });
  });

  test("selfDistil asks each exit by a head of its own, and deeper ones teach those before", () => {
    const own = { "0": { kernel: random(8).normals([4, 3]), bias: random(9).normals([3]) } };
    const { net, weights } = begun({ selfDistil: own });
    const step = stepOf({ net, weights, x: rows, y });
    const [one, two] = byHand(weights);
    const [early, last] = [dense(one!, own["0"]), dense(two!, weights.head)];
    const [p, q] = [tf.softmax(tf.div(last, 3)), tf.logSoftmax(tf.div(early, 3))];
    const apart = tf.mean(tf.sum(tf.mul(p, tf.sub(tf.log(p), q)), -1));
    const wanted = value(tf.mean(entropies(early))) / 2 + value(tf.mean(entropies(last))) + 0.5 * 9 * value(apart);
    const loss = hooksOf(selfDistil({ exits: [0], weight: 0.5, temperature: 3 })).taskLoss({}, step);
    expect(value(loss)).toBeCloseTo(wanted, 4);
  });

  test("a run trains heads that expand.exit takes out", async () => {
    const stream = classes(digits()).split(1).limit({ train: 40, test: 20 });
    const run = await stream
      .learn(vit({ patch: 4, width: 8, depth: 3, heads: 2, widen: 1 }))
      .by(selfDistil({ exits: [0, 1] }))
      .train({ batch: 20, epochs: 1 })
      .run({ quiet: true, record: false });
    const whole = await run.network();
    const early = expand.exit(whole, 1).network;
    expect(early.model.stack!.filter(({ name }) => name === "transformer")).toHaveLength(2);
    const heads = whole.weights.added!.selfDistil as Record<string, { kernel: tf.Tensor }>;
    expect([...(early.weights.head.kernel as tf.Tensor).dataSync()]).toEqual([...heads["1"]!.kernel.dataSync()]);
    expect(() => expand.exit(whole, 3)).toThrow("blocks from 0 to 2 are required, got 3");
    const one = network(vit({ patch: 4, width: 8, depth: 1, heads: 2 }), [8, 8, 1]);
    expect(() => hooksOf(layerSkip()).init({ network: one } as never)).toThrow("at least two blocks of attention");
  });

  test("what the first blocks draft and all check is what all write alone", () => {
    const model = gpt({ tokens: 5, width: 8, depth: 3, heads: 2, context: 24 });
    const weights = network(model, [24]).init(random(4), 5);
    const made = trained({
      model,
      input: [24],
      weights: { ...weights, head: { kernel: random(6).normals([8, 5]), bias: tf.zeros([5]) } },
    });
    const alone: number[] = [1, 3];
    for (let i = 0; i < 12; i++) {
      const all = made.predict(tf.tensor2d([...alone, ...Array(24 - alone.length).fill(0)], [1, 24]));
      alone.push(tf.argMax(all, -1).dataSync()[alone.length - 1]!);
    }
    const { tokens, accepted, checks, passes } = expand.speculate(made, [1, 3], { exit: 2, draft: 3, tokens: 12 });
    expect(tokens).toEqual(alone.slice(2));
    expect(accepted).toBeLessThanOrEqual(1);
    expect(passes).toBeCloseTo((3 + (checks - 1) * (3 * 2 + 3)) / 36, 0);
    expect(() => expand.speculate(made, [1], { exit: 3 })).toThrow("an exit before the last of 3 blocks");
  });
});
