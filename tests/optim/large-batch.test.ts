import { expect, test } from "vitest";
import { leaves, type Tree, tf } from "../../lib/engine/index.ts";
import {
  adafactor,
  adam,
  applyUpdates,
  chain,
  lamb,
  lars,
  type Optimizer,
  trustRatio,
  weightDecay,
} from "../../lib/optim/index.ts";

type Weights = { readonly kernel: tf.Tensor; readonly bias: tf.Tensor };
const given = (kernel: number[], bias: number[], columns = 2): Weights => ({
  kernel: tf.tensor2d(kernel, [kernel.length / columns, columns]),
  bias: tf.tensor1d(bias),
});

/** The numbers after steps on the same gradients. */
function after(optimizer: Optimizer, w: Weights, grads: Weights, steps = 1): number[] {
  let [now, state]: [Weights, Tree] = [w, optimizer.init(w)];
  for (let i = 0; i < steps; i++) {
    const [updates, next] = optimizer.update(grads, state, now, tf.scalar(optimizer.rate));
    [now, state] = [applyUpdates(now, updates as Weights), next];
  }
  return leaves(now).flatMap((t) => [...t.dataSync()]);
}
const close = (a: readonly number[], b: readonly number[], digits = 5): void => {
  for (const [i, x] of a.entries()) expect(x).toBeCloseTo(b[i]!, digits);
};

test("lamb is adam with decoupled decay and trust, each tensor by its own length", () => {
  const [w, g] = [given([3, -4, 1, 2], [0.5, 0]), given([1, 2, -3, 0.5], [0.1, -0.2])];
  const parts = chain(adam({ lr: 0.05, epsilon: 1e-6 }), weightDecay(0.1), trustRatio());
  close(after(lamb({ lr: 0.05, weightDecay: 0.1 }), w, g, 4), after(parts, w, g, 4));
  // one step by hand without decay: u = sign(g), so each number of the kernel moves by .05 · √30 / 2
  close(after(lamb({ lr: 0.05 }), w, g).slice(0, 2), [3 - 0.025 * Math.sqrt(30), -4 - 0.025 * Math.sqrt(30)], 4);
});

test("lars moves a matrix by its length over its gradient's, and a vector as descent does", () => {
  // ‖w‖ = 5, ‖g‖ = 1: a rate of .1 · 5 / 1 = .5; with decay 1 it is .1 · 5 / (1 + 5) of g + w
  const [w, g] = [given([3, 4], [1]), given([0, 1], [1])];
  close(after(lars({ lr: 1, trust: 0.1, momentum: 0 }), w, g), [3, 3.5, 0]);
  close(after(lars({ lr: 1, trust: 0.1, momentum: 0, weightDecay: 1 }), w, g), [3 - 3 / 12, 4 - 5 / 12, 0]);
});

test("adafactor keeps sums of rows and columns, and steps by what they say of each square", () => {
  // rows (2.5, 12.5), columns (5, 10), their mean 7.5: squares (5/3, 10/3, 25/3, 50/3); the weights' size is 2, so a step is .02 · g / √v
  const [w, g] = [given([2, 2, 2, 2], [0]), given([1, 2, 3, 4], [0])];
  const wanted = [5, 10, 25, 50].map((v, i) => 2 - (0.02 * (i + 1)) / Math.sqrt(v / 3));
  close(after(adafactor({ lr: 0.01 }), w, g).slice(0, 4), wanted);
  const size = (optimizer: Optimizer): number =>
    leaves(optimizer.init({ kernel: tf.zeros([300, 200]) })).reduce((sum, t) => sum + t.size, 0);
  expect([size(adafactor()), size(adam())]).toEqual([501, 120_002]);
});
