/** Real-time recurrent learning: its gradient is that of backpropagation through time. */
import { jit, layers, leaves, type Params, random, tape, tf, valueAndGrad } from "thalweg";
import { describe, expect, test } from "vitest";

const numbers = (t: tf.Tensor): number[] => [...t.dataSync()];
const close = (got: readonly number[], wanted: readonly number[], within = 1e-5): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - wanted[i]!)).toBeLessThan(within * Math.max(1, Math.abs(wanted[i]!)));
  });
};
const x = random(1).normals([2, 9, 3], 0, 1);
const weigh = random(2).normals([2, 9, 4], 0, 1);
const loss = (y: tf.Tensor): tf.Tensor => tf.sum(tf.mul(y, weigh));
const flat = (params: object): number[] => leaves(params as never).flatMap(numbers);

/** Columns written out as PyTorch's cells of one unit each would be: a diagonal of the state's weights. */
function columnsByHand(x: tf.Tensor, { kernel, own, bias }: Record<string, tf.Tensor>): tf.Tensor {
  const [n, length, inputs] = x.shape as [number, number, number];
  const [gates, units] = own!.shape as [number, number];
  let [h, c]: [tf.Tensor, tf.Tensor] = [tf.zeros([n, units]), tf.zeros([n, units])];
  const all: tf.Tensor[] = [];
  for (let t = 0; t < length; t++) {
    const now = tf.reshape(tf.slice(x, [0, t, 0], [n, 1, inputs]), [n, inputs]);
    const before = h;
    const [i, f, g, o] = Array.from({ length: gates }, (_, k) => {
      const part = (of: tf.Tensor): tf.Tensor => tf.reshape(tf.slice(of, [k, 0], [1, units]), [1, units]);
      const product = tf.matMul(now as tf.Tensor2D, tf.slice(kernel!, [0, k * units], [inputs, units]) as tf.Tensor2D);
      return tf.add(tf.add(product, tf.mul(before, part(own!))), part(bias!));
    }) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    h = tf.mul(tf.sigmoid(o), tf.tanh(c));
    all.push(h);
  }
  return tf.stack(all, 1);
}

describe("P274: the element-wise lstm", () => {
  const params = layers.elstm(4).init!(random(3), [9, 3]);
  const grads = (gradient: "realTime" | "throughTime") =>
    jit((params: Params, x: tf.Tensor) =>
      valueAndGrad((p: Params) => loss(layers.elstm(4, { gradient }).apply(x, p, tape(true, null, {}).mode)), params),
    )(params, x);

  test("has in real time the gradient of backpropagation through time", () => {
    const [forward, back] = [grads("realTime"), grads("throughTime")];
    close(numbers(forward.value), numbers(back.value));
    close(flat(forward.grads), flat(back.grads));
  });

  test("gives of a stream of vectors, batch by batch, what the sequence gives, and the sum of the gradients", () => {
    const layer = layers.elstm(4);
    const one = tf.slice(x, [0, 0, 0], [1, 9, 3]);
    const row = tf.slice(weigh, [0, 0, 0], [1, 9, 4]);
    const whole = valueAndGrad(
      (p: Params) => tf.sum(tf.mul(layer.apply(one, p, tape(true, null, {}).mode), row)),
      params,
    );
    let statistics = layer.statistics!([3]);
    const sums = new Float64Array(flat(whole.grads).length);
    let value = 0;
    for (const [from, size] of [
      [0, 4],
      [4, 1],
      [5, 4],
    ] as const) {
      const part = tf.reshape(tf.slice(one, [0, from, 0], [1, size, 3]), [size, 3]);
      const ways = tf.reshape(tf.slice(row, [0, from, 0], [1, size, 4]), [size, 4]);
      const taped = tape(true, null, statistics);
      const found = valueAndGrad((p: Params) => {
        const own = tape(true, null, statistics);
        return tf.sum(tf.mul(layer.apply(part, p, own.mode), ways));
      }, params);
      layer.apply(part, params, taped.mode);
      statistics = taped.written();
      value += numbers(found.value)[0]!;
      flat(found.grads).forEach((slope, i) => {
        sums[i]! += slope;
      });
    }
    close([value], numbers(whole.value));
    close([...sums], flat(whole.grads), 1e-4);
  });

  test("goes on from where training is, and stays there in evaluation", () => {
    const layer = layers.elstm(4);
    const taped = tape(false, null, layer.statistics!([3]));
    layer.apply(random(4).normals([5, 3], 0, 1), params, taped.mode);
    expect(flat(taped.written()).every((value) => value === 0)).toBe(true);
    expect(() => layers.elstm(4, { gradient: "throughTime" }).shape([3])).toThrow("a sequence of vectors is required");
  });
});

describe("P196: columns", () => {
  test("have in real time the gradient of backpropagation through time", () => {
    const params = layers.columns(4).init!(random(5), [9, 3]);
    const got = valueAndGrad((p: Params) => loss(layers.columns(4).apply(x, p, tape(true, null, {}).mode)), params);
    const wanted = valueAndGrad((p: Params) => loss(columnsByHand(x, p.stage1 as never)), params);
    close(numbers(got.value), numbers(wanted.value));
    close(flat(got.grads), flat(wanted.grads));
  });

  test("are built stage by stage: later ones give nothing yet, earlier ones stay", () => {
    const layer = layers.columns(4, { stages: 2, every: 3 });
    const params = layer.init!(random(6), [9, 3]);
    const at = (seen: number) =>
      valueAndGrad((p: Params) => {
        const y = layer.apply(x, p, tape(true, null, { seen: tf.scalar(seen) }).mode);
        return [loss(y), y] as never;
      }, params) as unknown as { aux: tf.Tensor; grads: Record<string, Params> };
    const [first, second] = [at(2), at(3)];
    const halves = (t: tf.Tensor): number[][] => tf.split(t, 2, 2).map(numbers);
    expect(halves(first.aux)[1]!.every((value) => value === 0)).toBe(true);
    expect(halves(second.aux)[1]!.some((value) => value !== 0)).toBe(true);
    expect(halves(second.aux)[0]).toEqual(halves(first.aux)[0]);
    const moves = (grads: Params): boolean => flat(grads).some((value) => value !== 0);
    expect([moves(first.grads.stage1!), moves(first.grads.stage2!)]).toEqual([true, false]);
    expect([moves(second.grads.stage1!), moves(second.grads.stage2!)]).toEqual([false, true]);
    // the second stage is a column that reads three inputs and two columns, which count as inputs
    const inner = columnsByHand(x, params.stage1 as never);
    const wanted = columnsByHand(tf.concat([x, inner], 2), params.stage2 as never);
    close(halves(second.aux)[1]!, numbers(wanted));
    expect(() => layers.columns(4, { stages: 3, every: 2 })).toThrow("a count that 3 stages divide is required, got 4");
  });
});
