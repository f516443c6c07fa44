/** What people get wrong is said in a sentence: which operation, which shapes, which line. */
import { describe, expect, it } from "vitest";
import { exportOnnx, importOnnx, jit, nn, steps, tf, valueAndGrad } from "../../lib/engine/index.ts";

type Fn = (...args: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
const here = /\(at .*mistakes\.test\.ts:\d+:\d+\)$/;

describe("A mistake in a compiled function", () => {
  const shapes: [string, Fn, tf.Tensor[], RegExp][] = [
    ["a product", (a, b) => tf.matMul(a!, b!), [tf.ones([2, 3]), tf.ones([4, 5])], /^f: .*matMul.* 2,3 and 4,5/],
    ["a sum", (a, b) => tf.add(a!, b!), [tf.ones([2, 3]), tf.ones([2, 4])], /^f: in add: .*shapes 2,3 and 2,4/],
    [
      "a choice",
      (c, a) => tf.where(tf.cast(c!, "bool"), a!, a!),
      [tf.ones([2]), tf.ones([3])],
      /^f: in where: .*shapes 2 and 3/,
    ],
    [
      "channels of a convolution",
      (x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, 1, "same"),
      [tf.ones([2, 8, 8, 3]), tf.ones([3, 3, 4, 8])],
      /^f: .*conv2d.*input \(3\).*filter 4/,
    ],
    ["a reshape", (x) => tf.reshape(x!, [3, 5]), [tf.ones([2, 6])], /^f: in reshape: .*12.* 3,5/],
    ["parts to join", (a, b) => tf.concat([a!, b!], 0), [tf.ones([2, 3]), tf.ones([2, 4])], /^f: .*concat.*2,4.*2,3/],
    ["an axis", (x) => tf.mean(x!, 2), [tf.ones([2, 3])], /^f: in mean: .*axis 2/],
    [
      "a norm's scale",
      (x, g) => nn.layerNormalise(x!, g!, g!),
      [tf.ones([2, 3]), tf.ones([5])],
      /^f: in \w+: .*shapes 2,3 and 5/,
    ],
    [
      "logits and labels",
      (x, y) => nn.crossEntropies(x!, tf.cast(y!, "int32")),
      [tf.ones([4, 3]), tf.ones([5])],
      /^f: in \w+: .*shapes 4,3 and 5/,
    ],
    [
      "keys of attention",
      (q, k) => nn.attention(q!, k!, k!),
      [tf.ones([1, 2, 4, 8]), tf.ones([1, 2, 4, 7])],
      /^f: .*matMul.* 1,2,4,8 and 1,2,4,7/,
    ],
    [
      "a loss that is no scalar",
      (x) => valueAndGrad((p: tf.Tensor) => tf.mul(p, 2), x!).grads,
      [tf.ones([3])],
      /^f: valueAndGrad: .*shape \[3\]; end it with tf\.mean/,
    ],
  ];
  for (const [name, fn, args, message] of shapes) {
    it(`in ${name} is named with its shapes and the user's line`, () => {
      const compiled = jit(fn, { name: "f" });
      expect(() => compiled(...args)).toThrow(message);
      expect(() => compiled(...args)).toThrow(here);
    });
  }

  it("that only shows in the numbers names function, kernel and number, and nothing is printed besides", () => {
    const pick = jit((x: tf.Tensor, at: tf.Tensor) => tf.gather(x, at as tf.Tensor1D), { name: "pick" });
    expect(() => pick(tf.ones([3, 2]), tf.tensor1d([7], "int32"))).toThrow(/^pick: in GatherV2: .*idx=7 .*\[-3,2\]/);
    expect(() => tf.gather(tf.ones([3, 2]), tf.tensor1d([7], "int32")).dataSync()).toThrow(/^in GatherV2: .*idx=7/);
  });

  it("of lifetime or form is said", () => {
    const gone = tf.ones([2]);
    gone.dispose();
    expect(() => jit((x: tf.Tensor) => tf.add(x, 1))(gone)).toThrow(/shape \[2\] that is alive is required/);
    let leak: tf.Tensor | undefined;
    jit((x: tf.Tensor) => {
      leak = tf.keep(tf.add(x, 1));
      return x;
    })(tf.ones([2]));
    expect(() => leak!.dataSync()).toThrow(/used after it returned; return it/);
    expect(() => jit(async (x: tf.Tensor) => tf.add(x, 1))(tf.ones([2]))).toThrow(/got a promise; await outside/);
  });
});

describe("A function that computes nothing", () => {
  it("may hand its arguments on, or give nothing back", () => {
    const x = tf.tensor1d([1, 2]);
    expect([...jit((y: tf.Tensor) => y)(x).dataSync()]).toEqual([1, 2]);
    expect(jit(() => undefined)()).toBeUndefined();
    const [last, seen] = steps((s: tf.Tensor, y: tf.Tensor): [tf.Tensor, tf.Tensor] => [s, y])(tf.scalar(3), x, null);
    expect([last.arraySync(), seen.arraySync()]).toEqual([3, [1, 2]]);
  });
});

describe("A mistake in steps", () => {
  it("of inputs with different lengths is named", () => {
    const fn = steps((s: tf.Tensor, x: { a: tf.Tensor; b: tf.Tensor }): [tf.Tensor, tf.Tensor] => [
      s,
      tf.add(x.a, x.b),
    ]);
    expect(() => fn(tf.scalar(0), { a: tf.ones([3]), b: tf.ones([4]) }, null)).toThrow(/leading axis.*3 and 4/);
  });
  it("of a state with other tensors is named, and one whose keys come in another order is put in order", () => {
    type State = { a: tf.Tensor; b: tf.Tensor };
    const swap = steps((s: State, x: tf.Tensor): [State, tf.Tensor] => [{ b: tf.mul(s.b, 2), a: tf.add(s.a, x) }, x]);
    const [last] = swap({ a: tf.scalar(0), b: tf.scalar(1) }, tf.ones([3]), null);
    expect([last.a.arraySync(), last.b.arraySync()]).toEqual([3, 8]);
    const lose = steps((s: State, x: tf.Tensor): [State, tf.Tensor] => [{ a: s.a } as State, x]);
    expect(() => lose({ a: tf.scalar(0), b: tf.scalar(1) }, tf.ones([3]), null)).toThrow(
      /tensors stay, got 2 and then 1/,
    );
  });
});

describe("A mistake with a model file", () => {
  it("names input, type and shape, or says that it is none", () => {
    const model = importOnnx(exportOnnx((x) => tf.matMul(x!, tf.ones([3, 2])), [tf.zeros([1, 3])]));
    expect(() => model(tf.ones([1, 4]))).toThrow(
      /input0 of type float32 and shape \[1,3\] is required, got float32 and \[1,4\]/,
    );
    expect(() => model(tf.ones([1, 3], "int32"))).toThrow(/got int32 and \[1,3\]/);
    expect(() => importOnnx(Uint8Array.of(1, 2, 3))).toThrow(/an ONNX model is required, got 3 bytes/);
  });
});
