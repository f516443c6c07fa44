/** The way of CUDA, on the processor: ONNX Runtime's C interface gives the binding's numbers, bit for bit, and what trains stays where it is. */
import { afterEach, describe, expect, it } from "vitest";
import { type BoundDevice, bound } from "../../../lib/engine/capi/device.ts";
import { hasKoffi } from "../../../lib/engine/capi/koffi.ts";
import { DeviceLost, engine, jit, OutOfMemory, type Rng, random, steps, tf } from "../../../lib/engine/index.ts";
import {
  adam,
  type Batch,
  batch,
  cnn,
  gru,
  mlp,
  momentum,
  type Optimizer,
  type Program,
  resnet18,
  type State,
  sgd,
  start,
  trainer,
  vit,
} from "../support.ts";

const programs: [string, Program, Optimizer][] = [
  ["an MLP with momentum", mlp([12, 300, 5]), momentum],
  ["a CNN with adam", cnn(12, [4, 6], 16), adam],
  ["ResNet-18 with momentum", resnet18(4, 8, [1, 2]), momentum],
  ["a ViT with adam", vit(16, 2, 2, 8, 12), adam],
  ["a GRU with gradient descent", gru(), sgd],
];

function train(program: Program, optimizer: Optimizer, looped: boolean): Record<string, Float32Array> {
  const rate = tf.scalar(0.01);
  let state: State = start(program, optimizer);
  const all = [0, 1, 2, 3, 4].map((i) => batch(program, 4, i));
  const stack = (key: keyof Batch) => tf.stack(all.map((one) => one[key]));
  if (looped) [state] = steps(trainer(program, optimizer))(state, { x: stack("x"), y: stack("y") }, null, rate);
  else {
    const step = jit(trainer(program, optimizer), { donate: [0] });
    for (const one of all) [state] = step(state, one, null, rate);
  }
  return Object.fromEntries(
    Object.entries({ ...state.params, ...state.slots }).map(([key, value]) => [
      key,
      value.dataSync().slice() as Float32Array,
    ]),
  );
}

describe.skipIf(!hasKoffi())("the C interface", () => {
  afterEach(async () => void (await engine.use("cpu")));

  it.each(programs)(
    "trains %s to the weights and moments of the binding, bit for bit, by jit and by steps",
    async (_, program, optimizer) => {
      for (const looped of [false, true]) {
        await engine.use("cpu");
        const want = train(program, optimizer, looped);
        await engine.use("cpu-capi");
        expect(train(program, optimizer, looped)).toEqual(want);
      }
    },
  );

  it("takes steps one by one where they are to be CUDA graphs: each row crosses once, and the numbers stay", async () => {
    const program = mlp([12, 300, 5]);
    await engine.use("cpu");
    const want = train(program, momentum, false);
    await engine.use("cpu-capi", { graphs: true });
    expect(train(program, momentum, true)).toEqual(want);
    const many = steps(trainer(program, momentum));
    const one = batch(program, 4, 0);
    const xs = { x: tf.stack([one.x, one.x, one.x]), y: tf.stack([one.y, one.y, one.y]) };
    for (const leaf of [xs.x, xs.y]) leaf.dataSync();
    const rate = tf.scalar(0.01);
    let [state] = many(start(program, momentum), xs, null, rate);
    const before = engine.traffic!.in;
    [state] = many(state, xs, null, rate);
    expect(engine.traffic!.in - before).toBe(3 * 4 * (12 * 4 + 4));
    tf.dispose([state.params, state.slots] as unknown as tf.TensorContainer);
  });

  it("draws the noise of a compiled function anew at every call", async () => {
    const noisy = (x: tf.Tensor, rng: Rng): tf.Tensor => tf.add(x, rng.at("noise").normals([300]));
    const both: number[][] = [];
    for (const device of ["cpu", "cpu-capi"] as const) {
      await engine.use(device);
      const fn = jit(noisy);
      both.push([1, 2, 3].flatMap((seed) => [...fn(tf.zeros([300]), random(seed)).dataSync()]));
    }
    expect(both[1]).toEqual(both[0]);
    expect(both[0]!.slice(0, 300)).not.toEqual(both[0]!.slice(300, 600));
  });

  it("lets only the batch cross to the device, and only the loss that is read cross back", async () => {
    await engine.use("cpu-capi");
    const program = cnn(12, [4, 6], 16);
    const step = jit(trainer(program, adam), { donate: [0] });
    const rate = tf.scalar(0.01);
    let state = start(program, adam);
    let loss: tf.Tensor;
    const bytes = 8 * (12 * 12 * 4 + 4);
    const weights = 4 * Object.values(state.params).reduce((sum, { size }) => sum + size, 0);
    const crossed: (readonly [number, number])[] = [];
    for (let i = 0; i < 6; i++) {
      const one = batch(program, 8, i);
      const before = engine.traffic!;
      [state, loss] = step(state, one, null, rate);
      loss.dataSync();
      const after = engine.traffic!;
      crossed.push([after.in - before.in, after.out - before.out]);
      tf.dispose([one.x, one.y, loss]);
    }
    // At first the state and its two moments go there, and the two powers of adam; the rate, once it has come a second time, stays.
    expect(crossed[0]).toEqual([bytes + 3 * weights + 8 + 4, 4]);
    expect(crossed.slice(1)).toEqual([[bytes + 4, 4], ...new Array(4).fill([bytes, 4])]);
    const before = engine.traffic!.out;
    state.params.b2!.dataSync();
    expect(engine.traffic!.out - before).toBe(4 * 10);
  });

  it("holds no more after 200 steps than after 5", async () => {
    await engine.use("cpu-capi");
    const program = mlp([12, 300, 5]);
    const step = jit(trainer(program, momentum), { donate: [0] });
    const rate = tf.scalar(0.01);
    let state = start(program, momentum);
    const held: number[] = [];
    for (let i = 0; i < 200; i++) {
      const one = batch(program, 4, i);
      const [next, loss] = step(state, one, null, rate);
      state = next;
      loss.dataSync();
      tf.dispose([one.x, one.y, loss]);
      held.push(engine.traffic!.held);
    }
    expect(held[199]).toBe(held[4]);
  });

  it("keeps a tensor that others are made of, and moves along when the device changes", async () => {
    await engine.use("cpu-capi");
    const x = tf.add(tf.ones([400]), 1);
    const [a, b] = [tf.reshape(x, [20, 20]), tf.mul(x, 3)];
    x.dispose();
    expect([a.dataSync()[399], b.dataSync()[0]]).toEqual([2, 6]);
    const double = jit((t: tf.Tensor) => tf.mul(t, 2));
    const y = double(a);
    await engine.use("cpu");
    expect(double(y).dataSync()[7]).toBe(8);
    await engine.use("cpu-capi");
    expect(double(double(y)).dataSync()[7]).toBe(16);
  });

  it("says what memory is missing when there is no more, frees what it can, and goes on with less", async () => {
    const limit = 4 << 20;
    await engine.use("cpu-capi", { memory: limit });
    const program = mlp([12, 300, 5]);
    const step = jit(trainer(program, momentum), { name: "step" });
    const rate = tf.scalar(0.01);
    const state = start(program, momentum);
    const run = (size: number) => step(state, batch(program, size, 0), null, rate)[1].dataSync()[0];
    expect(run(16)).toBeGreaterThan(0);
    let thrown: unknown;
    try {
      run(200_000);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OutOfMemory);
    expect((thrown as Error).message).toMatch(
      /^step: 10 MiB of memory on the device are required, got none: this process holds 1 MiB of the 4 MiB that it may; use smaller batches/,
    );
    expect(engine.traffic!.held).toBeLessThan(limit);
    expect(run(32)).toBeGreaterThan(0);
  });

  it("frees and asks again once when ONNX Runtime itself finds no memory, and then says so", async () => {
    await engine.use("cpu-capi");
    let failures = 1;
    faulty((name) =>
      name === "Run" && failures-- > 0 ? "Failed to allocate memory for requested buffer of size 1234" : null,
    );
    const double = jit((x: tf.Tensor) => tf.mul(x, 2), { name: "double" });
    expect(double(tf.ones([3])).dataSync()[0]).toBe(2);
    failures = 2;
    expect(() => double(tf.ones([3]))).toThrow(
      /^double: memory on the device is required, got none left; this process holds 1 MiB for tensors; use smaller batches .*size 1234\)$/,
    );
    expect(double(tf.ones([3])).dataSync()[0]).toBe(2);
  });

  it("goes on on the processor when the device is lost", async () => {
    await engine.use("cpu-capi");
    const double = jit((x: tf.Tensor) => tf.mul(x, 2), { name: "double" });
    expect(double(tf.ones([3])).dataSync()[0]).toBe(2);
    const fault = "Non-zero status code: CUDA failure 719: unspecified launch failure ; GPU=0";
    faulty((name) => (name === "Run" ? fault : null));
    const again = jit((x: tf.Tensor) => tf.mul(x, 3), { name: "triple" });
    let thrown: unknown;
    try {
      again(tf.ones([3]));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DeviceLost);
    expect((thrown as Error).message).toMatch(
      /^triple: the GPU does not answer any more \(.*719.*\); what lay in its memory is gone, and programs run on the processor from here on$/,
    );
    expect(engine.device).toBe("cpu");
    expect([double(tf.ones([3])).dataSync()[0], again(tf.ones([3])).dataSync()[0]]).toEqual([2, 3]);
  });

  it("takes options, says those that are wrong, and tells how it computes", async () => {
    expect(() => engine.use("cpu", { tf32: true })).toThrow(/no options are required for "cpu", got tf32/);
    expect(() => engine.use("cpu-capi", { memory: -1 })).toThrow(/bytes above 0 are required as memory, got -1/);
    expect(() => engine.use("cpu-capi", { card: 0.5 })).toThrow(
      /a number of a card from 0 are required as card, got 0.5/,
    );
    expect(engine.variant).toBe("");
    await engine.use("cpu-capi", { tf32: true, graphs: true });
    expect(engine.variant).toBe("tf32+graphs");
    expect(engine.traffic).toEqual({ in: 0, out: 0, held: 0 });
    await engine.use("cpu");
    expect(engine.traffic).toBeNull();
  });
});

/** Makes calls of the C interface fail as they would on a device: `fault` gives the message of one that fails. */
function faulty(fault: (name: string) => string | null): void {
  const device = bound.device!;
  const api: BoundDevice["api"] = {
    ...device.api,
    call(name, ...args) {
      const message = fault(name);
      if (message !== null) throw new Error(message);
      device.api.call(name, ...args);
    },
  };
  bound.device = { ...device, api };
}
