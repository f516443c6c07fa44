import { adam, classes, digits, leaves, mlp, net, replay, sgd, simulate, tf } from "thalweg";
import { describe, expect, test } from "vitest";
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
