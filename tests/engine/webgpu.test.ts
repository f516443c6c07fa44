/** The WebGPU provider, on a software driver where there is no GPU: the same numbers as on the processor. */
import { existsSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { engine, jit, random, steps, tf } from "../../lib/engine/index.ts";
import { seq } from "./compare.ts";
import {
  adam,
  batch,
  cnn,
  mlp,
  momentum,
  type Optimizer,
  type Program,
  resnet18,
  type State,
  start,
  trainer,
} from "./support.ts";

// SwiftShader, from Debian's chromium-common; a real driver is used where there is one.
const software = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (existsSync(software) && !existsSync("/dev/dri") && !existsSync("/dev/nvidia0"))
  process.env.VK_ICD_FILENAMES ??= software;
const gpu = engine.devices().find(({ name }) => name === "webgpu")!;
if (!gpu.isAvailable) console.warn(`webgpu is not tested here: ${gpu.reason}`);

const programs: [string, Program, Optimizer][] = [
  ["the MLP with momentum", mlp([12, 300, 5]), momentum],
  ["the CNN with adam", cnn(12, [4, 6], 16), adam],
  ["ResNet-18 with momentum", resnet18(4, 8, [1, 2]), momentum],
];

function train(program: Program, optimizer: Optimizer, looped: boolean): Record<string, Float32Array> {
  const rate = tf.scalar(0.01);
  let state: State = start(program, optimizer);
  const all = [0, 1, 2].map((i) => batch(program, 4, i));
  if (looped)
    [state] = steps(trainer(program, optimizer))(
      state,
      { x: tf.stack(all.map((b) => b.x)), y: tf.stack(all.map((b) => b.y)) },
      null,
      rate,
    );
  else {
    const step = jit(trainer(program, optimizer), { donate: [0] });
    for (const one of all) [state] = step(state, one, null, rate);
  }
  return Object.fromEntries(
    Object.entries(state.params).map(([key, value]) => [key, value.dataSync().slice() as Float32Array]),
  );
}

describe.skipIf(!gpu.isAvailable)("WebGPU", () => {
  afterAll(async () => void (await engine.use("cpu")));
  for (const [name, program, optimizer] of programs) {
    it(`trains ${name} to the weights of the processor`, async () => {
      await engine.use("cpu");
      const want = train(program, optimizer, false);
      await engine.use("webgpu");
      expect(engine.device).toBe("webgpu");
      for (const looped of [false, true]) {
        const got = train(program, optimizer, looped);
        for (const [key, expected] of Object.entries(want)) {
          const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
          expected.forEach((x, i) => {
            expect(Math.abs(x - got[key]![i]!) / scale, `${key}[${i}]`).toBeLessThan(1e-3);
          });
        }
      }
    }, 120_000);
  }
  it("computes gradients by channel as the processor does", async () => {
    const rng = random(4);
    const [x, filter] = [rng.normals([2, 7, 6, 3]) as tf.Tensor4D, rng.normals([3, 3, 3, 2]) as tf.Tensor4D];
    const gradients = (): number[] =>
      ([1, 2] as const).flatMap((stride) => [
        ...tf
          .grad((x: tf.Tensor) => tf.sum(tf.square(tf.depthwiseConv2d(x as tf.Tensor4D, filter, stride, "same"))))(x)
          .dataSync(),
        ...tf
          .grad((x: tf.Tensor) => tf.sum(tf.square(tf.avgPool(x as tf.Tensor4D, 3, stride, "valid"))))(x)
          .dataSync(),
      ]);
    await engine.use("cpu");
    const want = gradients();
    await engine.use("webgpu");
    gradients().forEach((one, i) => {
      expect(one).toBeCloseTo(want[i]!, 3);
    });
  });
  it("computes volumes, resized images and their gradients as the processor does", async () => {
    const weighted = (x: tf.Tensor): tf.Scalar => tf.sum(tf.mul(x, seq(x.shape, 0.5, 2)));
    const volume = (pool: (x: tf.Tensor5D) => tf.Tensor) => () =>
      tf.grads((x: tf.Tensor, k: tf.Tensor) =>
        weighted(pool(tf.conv3d(x as tf.Tensor5D, k as tf.Tensor5D, [1, 2, 1], "same"))),
      )([seq([2, 5, 6, 4, 3]), seq([3, 2, 3, 3, 6])]);
    const bodies: (() => tf.Tensor[])[] = [
      volume((x) => tf.maxPool3d(x, [2, 3, 2], [2, 1, 2], "same")),
      volume((x) => tf.avgPool3d(x, 2, 1, "valid")),
      () => [
        tf.grad((x: tf.Tensor) => weighted(tf.image.resizeBilinear(x as tf.Tensor4D, [5, 9], true)))(seq([2, 7, 4, 3])),
        tf.image.resizeNearestNeighbor(seq([2, 7, 4, 3]) as tf.Tensor4D, [5, 9]),
        tf.reverse(seq([3, 4]), 1),
      ],
    ];
    const on = async (device: "cpu" | "webgpu"): Promise<Float32Array[]> => {
      await engine.use(device);
      return bodies.flatMap((body) => tf.tidy(() => body().map((x) => x.dataSync().slice() as Float32Array)));
    };
    const [want, got] = [await on("cpu"), await on("webgpu")];
    want.forEach((numbers, i) => {
      numbers.forEach((x, at) => {
        expect(Math.abs(x - got[i]![at]!), `result ${i}, number ${at}`).toBeLessThan(1e-4);
      });
    });
  }, 120_000);
  it("keeps large results on the device until they are read, and computes lazily too", async () => {
    await engine.use("webgpu");
    const twice = jit((x: tf.Tensor) => tf.mul(x, 2), { donate: [0] });
    let x: tf.Tensor = tf.ones([1000]);
    for (let i = 0; i < 5; i++) x = twice(x);
    expect(x.dataSync()[999]).toBe(32);
    expect(tf.sum(tf.add(x, 1)).arraySync()).toBe(33_000);
  });
});
