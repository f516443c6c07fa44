/** The WebGPU provider, on a software driver where there is no GPU: the same numbers as on the processor. */
import { existsSync } from "node:fs";
import {
  blobs,
  classes,
  engine,
  fit,
  jit,
  mlp as mlpModel,
  type RunSpec,
  random,
  replay,
  runMany,
  type Stream,
  steps,
  type TrainEvent,
  tf,
} from "thalweg";
import { afterAll, describe, expect, it } from "vitest";
import { timeless } from "../runs/support.ts";
import { sameButRounding } from "../sweeps/support.ts";
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

  it("lets only batches cross to the device, and back only losses that are read: whatever is carried stays, however small", async () => {
    await engine.use("webgpu");
    const program = mlp([6, 20, 3]);
    const step = steps(trainer(program, momentum));
    const rate = tf.scalar(0.01);
    let state: State = start(program, momentum);
    const crossed: (readonly [number, number])[] = [];
    for (let round = 0; round < 4; round++) {
      const all = [0, 1, 2].map((i) => batch(program, 4, 10 * round + i));
      const xs = { x: tf.stack(all.map((one) => one.x)), y: tf.stack(all.map((one) => one.y)) };
      const host = {
        x: tf.tensor(xs.x.dataSync().slice(), xs.x.shape),
        y: tf.tensor(xs.y.dataSync().slice(), xs.y.shape, "int32"),
      };
      const before = engine.traffic!;
      const [next, losses] = step(state, host, null, rate);
      state = next;
      losses.dataSync();
      crossed.push([engine.traffic!.in - before.in, engine.traffic!.out - before.out]);
      tf.dispose([losses, ...Object.values(host), ...Object.values(xs)]);
    }
    const [inputs, losses] = [3 * 4 * (6 * 4 + 4) + 8, 3 * 4];
    // The number of steps crosses each time; the rate until it has come a second time.
    expect(crossed[1]).toEqual([inputs + 4, losses]);
    expect(crossed.slice(2)).toEqual([
      [inputs, losses],
      [inputs, losses],
    ]);
    const before = engine.traffic!.out;
    for (let i = 0; i < 2; i++) state.params.b2!.dataSync();
    expect(engine.traffic!.out - before).toBe(3 * 4);
    const again = engine.traffic!.in;
    tf.dispose([
      ...Object.values(step(state, { x: tf.zeros([1, 4, 6]), y: tf.zeros([1, 4], "int32") }, null, rate)[0].params),
    ]);
    expect(engine.traffic!.in - again).toBeLessThanOrEqual(4 * (6 * 4 + 4) + 8);
  }, 120_000);

  it("keeps what a study trains on the device through experiences, a head that grows, replay and evaluation", async () => {
    const named = classes(blobs({ classes: 4, dimensions: 6, perClass: 32, testPerClass: 8 }))
      .split(2)
      .scenario("class", { head: "growing" });
    const stream: Stream = { ...named, classes: [], seeded: () => stream };
    const spec: RunSpec = {
      ...named
        .learn(mlpModel({ hidden: [130] }))
        .by(replay({ capacity: 10, draw: 4 }))
        .train({ batch: 8 })
        .evaluate({ share: 0, atStart: false }).spec,
      stream: stream as never,
    };
    const run = async (): Promise<{ events: TrainEvent[]; crossed: Record<string, readonly [number, number][]> }> => {
      const fitting = fit(spec);
      const events: TrainEvent[] = [];
      const crossed: Record<string, [number, number][]> = {};
      let last = engine.traffic;
      for await (const event of fitting) {
        events.push(event);
        const now = engine.traffic;
        if (now && last && (now.in > last.in || now.out > last.out))
          (crossed[event.type] ??= []).push([now.in - last.in, now.out - last.out]);
        last = now;
      }
      fitting.dispose();
      return { events, crossed };
    };
    await engine.use("cpu");
    const want = await run();
    await engine.use("webgpu");
    const { held } = engine.traffic!;
    const { events, crossed } = await run();
    // What is counted as arithmetic depends on how the device's program is written.
    const plain = (all: readonly TrainEvent[]) =>
      timeless(all).filter((event) => event.type !== "probed" || event.name !== "flops");
    sameButRounding(plain(events), plain(want.events));
    expect(engine.traffic!.held).toBe(held);
    const [first, second] = crossed.step as [[number, number], [number, number]];
    // Each of 8 steps gives its loss and, of 8 rows and 4 replayed, the columns that were decided for. The bias of a head that was made
    // meanwhile, of two columns and then of four, comes with it: results that small are not left on the device.
    expect(first[1]).toBe(4 * (8 + 8 + 7 * 12) + 4 * 2);
    expect(second[1]).toBe(4 * (8 + 8 * 12) + 4 * 4);
    const rows = 8 * 12 * (6 * 4 + 4);
    // There go the rows, the two columns that are new, and a few numbers for each step.
    const columns = 4 * (130 * 2 + 2);
    expect(second[0]).toBeGreaterThanOrEqual(rows + columns);
    expect(second[0] - rows - columns).toBeLessThan(8 * 32);
    const weights = 4 * (6 * 130 + 130 + 130 * 4 + 4);
    for (const [there, back] of crossed.evaluated!) {
      // 8 test examples in a program of 32 rows: two decisions and a loss for each.
      expect(back).toBe(32 * 12);
      expect(there).toBeLessThan(32 * (6 * 4 + 4) + 64);
    }
    expect(
      Object.values(crossed)
        .flat()
        .slice(1)
        .reduce((sum, [, back]) => sum + back, 0),
    ).toBeLessThan(weights);
  }, 120_000);

  it("trains seeds side by side to what each comes to on the processor", async () => {
    const study = classes(blobs({ classes: 2, dimensions: 4, perClass: 16, testPerClass: 4 }))
      .learn(mlpModel({ hidden: [5] }))
      .train({ batch: 8 })
      .evaluate({ share: 0, atStart: false });
    await engine.use("cpu");
    const want = await runMany(study.spec, { seeds: 2, record: false });
    await engine.use("webgpu");
    const got = await runMany(study.spec, { seeds: 2, record: false, together: true });
    for (const [i, { events }] of got.logs.entries()) sameButRounding(timeless(events), timeless(want.logs[i]!.events));
  }, 120_000);
});
