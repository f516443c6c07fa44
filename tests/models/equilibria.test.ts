/** Layers whose output is an equilibrium, against as many passes written out. */
import {
  exportOnnx,
  importOnnx,
  jit,
  leaves,
  type Model,
  modelFromJson,
  net,
  type Params,
  random,
  tape,
  tf,
  valueAndGrad,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { fixedPoint } from "../../lib/models/parts/fixed-point.ts";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: readonly number[], wanted: readonly number[], within: number): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - wanted[i]!)).toBeLessThan(within);
  });
};
const x = random(1).normals([5, 6], 0, 1);
const inner = net().dense(6).tanh();
const weigh = random(3).normals([5, 6], 0, 1);
const loss = (y: tf.Tensor): tf.Tensor => tf.sum(tf.mul(y, weigh));
const apply = (model: unknown, params: Params, x: tf.Tensor, training = false): tf.Tensor =>
  (model as Model).apply(params, x, tape(training, null, {}).mode);

describe("P109: the equilibrium of some layers", () => {
  const params = inner.init(random(2), [6]);
  const unrolled = valueAndGrad(
    ({ params, x }: { params: Params; x: tf.Tensor }) => {
      let z = tf.zerosLike(x);
      for (let k = 0; k < 80; k++) z = apply(inner, params, tf.add(z, x));
      return [loss(z), z] as never;
    },
    { params, x },
  ) as { aux: tf.Tensor; grads: object };

  test.each(["broyden", "iterate", "ode"] as const)(
    "by %s is that of many passes, and so is its gradient",
    (solver) => {
      const model = net().deq(inner as never, { solver, steps: 80, tolerance: 1e-6 });
      const run = (given: { params: Params; x: tf.Tensor }) =>
        valueAndGrad(({ params, x }: typeof given) => {
          const y = apply(model, { "1-deq": params }, x);
          return [loss(y), y] as never;
        }, given) as { aux: tf.Tensor; grads: object };
      for (const { aux, grads } of [run({ params, x }), jit(run as never)({ params, x }) as ReturnType<typeof run>]) {
        close(numbers(aux), numbers(unrolled.aux), 1e-4);
        close(leaves(grads as never).flatMap(numbers), leaves(unrolled.grads as never).flatMap(numbers), 1e-3);
      }
    },
  );

  test("is met in fewer steps from a beginning that is near, and by Broyden's method than by passes", () => {
    const f = (z: tf.Tensor, own: { params: Params; x: tf.Tensor }): tf.Tensor =>
      apply(inner, own.params, tf.add(z, own.x));
    const found = (solver: "broyden" | "iterate", first: tf.Tensor) =>
      jit((first: tf.Tensor, params: Params, x: tf.Tensor) =>
        fixedPoint(f, first, { params, x }, { solver, steps: 60, tolerance: 1e-5 }),
      )(first, params, x);
    const zeros = tf.zerosLike(x);
    const [quick, slow] = [found("broyden", zeros), found("iterate", zeros)];
    expect(quick.residual.dataSync()[0]).toBeLessThan(1e-5);
    expect(quick.evaluations.dataSync()[0]).toBeLessThan(slow.evaluations.dataSync()[0]!);
    expect(found("broyden", quick.z).evaluations.dataSync()[0]).toBe(1);
    // no more work than that is done: the numbers are those of a loop that is as long as needed
    expect(slow.evaluations.dataSync()[0]).toBeLessThan(60);
  });

  test("is saved as a loop of ONNX", () => {
    const model = net().deq(inner as never, { tolerance: 1e-5 });
    const onnx = importOnnx(exportOnnx((x) => apply(model, { "1-deq": params }, x!), [x]));
    close(numbers(onnx(x)[0]!), numbers(apply(model, { "1-deq": params }, x)), 1e-5);
  });

  test("draws what predicts it to it in training, and nothing else", () => {
    const model = net().deq(inner as never, { predict: net().dense(6) as never, weight: 0.5, tolerance: 1e-6 });
    const all = model.init(random(4), [6]);
    const grads = (training: boolean) =>
      valueAndGrad((p: Params) => {
        const run = tape(training, null, {});
        const task = loss((model as Model).apply(p, x, run.mode));
        return tf.add(task, run.cost() ?? 0);
      }, all).grads["1-deq"] as Record<string, Params>;
    const [trained, still] = [grads(true), grads(false)];
    expect(Math.max(...numbers((still.predict!["1-dense"] as Params).kernel as tf.Tensor).map(Math.abs))).toBe(0);
    // the slope of 0.5 · mean |z − (W x + b)| by b
    const own = all["1-deq"] as Record<string, Params>;
    const z = apply(model, all, x);
    const guess = apply(net().dense(6), own.predict!, x);
    const wanted = tf.sum(tf.sign(tf.sub(guess, z)), 0).mul(0.5 / x.size);
    close(numbers((trained.predict!["1-dense"] as Params).bias as tf.Tensor), numbers(wanted), 1e-5);
  });

  test("is made again from its record, keeps sequences in shape, and says what it needs", () => {
    const model = net().deq((n) => n.dense(3).tanh(), { solver: "ode", predict: (n) => n.dense(3) });
    expect(modelFromJson(JSON.parse(JSON.stringify(model))).spec).toEqual(model.spec);
    expect(model.features([4, 3])).toEqual([4, 3]);
    expect(() =>
      net()
        .deq((n) => n.dense(3))
        .features([4]),
    ).toThrow("deq: layers that give the shape they take are required, got [4] to [3]");
    expect(() =>
      net()
        .deq((n) => n.batchNorm())
        .features([4]),
    ).toThrow("without running statistics are required");
  });
});
