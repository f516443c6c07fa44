import {
  adagrad,
  adam,
  applyUpdates,
  type Batching,
  cosine,
  jit,
  leaves,
  mapTensors,
  type Optimizer,
  type Schedule,
  sgd,
  type Tree,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { members } from "../support/members.ts";
import { blind } from "./support.ts";

const factories = async <T>(folder: string) =>
  (await members(`optim/${folder}`)).map(({ name, exports }) => [name, exports[name] as T] as const);
const optimizers = await factories<(options?: { lr?: number }) => Optimizer>("optimizers");
const batchings = await factories<(options?: object) => Batching>("batching");
const schedules = await factories<() => Schedule>("schedules");

/** Rates of optimizers whose steps have other units. */
const rates: Record<string, number> = { adadelta: 20, implicitFtrl: 1 };

/** Steps of an optimizer on ½(w − target)² with exact gradients. */
function descend(
  optimizer: Optimizer,
  start: number[],
  target: number[],
  steps: number,
  rate = optimizer.rate,
): number[] {
  let w: { w: tf.Tensor } = { w: tf.tensor1d(start) };
  let state: Tree = optimizer.init(w);
  const step = jit((now: typeof w, held: Tree, to: tf.Tensor, by: tf.Tensor) => {
    const [updates, next] = optimizer.update({ w: tf.sub(now.w, to) }, held, now, by, blind);
    return [applyUpdates(now, updates as typeof w), next] as const;
  });
  for (let i = 0; i < steps; i++) [w, state] = step(w, state, tf.tensor1d(target), tf.scalar(rate));
  return [...w.w.dataSync()];
}

describe.each(optimizers)("the optimizer %s", (name, make) => {
  test("is named after its file and is plain JSON", () => {
    expect(make().spec.name).toBe(name);
    expect(JSON.parse(JSON.stringify(make()))).toEqual(make().spec);
  });

  test("goes down a parabola", () => {
    const [w] = descend(make({ lr: rates[name] ?? 0.05 }), [1], [0], 200);
    expect(Math.abs(w!)).toBeLessThan(0.2);
  });

  test("moves nothing at a rate of 0, and its state keeps its shape", () => {
    const params = { a: tf.tensor2d([[1, 2]]), b: [tf.scalar(3)] };
    const optimizer = make({ lr: 0.1 });
    const state = optimizer.init(params);
    const [updates, next] = optimizer.update(
      mapTensors((t) => tf.onesLike(t), params),
      state,
      params,
      tf.scalar(0),
      blind,
    );
    for (const leaf of leaves(updates)) expect([...leaf.dataSync()].every((v) => v === 0)).toBe(true);
    expect(leaves(next).map((t) => t.shape)).toEqual(leaves(state).map((t) => t.shape));
  });

  test("refuses a rate that is not positive, and options it does not have", () => {
    expect(() => make({ lr: -1 })).toThrow(`${name}: lr must be a positive number, got -1`);
    expect(() => make({ lr: Number.NaN })).toThrow("NaN");
    expect(() => make({ momentun: 1 } as never)).toThrow(`${name}: no option momentun; it has`);
  });
});

describe("optimizers worked by hand", () => {
  test("sgd with momentum: w = 1, 0.9, 0.72 for ½w² at rate .1, momentum .9", () => {
    // v₁ = 1, w₁ = .9 ; v₂ = .9·1 + .9 = 1.8, w₂ = .9 − .18 = .72 ; v₃ = .9·1.8 + .72 = 2.34, w₃ = .486
    expect(descend(sgd({ lr: 0.1, momentum: 0.9 }), [1], [0], 3)[0]).toBeCloseTo(0.486, 6);
  });

  test("adagrad: the first step is the rate, later ones shrink by the root of the sum of squares", () => {
    // g₁ = 1, s = 1, w₁ = .9 ; g₂ = .9, s = 1.81, w₂ = .9 − .09/√1.81 = .833104
    expect(descend(adagrad({ lr: 0.1 }), [1], [0], 1)[0]).toBeCloseTo(0.9, 6);
    expect(descend(adagrad({ lr: 0.1 }), [1], [0], 2)[0]).toBeCloseTo(0.9 - 0.09 / Math.sqrt(1.81), 6);
    expect(descend(adagrad({ lr: 0.1, weightDecay: 1 }), [-1], [-1], 1)[0]).toBeCloseTo(-0.9, 6);
  });

  test("sgd with Nesterov's momentum: w₂ = .6471 for ½w² at rate .1, momentum .9", () => {
    // v₁ = 1, d₁ = 1 + .9 = 1.9, w₁ = .81 ; v₂ = .9 + .81 = 1.71, d₂ = .81 + 1.539 = 2.349, w₂ = .5751
    expect(descend(sgd({ lr: 0.1, momentum: 0.9, nesterov: true }), [1], [0], 2)[0]).toBeCloseTo(0.5751, 6);
  });

  test("sgd with weight decay pulls to 0 where the gradient is 0", () => {
    expect(descend(sgd({ lr: 0.1, weightDecay: 0.5 }), [2], [2], 1)[0]).toBeCloseTo(2 - 0.1 * 0.5 * 2, 6);
  });

  test("adam agrees with TensorFlow.js' own Adam over 20 steps", () => {
    const start = [1, -2, 0.5];
    const target = [0, 1, 3];
    const w = tf.variable(tf.tensor1d(start));
    const reference = tf.train.adam(0.05, 0.9, 0.999, 1e-8);
    for (let i = 0; i < 20; i++) reference.applyGradients({ [w.name]: tf.sub(w, tf.tensor1d(target)) });
    const ours = descend(adam({ lr: 0.05 }), start, target, 20);
    const theirs = [...w.dataSync()];
    for (const [i, value] of ours.entries()) expect(value).toBeCloseTo(theirs[i]!, 4);
  });

  test("adam's first step is the rate in the direction of the sign", () => {
    expect(descend(adam({ lr: 0.1 }), [5], [0], 1)[0]).toBeCloseTo(4.9, 5);
  });
});

describe.each(schedules)("the schedule %s", (name, make) => {
  test("is named after its file and gives factors from 0 to 1", () => {
    expect(make().spec.name).toBe(name);
    for (let step = 0; step < 50; step++) {
      const factor = make().factor({ step, steps: 50, epoch: 0, experience: 0 });
      expect(factor).toBeGreaterThanOrEqual(0);
      expect(factor).toBeLessThanOrEqual(1);
    }
  });
});

test("cosine begins at 1, is halfway in the middle and ends near its floor", () => {
  const at = (step: number): number => cosine({ floor: 0.2 }).factor({ step, steps: 100, epoch: 0, experience: 0 });
  expect(at(0)).toBe(1);
  expect(at(50)).toBeCloseTo(0.6, 12);
  expect(at(100)).toBeCloseTo(0.2, 12);
});

describe.each(batchings)("the part of a plan %s", (name, make) => {
  test("is named after its file, is plain JSON, decides something, and keeps plain data alone", () => {
    const { spec, plan } = make();
    expect(spec.name).toBe(name);
    expect(JSON.parse(JSON.stringify(make()))).toEqual(spec);
    expect(Object.values(plan).some((hook) => typeof hook === "function")).toBe(true);
    const state = plan.listens?.begin() ?? {};
    expect(structuredClone(state)).toEqual(state);
  });

  test("refuses options it does not have", () => {
    expect(() => make({ tmies: 1 } as never)).toThrow(`${name}: no option tmies; it has`);
  });
});
