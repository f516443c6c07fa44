/** Training in little memory, in plain arithmetic. */
import { describe, expect, test } from "vitest";
import { random, tf } from "../../lib/engine/index.ts";
import { net as build } from "../../lib/models/index.ts";
import { network } from "../../lib/models/network.ts";
import { tinyTraining } from "../../lib/strategies/index.ts";
import { bestPlan, bytesOf, channelsOf, type PlannedLayer } from "../../lib/strategies/parts/update-plan.ts";
import {
  close,
  contextOf,
  dot,
  examplesOf,
  hooksOf,
  inOrder,
  layersOf,
  normal,
  perceptron,
  slopes,
  small,
  softmax,
  stepOf,
  times,
  transposed,
} from "./by-hand.ts";

const { net, weights } = small([6, 4], 5, 3);
const x = normal(12, 5, 3);
const y = x.map((_, i) => i % 3);
const context = contextOf(net, weights, {
  stream: { classes: [], target: "class", head: "single" } as never,
  columns: 3,
  mask: () => null,
});
const begun = (kilobytes: number, more: object = {}) => {
  const own = tinyTraining({ kilobytes, samples: 12, ...more });
  const hooks = hooksOf(own);
  const state = hooks.beforeExperience(
    { tensors: {} },
    { train: examplesOf(x, y), task: 0, index: 0 } as never,
    context,
  );
  return { own, hooks, state };
};
const layers = layersOf(weights);
const { inputs } = perceptron(weights, x);
const most = (rows: number[][]): number => Math.max(...rows.flat());
const scalesOf = (kernel: number[][]): number[] =>
  transposed(kernel).map((column) => Math.max(...column.map(Math.abs)) / 127);

describe("P379: training in 256 KB", () => {
  test("passes whole numbers: kernels by columns, inputs between the bounds of the samples", () => {
    const { own, state } = begun(256);
    const rows = x.map((row) => row.map((v) => v * 1.3));
    let now = rows;
    layers.forEach(({ kernel, bias }, l) => {
      if (l < 2) {
        const [low, high] = [Math.min(0, ...inputs[l]!.flat()), most(inputs[l]!)];
        const step = (high - low) / 255;
        const scales = scalesOf(kernel);
        now = times(
          now.map((row) => row.map((v) => Math.round(Math.min(Math.max(v, low), high) / step) * step)),
          kernel.map((row) => row.map((w, c) => Math.round(w / scales[c]!) * scales[c]!)),
        ).map((row) => row.map((v, c) => Math.max(0, v + bias[c]!)));
      } else now = times(now, kernel).map((row) => row.map((v, c) => v + bias[c]!));
    });
    const { logits } = stepOf({ net, weights, x: rows, through: { strategy: own, state } });
    close([...logits.dataSync()], now.flat(), 3);
  });

  test("descends on whole numbers as on the numbers themselves where gradients are scaled, and hardly without", () => {
    const step = stepOf({ net, weights, x, y });
    const ones = step.gradient(({ model }) =>
      tf.addN(
        Object.values(model).flatMap((layer) => Object.values(layer as object).map((t) => tf.sum(t as tf.Tensor))),
      ),
    );
    const scales = scalesOf(layers[1]!.kernel);
    const scaled = begun(256);
    expect(inOrder(scaled.hooks.gradient(scaled.state, ones, step)).slice(36, 40)).toEqual([1, 1, 1, 1]);
    const plain = begun(256, { scaling: false });
    const found = layersOf(plain.hooks.gradient(plain.state, ones, step))[1]!;
    // the whole number w / s moves by s times the gradient of w, which moves w by s times as much
    const squared = scales.map((s) => s * s);
    for (const row of found.kernel) close(row, squared, 9);
    const step1 = most(inputs[1]!) / 255;
    close(
      found.bias,
      scales.map((s) => (s * step1) ** 2),
      9,
    );
  });

  test("trains what the plan chose, and leaves the rest bit for bit", () => {
    const cross = (by: readonly { kernel: number[][]; bias: number[] }[]): number =>
      perceptron(by, x).logits.reduce((sum, z, i) => sum - Math.log(softmax(z)[y[i]!]!), 0) / x.length;
    const slope = slopes(weights, cross);
    const squares = (from: number, count: number): number =>
      slope.slice(from, from + count).reduce((sum, v) => sum + v * v, 0);
    // the kernels are [5, 6] at 0 and [6, 4] at 36, their biases at 30 and 60
    const norms = (kernel: number[][]): number[] => kernel.map((row) => dot(row, row));
    const order = (l: number): number[] =>
      norms(layers[l]!.kernel)
        .map((v, c) => [v, c] as const)
        .sort((a, b) => b[0] - a[0])
        .map(([, c]) => c);
    const at = [
      { kernel: 0, bias: 30, channels: 5, out: 6 },
      { kernel: 36, bias: 60, channels: 6, out: 4 },
    ];
    const budget = 60;
    const counts = (l: number): number[] => [
      0,
      ...[0.125, 0.25, 0.5, 1].map((s) => Math.max(1, Math.round(s * at[l]!.channels))),
    ];
    const bytes = (l: number, c: number): number => at[l]!.out / 8 + at[l]!.out * 4 + c + c * at[l]!.out;
    const worth = (l: number, c: number): number =>
      squares(at[l]!.bias, at[l]!.out) +
      order(l)
        .slice(0, c)
        .reduce((sum, channel) => sum + squares(at[l]!.kernel + channel * at[l]!.out, at[l]!.out), 0);
    const plans = counts(1).flatMap((c) => [
      { chosen: [-1, c], bytes: bytes(1, c), worth: worth(1, c) },
      ...counts(0).map((b) => ({ chosen: [b, c], bytes: bytes(0, b) + bytes(1, c), worth: worth(0, b) + worth(1, c) })),
    ]);
    const [best] = plans.filter((plan) => plan.bytes <= budget).sort((a, b) => b.worth - a.worth);
    const { hooks, state } = begun(budget / 1024);
    expect(state.notes[0]).toContain(`${(best!.bytes / 1024).toFixed(2)} of`);
    const step = stepOf({ net, weights, x, y });
    const after = { ...weights, model: tf.tidy(() => weights.model) };
    const moved = tf.tidy(() => {
      const shift = (node: object): object =>
        Object.fromEntries(
          Object.entries(node).map(([name, child]) => [
            name,
            child instanceof tf.Tensor ? tf.add(child, 1) : shift(child as object),
          ]),
        );
      const next = shift(after) as typeof weights;
      return inOrder(hooks.weights(state, { before: weights, after: next } as never, step));
    });
    const was = inOrder(weights);
    const changed = (from: number, count: number): number[] =>
      moved.slice(from, from + count).map((v, i) => +(v !== was[from + i]));
    best!.chosen.forEach((c, l) => {
      const { kernel, bias, out, channels } = at[l]!;
      expect(changed(bias, out)).toEqual(Array(out).fill(+(c >= 0)));
      const trained = new Set(order(l).slice(0, Math.max(0, c)));
      for (let channel = 0; channel < channels; channel++)
        expect(changed(kernel + channel * out, out)).toEqual(Array(out).fill(+trained.has(channel)));
    });
  });

  test("counts a convolution's memory, and finds the best plan among all", () => {
    const conv: PlannedLayer = {
      path: "c",
      inputs: 8 * 8 * 4,
      outputs: 8 * 8 * 16,
      channels: 4,
      perChannel: 9 * 16,
      biases: 16,
    };
    // a bit for each of 1024 outputs, 16 biases of four bytes, two channels of 64 places and 144 weights
    expect(bytesOf(conv, 2, 8)).toBe(128 + 64 + 2 * (64 + 144));
    const rng = random(4);
    const list = Array.from(
      { length: 4 },
      (_, l): PlannedLayer => ({
        path: `${l}`,
        inputs: 40,
        outputs: 32 + 8 * l,
        channels: 4,
        perChannel: 5 + l,
        biases: 3,
      }),
    );
    const shares = [0.25, 0.5, 1];
    const worth = {
      biases: list.map(() => rng.uniform()),
      kernels: list.map(() => [1, 2, 3].map((k) => k * rng.uniform())),
    };
    const budget = 120;
    let best = 0;
    for (let last = 1; last <= 4; last++)
      for (let code = 0; code < 4 ** last; code++) {
        let [bytes, value] = [0, 0];
        for (let k = 0; k < last; k++) {
          const l = 4 - last + k;
          const option = Math.floor(code / 4 ** k) % 4;
          bytes += bytesOf(list[l]!, option === 0 ? 0 : channelsOf(list[l]!, shares[option - 1]!), 8);
          value += worth.biases[l]! + (option === 0 ? 0 : worth.kernels[l]![option - 1]!);
        }
        if (bytes <= budget) best = Math.max(best, value);
      }
    const plan = bestPlan(list, worth, shares, budget, 8);
    const value = list.reduce((sum, layer, l) => {
      if (l < 4 - plan.last) return sum;
      const option = [0, ...shares.map((s) => channelsOf(layer, s))].indexOf(plan.channels[l]!);
      return sum + worth.biases[l]! + (option === 0 ? 0 : worth.kernels[l]![option - 1]!);
    }, 0);
    expect(value).toBeCloseTo(best, 10);
    expect(plan.bytes).toBeLessThanOrEqual(budget);
    expect(bestPlan(list, worth, shares, 1, 8)).toEqual({ last: 0, channels: [0, 0, 0, 0], bytes: 0 });
  });

  test("knows the layers of a convolutional network", () => {
    const own = network(build().conv(4, 3).relu().pool(2).conv(6, 3).relu().globalPool() as never, [8, 8, 1]);
    const images = normal(6, 64, 5).map((row) => row);
    const train = examplesOf(images, [0, 1, 2, 0, 1, 2]);
    const shaped = { ...train, shape: [8, 8, 1] };
    const hooks = hooksOf(tinyTraining({ kilobytes: 256, samples: 6 }));
    const at = contextOf(own, own.init(random(0), 3), { columns: 3, mask: () => null });
    const { notes, tensors } = hooks.beforeExperience(
      { tensors: {} },
      { train: shaped, task: 0, index: 0 } as never,
      at,
    );
    expect(Object.keys(tensors.fixed.kernels)).toEqual(["1-conv/kernel", "4-conv/kernel"]);
    // all of both: 8·8·4 + 4·4·6 bits, 10 biases, 64 + 64 inputs, 36 + 216 weights
    expect(notes[0]).toContain(`${((256 + 96) / 8 / 1024 + (40 + 128 + 252) / 1024).toFixed(2)} of 256`);
  });
});
