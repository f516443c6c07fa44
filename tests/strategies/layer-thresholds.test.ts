/** Layers that prune themselves by thresholds, in plain arithmetic. */
import { layerThresholds, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import {
  close,
  contextOf,
  examplesOf,
  hooksOf,
  layersOf,
  lossOf,
  mean,
  normal,
  small,
  stepOf,
  times,
  transposed,
} from "./by-hand.ts";

const { net, weights } = small([4, 3], 2, 3);
const x = normal(6, 2, 3);
const y = [0, 1, 2, 0, 1, 2];
const bypasses = [
  { first: normal(2, 2, 5), second: normal(2, 4, 6) },
  { first: normal(4, 2, 7), second: normal(2, 3, 8) },
];
const thresholds = [0.18, 0.21];
const added = Object.fromEntries(
  bypasses.map(({ first, second }, i) => [
    `${i}`,
    { threshold: tf.tensor1d([thresholds[i]!]), first: tf.tensor2d(first), second: tf.tensor2d(second) },
  ]),
);
const own = { ...weights, added: { layerThresholds: added } } as never as typeof weights;
const strategy = layerThresholds({ flops: 0.3, weight: 7, rate: 5, softness: 0.5, rank: 2 });
const hooks = hooksOf(strategy);
const begun = { tensors: { mask: tf.ones([7]), done: tf.scalar(0) } };
const layers = layersOf(weights);
const scores = layers.slice(0, 2).map(({ kernel }) => {
  const sums = transposed(kernel).map((column) => column.reduce((sum, w) => sum + Math.abs(w), 0));
  return sums.map((v) => v / mean(sums));
});
const masks = scores.map((row, l) => row.map((s) => +(s > 5 * thresholds[l]! || s === Math.max(...row))));

/** Logits with the units of masks, and the bypasses. */
function logits(): number[][] {
  let now = x;
  layers.slice(0, 2).forEach(({ kernel, bias }, l) => {
    const beside = times(times(now, bypasses[l]!.first), bypasses[l]!.second);
    now = times(now, kernel).map((row, i) =>
      row.map((v, j) => Math.max(0, (v + bias[j]!) * masks[l]![j]! + beside[i]![j]!)),
    );
  });
  const { kernel, bias } = layers[2]!;
  return times(now, kernel).map((row) => row.map((v, c) => v + bias[c]!));
}

describe("P229: thresholds of layers", () => {
  const step = stepOf({ net, weights: own, x, y, through: { strategy, state: begun } });

  test("leave the units with the largest kernels, beside a bypass, and pay for what they cost", () => {
    const count = masks.flat().filter(Boolean).length;
    expect([count > 2, count < 7]).toEqual([true, true]);
    close([...step.logits.dataSync()], logits().flat(), 4);
    // kernels of 2 × 4 and 4 × 3, bypasses of 2 × (2 + 4) and 2 × (4 + 3)
    const cost = (8 * mean(masks[0]!) + 12 + 12 * mean(masks[1]!) + 14) / 20;
    const besides = lossOf(strategy, begun, step) - step.targetLoss().dataSync()[0]!;
    expect(besides).toBeCloseTo(7 * (cost - 0.3) ** 2, 4);
  });

  test("rise where the network costs too much", () => {
    const slope = tf.grad((threshold: tf.Tensor) => {
      const moved = { ...own, added: { layerThresholds: { ...added, 0: { ...added[0], threshold } } } } as never;
      const at = stepOf({ net, weights: moved, x, y, through: { strategy, state: begun } });
      return tf.sub(hooks.taskLoss(begun, at), at.targetLoss());
    })(tf.tensor1d([thresholds[0]!]));
    const cost = (8 * mean(masks[0]!) + 12 + 12 * mean(masks[1]!) + 14) / 20;
    // through σ of each unit that is not the best of its layer
    const through = scores[0]!.map((s) => {
      const p = 1 / (1 + Math.exp(-(s - 5 * thresholds[0]!) / 0.5));
      return s === Math.max(...scores[0]!) ? 0 : (-5 / 0.5) * p * (1 - p);
    });
    const found = slope.dataSync()[0]!;
    expect(found).toBeLessThan(0);
    const whole = 2 * 7 * (cost - 0.3) * (8 / 20);
    expect(found).toBeCloseTo(whole * mean(through), 3);
  });

  test("are decided at the end of the first experience", () => {
    const context = contextOf(net, own, { columns: 3 });
    const state = hooks.afterExperience(begun, { train: examplesOf(x, y), index: 0 } as never, context);
    expect([...state.tensors.mask.dataSync()]).toEqual(masks.flat());
    expect(state.notes[0]).toContain(`${masks[0]!.filter(Boolean).length} of 4 in`);
    const later = stepOf({ net, weights: own, x, y, through: { strategy, state } });
    close([...later.logits.dataSync()], logits().flat(), 4);
    expect(lossOf(strategy, state, later)).toBeCloseTo(later.targetLoss().dataSync()[0]!, 6);
  });
});
