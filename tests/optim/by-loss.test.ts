import { describe, expect, test } from "vitest";
import { mapTensors, random, type Tree, tf } from "../../lib/engine/index.ts";
import { mlp } from "../../lib/models/index.ts";
import { applyUpdates, implicitFtrl, type Optimizer, seededSpsa, wsdS } from "../../lib/optim/index.ts";
import { open } from "../../lib/train/session.ts";
import { advance, run, spec, stream } from "../strategies/support.ts";
import { blind, now } from "./support.ts";

const told = stream({ needs: [] } as never);
type W = { readonly w: tf.Tensor };

describe("seededSpsa", () => {
  const params = { w: tf.tensor1d([1, -2, 0.5]) };
  const moved = (options: object): number[] => {
    const optimizer = seededSpsa({ lr: 0.1, c: 0.01, ...options });
    const seen = { ...blind, rng: random(4) };
    const [updates] = optimizer.update(params, [], params, tf.scalar(0.1), seen) as [W, Tree];
    return [...updates.w.dataSync()];
  };
  /** The slope of half the squared length along the direction of a worker, which is that of the centred difference exactly. */
  const slopes = (count: number): { readonly z: Float32Array; readonly slope: number }[] =>
    Array.from({ length: count }, (_, k) => {
      const z = random(4).at("worker", k).at(0).normals([3]).dataSync() as Float32Array;
      return { z, slope: [1, -2, 0.5].reduce((sum, w, i) => sum + w * z[i]!, 0) };
    });

  test("steps against the slope along each worker's direction, which a seed makes again", () => {
    const wanted = [0, 1, 2].map((i) => slopes(3).reduce((sum, { z, slope }) => sum - (0.1 / 3) * slope * z[i]!, 0));
    for (const [i, v] of moved({ directions: 3, bytes: 4 }).entries()) expect(v).toBeCloseTo(wanted[i]!, 4);
  });

  test("a slope of one byte is the nearest of 255 levels", () => {
    const [{ z, slope }] = slopes(1) as [{ z: Float32Array; slope: number }];
    const unit = 4 / 127;
    const level = Math.max(-127, Math.min(127, Math.round(slope / unit)));
    expect(Math.abs(level * unit - slope)).toBeLessThan(unit / 2 + (Math.abs(slope) > 4 ? 9 : 0));
    for (const [i, v] of moved({ directions: 1, range: 4 }).entries())
      expect(v).toBeCloseTo(-0.1 * level * unit * z[i]!, 4);
  });
});

describe("implicitFtrl", () => {
  const reached = (optimizer: Optimizer, steps: number, start = 3): number => {
    let w: W = { w: tf.tensor1d([start]) };
    let state = optimizer.init(w);
    for (let k = 0; k < steps; k++) {
      const [updates, next] = optimizer.update(
        mapTensors((t) => t, w),
        state,
        w,
        tf.scalar(optimizer.rate),
        blind,
      );
      [w, state] = [applyUpdates(w, updates as W), next];
    }
    return w.w.dataSync()[0]!;
  };

  test("linear is the sum of gradients at the rate of now; its rate falls with the root of the steps", () => {
    // ½w²: w₁ = 3 − .5 · 3 = 1.5; w₂ = 3 − .5/√2 · (3 + 1.5)
    expect(reached(implicitFtrl({ lr: 0.5, variant: "linear" }), 2)).toBeCloseTo(3 - (0.5 / Math.SQRT2) * 4.5, 5);
    expect(reached(implicitFtrl({ lr: 0.5, variant: "linear", decline: "none" }), 2)).toBeCloseTo(0.75, 5);
  });

  test("aprox goes no farther than where the line of the loss is 0, mirrorProx by the gradient there", () => {
    // at rate 9 the line ½ · 9 + 3 (v − 3) is 0 at v = 1.5
    expect(reached(implicitFtrl({ lr: 9, variant: "aprox" }), 1)).toBeCloseTo(1.5, 5);
    expect(reached(implicitFtrl({ lr: 0.1, variant: "aprox" }), 1)).toBeCloseTo(2.7, 5);
    // the step of FTRL at rate .5 leads to 1.5, whose gradient is 1.5
    expect(reached(implicitFtrl({ lr: 0.5, variant: "mirrorProx" }), 1)).toBeCloseTo(3 - 0.5 * 1.5, 5);
  });

  test("a rate too large does not throw aprox off, as it does the linear one", () => {
    expect(Math.abs(reached(implicitFtrl({ lr: 50, variant: "aprox", decline: "none" }), 20))).toBeLessThan(0.1);
    expect(Math.abs(reached(implicitFtrl({ lr: 50, variant: "linear", decline: "none" }), 20))).toBeGreaterThan(1e6);
  });
});

test.each([
  ["seededSpsa", seededSpsa({ lr: 0.01 })],
  ["implicitFtrl", implicitFtrl()],
  ["implicitFtrl by mirrorProx", implicitFtrl({ variant: "mirrorProx" })],
])("%s goes on bit for bit from a saved state without a tensor more", (_, optimizer) => {
  const given = spec(told, [], { optimizer, model: mlp({ hidden: [6, 5] }).freeze("2-dense") });
  const all = run(given, 1);
  const session = open(given, 1, "test");
  advance(session, 9);
  const bytes = session.save();
  const tensors = tf.memory().numTensors;
  advance(session, 20);
  expect(tf.memory().numTensors).toBe(tensors);
  session.dispose();
  expect(run(given, 1, bytes).weights).toEqual(all.weights);
});

test("wsdS falls before each checkpoint by the inverse of its formula, and is up again after it", () => {
  const { factor } = wsdS({ warmup: 5, every: 20, decay: 0.25, floor: 0.2 });
  const own = Array.from({ length: 60 }, (_, step) => factor(now({ step, steps: 60 })));
  for (const [step, value] of own.entries()) {
    const within = step % 20;
    const share = (within - 15) / 5;
    const wanted = step < 5 ? (step + 1) / 5 : within <= 15 ? 1 : 1 / (share / 0.2 + 1 - share);
    expect(value).toBeCloseTo(wanted, 9);
  }
  const run = wsdS({ warmup: 0, every: 20, over: "run" });
  expect(run.factor(now({ step: 3, taken: 19 }))).toBeLessThan(run.factor(now({ step: 19, taken: 20 })));
  expect(() => wsdS({ floor: 0 })).toThrow("wsdS: a floor above 0 is required, got 0");
});

/** A valley whose floor falls slowly along one axis, between walls that noise shakes: the loss of Wen et al., section 3. */
test("in a river valley a fall brings what the plateau has gained: the loss drops, and the plateau goes farther along the river", () => {
  const valley = (lr: (step: number) => number, steps: number): { readonly along: number; readonly loss: number } => {
    const rng = random(3);
    let [x, y] = [0, 0]; // along the river, and up its walls
    for (let step = 0; step < steps; step++) {
      const rate = lr(step);
      x += rate * 0.05;
      y -= rate * (10 * y + 6 * rng.normal());
    }
    return { along: x, loss: -0.05 * x + 5 * y ** 2 };
  };
  const { factor } = wsdS({ warmup: 0, every: 400, decay: 0.1, floor: 0.02 });
  const rate = (step: number): number => 0.15 * factor(now({ step, steps: 800 }));
  const plateau = valley(() => 0.15, 800);
  const fallen = valley(rate, 800);
  const low = valley(() => 0.003, 800);
  expect(fallen.loss).toBeLessThan(plateau.loss);
  expect(fallen.loss).toBeLessThan(low.loss);
  expect(fallen.along).toBeGreaterThan(10 * low.along);
});
