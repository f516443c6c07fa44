/** Pointer networks, beside PyTorch's cells. */
import { readFileSync } from "node:fs";
import {
  headed,
  identity,
  jit,
  leaves,
  type Model,
  modelFromJson,
  net,
  network,
  type Params,
  random,
  tape,
  tf,
  valueAndGrad,
} from "thalweg";
import { expect, test } from "vitest";

const { x, order, told, alone, once, ...weights } = JSON.parse(
  readFileSync(new URL("peers/pointers.json", import.meta.url), "utf8"),
) as { readonly [name in "x" | "told" | "alone" | "once"]: number[][][] } & { readonly order: number[][] } & Record<
    string,
    unknown
  >;
const tensors = (of: object): Params =>
  Object.fromEntries(
    Object.entries(of).map(([name, value]) => [
      name,
      Array.isArray(value) ? tf.tensor(value as never) : tensors(value),
    ]),
  );
const params = { "3-pointer": tensors(weights) };
const given = tf.concat([tf.reshape(tf.tensor3d(x), [2, 10]), tf.tensor2d(order)], 1);
const model = (options: object): Model =>
  net()
    .inputs({ points: [5, 2], order: [4] })
    .take("points")
    .pointer(3, { steps: 4, teacher: "order", ...options }) as never;
const run = (of: Model, training: boolean): number[] => [
  ...jit((x: tf.Tensor) => of.apply(params, x, tape(training, null, {}).mode))(given).dataSync(),
];
const close = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    // what is excluded is far below, in whatever precision
    if (wanted[i]! < -1e8) expect(value).toBeLessThan(-1e8);
    else expect(value).toBeCloseTo(wanted[i]!, 5);
  });
};

test("P037: its logits are those of PyTorch's cells, told the places in training, by its own outside, each place once if asked", () => {
  close(run(model({}), true), told.flat(2));
  close(run(model({}), false), alone.flat(2));
  close(run(model({ once: true }), false), once.flat(2));
});

test("has the gradient that finite differences give", () => {
  const own = model({}).init(random(1), [14]);
  const loss = (p: Params): tf.Tensor => tf.sum(tf.square(model({}).apply(p, given, tape(true, null, {}).mode)));
  const { grads } = jit((p: Params) => valueAndGrad(loss, p))(own);
  const slopes = leaves(grads as never) as tf.Tensor[];
  const length = Math.sqrt(slopes.reduce((sum, g) => sum + tf.sum(tf.square(g)).dataSync()[0]!, 0));
  const moved = (by: number): number => {
    let next = 0;
    const visit = (node: unknown): unknown =>
      node instanceof tf.Tensor
        ? tf.add(node, tf.mul(slopes[next++]!, by / length))
        : Object.fromEntries(Object.entries(node as object).map(([name, inner]) => [name, visit(inner)]));
    return loss(visit(own) as Params).dataSync()[0]!;
  };
  expect((moved(1e-2) - moved(-1e-2)) / 2e-2 / length).toBeCloseTo(1, 2);
});

test("the head of the identity takes its logits as they are, and both say what they need", () => {
  const made = headed(model({}) as Model, identity());
  const whole = network(made, [14]);
  expect(whole.init(random(0), 5).head).toEqual({});
  expect(() => whole.init(random(0), 4)).toThrow("identity: features of 4 numbers are required");
  expect(modelFromJson(JSON.parse(JSON.stringify(made))).spec).toEqual(made.spec);
  expect(() => net().pointer(3, { teacher: "order" }).features([4, 2])).toThrow('remembered as "order" are required');
});
