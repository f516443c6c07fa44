/** Operations as methods of tensors. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { jit, tf, tfLayers } from "../../lib/engine/index.ts";

it("tensors have every method that TensorFlow.js gives them", () => {
  const core = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core/package.json"));
  const folder = join(core, "dist/public/chained_ops");
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(".js") && !file.startsWith("register"))
    .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(/\.prototype\.(\w+)/g)].map((m) => m[1]!));
  expect(names.length).toBeGreaterThan(130);
  expect(names.filter((name) => typeof (tf.Tensor.prototype as never)[name] !== "function")).toEqual([]);
});

it("methods compute what the functions do, compiled too", () => {
  const x = tf.tensor2d([1, -2, 3, 4], [2, 2]);
  const image = tf.ones([1, 2, 2, 1]) as tf.Tensor4D;
  const pairs: [tf.Tensor, tf.Tensor][] = [
    [x.square().mul(2).sub(1).mean(0), tf.mean(tf.sub(tf.mul(tf.square(x), 2), 1), 0)],
    [x.matMul(x, true), tf.matMul(x, x, true)],
    [x.flatten(), tf.reshape(x, [4])],
    [x.as3D(1, 2, 2), tf.reshape(x, [1, 2, 2])],
    [x.concat(x, 1), tf.concat([x, x], 1)],
    [x.concat([x, x]), tf.concat([x, x, x])],
    [x.stack(x), tf.stack([x, x])],
    [x.where(x.greater(0), tf.zerosLike(x)), tf.relu(x)],
    [x.toInt().reshapeAs(tf.ones([4])), tf.tensor1d([1, -2, 3, 4], "int32")],
    [x.sum().asScalar(), tf.scalar(6)],
    [image.resizeBilinear([3, 3]), tf.ones([1, 3, 3, 1])],
  ];
  for (const [got, want] of pairs) {
    expect([got.shape, got.dtype]).toEqual([want.shape, want.dtype]);
    expect(got.arraySync()).toEqual(want.arraySync());
  }
  expect(jit((y: tf.Tensor) => y.relu().sum())(x).arraySync()).toBe(8);
  x.dispose();
  expect(() => x.square()).toThrow(/disposed/);
});

it("layers that use methods inside work", () => {
  const cell = tfLayers.layers.lstm({ units: 3 });
  expect((cell.apply(tf.ones([2, 4, 5])) as tf.Tensor).shape).toEqual([2, 3]);
});
