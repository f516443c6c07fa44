import { adam, classes, digits, leaves, mlp, net, random, replay, sgd, simulate, tf } from "thalweg";
import { describe, expect, test } from "vitest";
import { firstFactor } from "../../lib/simulate/lte.ts";
import { backups, gainOf, rising } from "../../lib/simulate/parts/backups.ts";
import { vectorOf } from "../../lib/simulate/parts/vectors.ts";

const stream = classes(digits()).split(2).scenario("class").limit(160);
const study = stream
  .learn(mlp({ hidden: [8] }))
  .with(adam({ lr: 0.01 }))
  .train({ batch: 20 });
const plainSgd = study.with(sgd({ lr: 0.1 }));

/** The weights of plain training. */
async function plain(of: typeof study, seed = 3): Promise<Float32Array> {
  const run = await of
    .evaluate({ every: "end", share: 0, atStart: false })
    .run({ quiet: true, record: false, seeds: [seed] });
  const network = await run.network({ seed });
  const vector = vectorOf([network.weights, network.statistics]);
  network.dispose();
  return vector;
}

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
const alone = simulate.cluster({ workers: 1 });
const four = simulate.cluster({ workers: 4, delay: { kind: "exponential", mean: 0.02 } });

describe("programs of a cluster", () => {
  test.each([
    ["allReduce", simulate.allReduce()],
    ["localSgd", simulate.localSgd({ every: 5 })],
    ["parameterServer", simulate.parameterServer()],
    ["parameterServer that chooses", simulate.parameterServer({ wait: "dynamic" })],
    ["asynchronous", simulate.asynchronous({ damping: 1 })],
    ["hogwild", simulate.hogwild()],
  ])("%s with one worker is plain training, bit for bit", async (_, program) => {
    const run = await alone.train(study, program, { seed: 3 });
    expect(apart(run.vector, await plain(study))).toBe(0);
    expect(run.updates).toBe(run.frame().numRows());
  });

  test.each([
    ["allReduce", simulate.allReduce()],
    ["localSgd that averages at every step", simulate.localSgd({ every: 1 })],
    ["parameterServer that waits for all", simulate.parameterServer()],
  ])("%s with four workers is training on the whole batch", async (_, program) => {
    const run = await four.train(plainSgd, program, { seed: 3 });
    expect(apart(run.vector, await plain(plainSgd))).toBeLessThan(2e-6);
  });

  test("the same seed gives the same times and weights; running statistics of batch normalisation are averaged", async () => {
    const normed = stream
      .learn(net().flatten().dense(8).batchNorm().relu())
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 20 });
    const [a, b] = [
      await four.train(normed, simulate.localSgd({ every: 4 }), { seed: 1 }),
      await four.train(normed, simulate.localSgd({ every: 4 }), { seed: 1 }),
    ];
    expect(apart(a.vector, b.vector)).toBe(0);
    expect(a.seconds).toBe(b.seconds);
    const other = await four.train(normed, simulate.localSgd({ every: 4 }), { seed: 2 });
    expect(other.seconds).not.toBe(a.seconds);
  });

  test("a server that waits for fewer is faster, and leaves the late gradients out", async () => {
    const slow = simulate.cluster({ workers: 4, perExample: 0.01, slower: { 3: 10 } });
    const [all, three] = [
      await slow.train(plainSgd, simulate.parameterServer()),
      await slow.train(plainSgd, simulate.parameterServer({ wait: 3 })),
    ] as const;
    const longer = classes(digits())
      .learn(mlp({ hidden: [32] }))
      .with(sgd({ lr: 0.2 }))
      .train({ batch: 40, epochs: 4 });
    const learnt = await slow.train(longer, simulate.parameterServer({ wait: 3 }));
    expect(three.seconds).toBeLessThan(all.seconds / 4);
    expect(learnt.accuracy).toBeGreaterThan(0.75);
    const chosen = await slow.train(plainSgd, simulate.parameterServer({ wait: "dynamic" }));
    expect(chosen.seconds).toBeLessThan(all.seconds);
  });

  test("P235 DBW: the gain and the pooled times by hand", () => {
    expect(gainOf(4, 0.1, 2, 8, 5)).toBeCloseTo((0.1 - 0.025) * 2 - (5 * 0.01 * 8) / 8, 12);
    expect(rising([1, 3, 2, 2, 5])).toEqual([1, 7 / 3, 7 / 3, 7 / 3, 5]);
    const policy = backups(2, 10);
    expect(policy.choose(0.1)).toBe(2);
    const slope = (x: number) => ({ loss: 1, rows: 1, gradient: Float32Array.of(x) });
    // gradients without variance: the second adds nothing, and costs nine seconds
    for (const loss of [1, 0.99])
      policy.met({ slopes: [slope(1), slope(1)], mean: Float32Array.of(1), loss, rate: 0.1, after: [1, 10] });
    expect(policy.choose(0.1)).toBe(1);
  });

  test("asynchronous workers are stale by about how many others there are, and a slow one by more", async () => {
    const even = simulate.cluster({ workers: 4, perExample: 0.01, link: { latency: 0, bandwidth: 1e12 } });
    const rows = (await even.train(plainSgd, simulate.asynchronous())).frame().objects() as { staleness: number }[];
    // all take equally long: after the first round each gradient is three updates old
    expect(rows.slice(4).every(({ staleness }) => staleness === 3)).toBe(true);
  });

  test("hogwild workers wait for nobody, send nothing, and read what others are writing", async () => {
    const even = simulate.cluster({ workers: 4, perExample: 0.01 });
    const run = await even.train(plainSgd, simulate.hogwild({ pieces: 4, reading: 0.1 }));
    const rows = run.frame().objects() as { staleness: number }[];
    expect(rows.slice(4).every(({ staleness }) => staleness === 3)).toBe(true);
    expect(run.bytes).toBe(0);
    const uneven = simulate.cluster({ workers: 4, perExample: 0.01, slower: { 1: 1.3, 2: 1.7, 3: 2.1 } });
    const [torn, kept] = [
      await uneven.train(plainSgd, simulate.hogwild({ pieces: 8, reading: 0.1 })),
      await uneven.train(plainSgd, simulate.hogwild({ reading: 0.1 })),
    ];
    expect(torn.seconds).toBeCloseTo(kept.seconds, 9);
    expect(apart(torn.vector, kept.vector)).toBeGreaterThan(0);
  });

  test("P447 Just One Byte: a step is along the machines' own noise, as steep as the gradient says, and costs one byte for each other", async () => {
    const one = plainSgd.train({ batch: 320 }); // one update of all examples of an experience
    const moved = async (options: { bytes: 1 | 4; range?: number }) =>
      (await alone.train(one, simulate.seededSpsa(options), { seed: 3 })).vector;
    const start = await plain(one.with(sgd({ lr: 1e-12 })) as never);
    const [exact, coarse] = [await moved({ bytes: 4 }), await moved({ bytes: 1 })];
    // with one machine each experience's step lies along its noise
    const noise = [0, 1].map((k) => random(3).at("spsa", 0, k).fillNormal(new Float32Array(start.length)));
    const way = exact.map((x, i) => x - start[i]!);
    const gram = noise.map((a) => noise.map((b) => a.reduce((sum, x, i) => sum + x * b[i]!, 0)));
    const along = noise.map((z) => z.reduce((sum, x, i) => sum + x * way[i]!, 0));
    const by = gram[0]![0]! * gram[1]![1]! - gram[0]![1]! * gram[1]![0]!;
    const steps = [
      (along[0]! * gram[1]![1]! - along[1]! * gram[0]![1]!) / by,
      (along[1]! * gram[0]![0]! - along[0]! * gram[1]![0]!) / by,
    ];
    expect(Math.hypot(...way.map((x, i) => x - steps[0]! * noise[0]![i]! - steps[1]! * noise[1]![i]!))).toBeLessThan(
      1e-4,
    );
    // the first step is −η zᵀ∇L: plain SGD from the same weights moves by −η∇L
    const first = await plain(one.with(sgd({ lr: 0.1 })) as never, 3);
    expect(first.length).toBe(start.length);
    const slice = stream
      .slice(0, 1)
      .learn(mlp({ hidden: [8] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 320 });
    const gradient = (await plain(slice as never)).map((x, i) => (start[i]! - x) / 0.1);
    const steep = noise[0]!.reduce((sum, z, i) => sum + z * gradient[i]!, 0);
    expect(steps[0]! / -0.1).toBeCloseTo(steep, 1);
    expect(apart(coarse, exact)).toBeLessThan(0.1 * (20 / 127) * 4);
    expect(apart(coarse, exact)).toBeGreaterThan(0);
    const run = await four.train(plainSgd, simulate.seededSpsa(), { seed: 1 });
    expect(run.bytes).toBe(run.updates * 4 * 3);
  });

  test("P202 LTE: with a rank of all inputs and a merge after every step it is plain SGD, and a merge costs the factors of each kernel", async () => {
    const whole = simulate.lte({ rank: 1000, every: 1 });
    expect(apart((await alone.train(plainSgd, whole, { seed: 3 })).vector, await plain(plainSgd))).toBeLessThan(1e-4);
    // four heads of full rank on a quarter of each batch are the step on the whole batch
    expect(apart((await four.train(plainSgd, whole, { seed: 3 })).vector, await plain(plainSgd))).toBeLessThan(1e-4);
    // the first factor's columns are orthogonal, and as long as one step asks that is to be plain SGD's in the mean
    const first = tf.tensor2d(firstFactor(12, 3, random(5)), [12, 3]);
    expect(
      apart(tf.matMul(first, first, true).dataSync() as Float32Array, Float32Array.of(4, 0, 0, 0, 4, 0, 0, 0, 4)),
    ).toBeLessThan(1e-5);
    first.dispose();
    const before = tf.memory().numTensors;
    const run = await four.train(study, simulate.lte({ rank: 2, every: 4 }), { seed: 3 });
    expect(tf.memory().numTensors).toBe(before);
    const merges = Math.ceil(run.updates / 4);
    expect(run.bytes).toBe(merges * 4 * 3 * 4 * (2 * (64 + 8) + 2 * (8 + 10) + 8 + 10));
  });

  test("P101 DiLoCo eager updates: with one worker and a plain outer step they are what the rounds say", async () => {
    const outer = sgd({ lr: 1, momentum: 0 });
    const run = await alone.train(study, simulate.diloco({ every: 5, outer }), { seed: 3 });
    expect(apart(run.vector, await plain(study))).toBeLessThan(1e-6);
    // with one worker the fresh gradient takes the place of the late one: eager is no overlap at all
    const eager = await alone.train(study, simulate.diloco({ every: 5, outer, overlap: "eager" }), { seed: 3 });
    expect(apart(eager.vector, run.vector)).toBe(0);
  });

  test("overlapped rounds do not wait for a slow line", async () => {
    const far = simulate.cluster({ workers: 4, perExample: 0.01, link: { latency: 0.05, bandwidth: 1e5 } });
    const times: Record<string, number> = {};
    for (const overlap of ["none", "delayed", "eager"] as const) {
      const run = await far.train(plainSgd, simulate.diloco({ every: 8, overlap, outer: sgd({ lr: 0.7 }) }));
      times[overlap] = run.seconds;
      expect(run.bytesByTag["outer gradient"]).toBeGreaterThan(0);
    }
    expect(times.eager).toBe(times.delayed);
    expect(times.eager!).toBeLessThan(times.none! * 0.8);
  });

  test("nothing leaks, pictures are drawn, and what a cluster cannot train is refused", async () => {
    const before = tf.memory().numTensors;
    const run = await four.train(plainSgd, simulate.allReduce(), { evaluateEvery: 4 });
    expect(tf.memory().numTensors).toBe(before);
    expect(run.curve().numRows()).toBeGreaterThan(3);
    expect(run.secondsTo(2)).toBe(null);
    expect(run.timeline().toSVG()).toContain("worker 3");
    const network = run.network();
    expect(vectorOf([network.weights, network.statistics])).toEqual(run.vector);
    expect(leaves(network.weights).length).toBe(4);
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
    await expect(four.train(study.by(replay({ capacity: 10 })), simulate.allReduce())).rejects.toThrow(
      "without strategies",
    );
    expect(() => simulate.cluster({ workers: 0 })).toThrow("whole number");
    expect(() => simulate.cluster({ workers: 2, delay: { kind: "pareto", mean: 1, shape: 1 } })).toThrow("above 1");
  });
});
