/** Gates that come to agree, in plain arithmetic. */
import { consensus, tf } from "thalweg";
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
} from "./by-hand.ts";

const { net, weights } = small([4, 3], 2, 3);
const x = normal(6, 2, 3);
const y = [0, 1, 2, 0, 1, 2];
const gates = [
  { kernel: normal(2, 4, 5), bias: normal(1, 4, 6)[0]! },
  { kernel: normal(4, 3, 7), bias: normal(1, 3, 8)[0]! },
];
const added = Object.fromEntries(
  gates.map(({ kernel, bias }, i) => [`${i}`, { kernel: tf.tensor2d(kernel), bias: tf.tensor1d(bias) }]),
);
const own = { ...weights, added: { consensus: added } } as never as typeof weights;
const strategy = consensus({ sparsity: 0.4, polarise: 0.3, sparse: 2, samples: 6 });
const hooks = hooksOf(strategy);
const open = { tensors: { mask: tf.ones([7]), done: tf.scalar(0) } };
const layers = layersOf(weights);

/** Logits, and the sureness of gates layer by layer; `mask` takes the place of gates. */
function passed(mask?: number[][]) {
  let now = x;
  const sure: number[][][] = [];
  layers.slice(0, 2).forEach(({ kernel, bias }, l) => {
    const a = times(now, gates[l]!.kernel).map((row) => row.map((v, j) => 1 / (1 + Math.exp(-v - gates[l]!.bias[j]!))));
    sure.push(a);
    now = times(now, kernel).map((row, i) =>
      row.map((v, j) => Math.max(0, (v + bias[j]!) * (mask === undefined ? +(a[i]![j]! > 0.5) : mask[l]![j]!))),
    );
  });
  const { kernel, bias } = layers[2]!;
  return { sure, logits: times(now, kernel).map((row) => row.map((v, c) => v + bias[c]!)) };
}
const columns = (rows: number[][], f: (v: number) => number): number[] =>
  rows[0]!.map((_, j) => mean(rows.map((row) => f(row[j]!))));

describe("P006: a consensus of gates", () => {
  const { sure, logits } = passed();
  const shares = sure.map((rows) => columns(rows, (p) => +(p > 0.5)));

  test("switches units for each example, and is led to agree and to be sparse", () => {
    const step = stepOf({ net, weights: own, x, y, through: { strategy, state: open } });
    close([...step.logits.dataSync()], logits.flat(), 4);
    const split = mean(sure.flatMap((rows) => columns(rows, (p) => p)).map((p) => 4 * p * (1 - p)));
    const besides = (state: typeof open, at = step): number =>
      lossOf(strategy, state, at) - at.targetLoss().dataSync()[0]!;
    expect(besides(open)).toBeCloseTo(0.3 * split + 2 * (mean(shares.flat()) - 0.6) ** 2, 4);
    const done = { tensors: { mask: tf.ones([7]), done: tf.scalar(1) } };
    expect(besides(done, stepOf({ net, weights: own, x, y, through: { strategy, state: done } }))).toBe(0);
  });

  test("leaves the units that count for most examples, and asks gates no more", () => {
    const context = contextOf(net, own, { columns: 3 });
    const state = hooks.afterExperience(open, { train: examplesOf(x, y), index: 0 } as never, context);
    const mask = shares.map((own) => own.map((s) => +(s > 0.5 || (Math.max(...own) <= 0.5 && s === Math.max(...own)))));
    expect([...state.tensors.mask.dataSync()]).toEqual(mask.flat());
    expect(state.notes[0]).toBe(`consensus: ${mask.flat().filter(Boolean).length} of 7 units stay`);
    const step = stepOf({ net, weights: own, x, y, through: { strategy, state } });
    close([...step.logits.dataSync()], passed(mask).logits.flat(), 4);
    const later = hooks.afterExperience(state, { train: examplesOf(x, y), index: 1 } as never, context);
    expect([...later.tensors.mask.dataSync()]).toEqual(mask.flat());
  });
});
