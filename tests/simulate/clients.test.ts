import {
  adam,
  blobs,
  classes,
  clients,
  digits,
  from,
  mlp,
  net,
  random,
  sgd,
  simulate,
  type TrainedNetwork,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { integrated, prioritised } from "../../lib/simulate/bristle.ts";
import { allocation } from "../../lib/simulate/fed-ast.ts";
import { type Output, recallsOf } from "../../lib/simulate/parts/output-layer.ts";
import { vectorOf } from "../../lib/simulate/parts/vectors.ts";

const apart = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

const crowd = simulate.clients({ delay: { kind: "exponential", mean: 0.1 } });
const stream = clients(digits(), { clients: 5, concentration: 1 });
const study = stream
  .learn(mlp({ hidden: [16] }))
  .with(sgd({ lr: 0.1 }))
  .train({ batch: 32 });

/** The accuracy on digits of nearest means of a network's features, in one piece. */
function byNearestMean(network: TrainedNetwork): number {
  const { train, test } = digits();
  const distances = tf.tidy(() => {
    const own = network.features(train);
    const means = Array.from({ length: 10 }, (_, label) => {
      const rows = [...train.labels.keys()].filter((i) => train.labels[i] === label);
      return tf.mean(tf.gather(own, tf.tensor1d(rows, "int32")), 0);
    });
    const apart = tf.sub(tf.expandDims(network.features(test), 1), tf.expandDims(tf.stack(means), 0));
    return tf.argMin(tf.sum(tf.square(apart), -1), -1).dataSync();
  });
  return [...distances].filter((label, i) => label === test.labels[i]).length / test.length;
}

describe("federated programs", () => {
  test("with all clients and one step of SGD on all their examples each, federated averaging is a step on the whole batch", async () => {
    const whole = { batch: 10_000, epochs: 1 };
    const run = await crowd.train(study.train(whole), simulate.fedAvg({ rounds: 3 }), { seed: 2 });
    const plain = await classes(digits())
      .learn(mlp({ hidden: [16] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 10_000, epochs: 3 })
      .evaluate({ atStart: false, share: 0 })
      .run({ quiet: true, record: false, seeds: [2] });
    const network = await plain.network({ seed: 2 });
    expect(apart(run.vector, vectorOf([network.weights, network.statistics]))).toBeLessThan(2e-6);
    network.dispose();
    // and the same again with SGD of the server at a rate of 1, with SCAFFOLD, whose corrections are for later steps, and in FedFix's intervals
    const opt = await crowd.train(
      study.train(whole),
      simulate.fedOpt({ rounds: 3, server: sgd({ lr: 1, momentum: 0 }) }),
      { seed: 2 },
    );
    expect(apart(opt.vector, run.vector)).toBeLessThan(2e-6);
    const fix = simulate.fedAsync({ every: "interval", interval: 60, updates: 3 });
    expect(apart((await crowd.train(study.train(whole), fix, { seed: 2 })).vector, run.vector)).toBeLessThan(2e-6);
  });

  test("SCAFFOLD: with one step each the control variates cancel in the mean; the second round's direction is g + c − cᵢ", async () => {
    const even = clients(blobs({ classes: 2, dimensions: 3 }), { clients: 2, concentration: 1e6 });
    const one = even
      .learn(mlp({ hidden: [] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 10_000 });
    const [scaffold, averaged] = [
      await crowd.train(one, simulate.scaffold({ rounds: 4 })),
      await crowd.train(one, simulate.fedAvg({ rounds: 4 })),
    ];
    // clients of equally many examples: the plain mean is the weighted one, and Σ (c − cᵢ) = 0
    expect(apart(scaffold.vector, averaged.vector)).toBeLessThan(5e-3);
    await expect(crowd.train(study.with(adam({ lr: 0.1 })), simulate.scaffold())).rejects.toThrow("plain sgd");
  });

  test("FedProx keeps clients nearer to the server, SCAFFOLD and averaging learn, fewer clients send fewer bytes", async () => {
    const uneven = clients(digits(), { clients: 5, concentration: 0.1 })
      .learn(mlp({ hidden: [16] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 32, epochs: 2 });
    const start = await crowd.train(uneven, simulate.fedAvg({ rounds: 1, proximal: 0 }));
    const pulled = await crowd.train(uneven, simulate.fedAvg({ rounds: 1, proximal: 1 }));
    const before = await crowd.train(uneven.with(sgd({ lr: 1e-12 })), simulate.fedAvg({ rounds: 1 }));
    const way = (run: { vector: Float32Array }) => Math.hypot(...run.vector.map((x, i) => x - before.vector[i]!));
    expect(way(pulled)).toBeLessThan(0.9 * way(start));
    const long = await crowd.train(uneven, simulate.fedAvg({ rounds: 8 }));
    expect(long.accuracy).toBeGreaterThan(0.6);
    expect((await crowd.train(uneven, simulate.scaffold({ rounds: 8 }))).accuracy).toBeGreaterThan(0.6);
    const few = await crowd.train(uneven, simulate.fedAvg({ rounds: 8, share: 0.4 }));
    expect(few.bytes).toBe(long.bytes * 0.4);
  });

  test("a deadline leaves stragglers out, and who is lost is not waited for", async () => {
    const slow = simulate.clients({ slower: { 0: 100 }, lost: 0.3 });
    const [waits, goes] = [
      await slow.train(study, simulate.fedAvg({ rounds: 3 })),
      await slow.train(study, simulate.fedAvg({ rounds: 3, deadline: 2 })),
    ] as const;
    expect(goes.seconds).toBeLessThan(7);
    expect(waits.seconds).toBeGreaterThan(goes.seconds);
    expect(goes.accuracy).toBeGreaterThan(0.2);
  });

  test("P232 FedFix: asynchronous programs do not wait for the slow; intervals are as long as they are said to be", async () => {
    const slow = simulate.clients({ slower: { 0: 20 } });
    const [answer, buffer, fix] = [
      await slow.train(study, simulate.fedAsync({ updates: 20 })),
      await slow.train(study, simulate.fedAsync({ every: "buffer", buffer: 3, updates: 8 })),
      await slow.train(
        study,
        simulate.fedAsync({ every: "interval", interval: 1.5, updates: 8, weights: "frequency" }),
      ),
    ] as const;
    expect(fix.seconds).toBeCloseTo(12, 6);
    for (const run of [answer, buffer, fix]) expect(run.accuracy).toBeGreaterThan(0.4);
    const stale = (answer.frame().objects() as { staleness: number }[]).map(({ staleness }) => staleness);
    expect(Math.max(...stale)).toBeGreaterThan(3);
  });

  test("a stream with rounds of new classes is learnt round by round, a thousand clients need one learner, nothing leaks", async () => {
    const growing = clients(digits(), { clients: 4, classesPerRound: 5 })
      .learn(mlp({ hidden: [16] }))
      .with(sgd({ lr: 0.1 }));
    const run = await crowd.train(growing, simulate.fedAvg({ rounds: 2 }), { evaluateEvery: 1 });
    expect((run.curve().objects() as { update: number }[]).map(({ update }) => update)).toEqual([1, 2, 3, 4, 4]);
    const many = clients(blobs({ classes: 4, perClass: 375 }), { clients: 1000, concentration: 100 }).learn(
      mlp({ hidden: [4] }),
    );
    const before = tf.memory().numTensors;
    const big = await crowd.train(many, simulate.fedAvg({ rounds: 2, share: 0.3 }));
    expect(big.totals().numRows()).toBe(1001);
    expect(tf.memory().numTensors).toBe(before);
    await expect(crowd.train(classes(digits()).split(5).learn(mlp()), simulate.fedAvg())).rejects.toThrow(
      "name their client",
    );
  });

  test("P026 Federated Reconnaissance: merged prototypes answer as the nearest mean of all examples does", async () => {
    const base = await (
      await classes(digits())
        .learn(mlp({ hidden: [32] }))
        .run({ quiet: true, record: false })
    ).network();
    const rounds = clients(digits(), { clients: 4, classesPerRound: 5 });
    const run = await crowd.train(rounds.learn(from(base)), simulate.protoMerge(), { evaluateEvery: 1 });
    expect(run.accuracy).toBeCloseTo(byNearestMean(base), 6);
    expect((run.curve().objects() as { accuracy: number }[])[0]!.accuracy).toBeGreaterThan(0.8);
    expect(run.bytesByTag.means).toBeLessThan(2 * 4 * 5 * 4 * 34 + 1);
    base.dispose();
  });
});

describe("P134 Bristle", () => {
  test("takes over, class by class, from those who recognise more, by the numbers of its formula", () => {
    // one feature: class 0 below 0, class 1 above; a bias column each
    const output = (slope: number, bias = 0): Output => [
      Float64Array.of(-slope, 0),
      Float64Array.of(slope, bias),
      Float64Array.of(0, -9),
    ];
    const judges = { features: Float32Array.of(-1, -0.5, 0.5, 1), labels: Int32Array.of(0, 0, 1, 1) };
    expect(recallsOf(output(1, -0.8), judges).slice(0, 2)).toEqual([1, 0.5 + 0.5 * Number(0.5 > -0.5 + 0.8)]);
    const [mine, better, worse] = [output(1, -1.5), output(2), output(-1)];
    expect(recallsOf(mine, judges)).toEqual([1, 0.5, Number.NaN]);
    const says = (own: Output) => ({ output: own, classes: 2 });
    const found = integrated(mine, [better, worse].map(says), judges);
    // class 0: as good as mine, so 10 σ(0) − 4 = 1 times a certainty of 1; class 1: (10 · 0.5)^3.5 = 279.5; those who are always wrong: certainty 0
    const weight = 10 / (1 + Math.exp(-(5 ** 3.5) / 100)) - 4;
    expect(found[0]![0]).toBeCloseTo((-1 - 2) / 2, 9);
    expect(found[1]![0]).toBeCloseTo((1 + weight * 2) / (1 + weight), 9);
    expect(found[1]![1]).toBeCloseTo(-1.5 / (1 + weight), 9);
    // class 2, of which there are no examples: by all scores together
    expect(found[2]![1]).toBeCloseTo(-9, 9);
    const [far, near] = [output(50), output(1, -1.4)];
    expect(prioritised(mine, [far, better, near].map(says), 2, 0, random(0))).toEqual([near, better].map(says));
    // one who has examples of one class only counts for the one that it recognises best
    const one = { output: output(2), classes: 1 };
    expect(integrated(mine, [one], judges)[1]).toEqual(mine[1]);
  });

  test("keeps its accuracy among peers who lie, where the mean of what comes does not", async () => {
    const peers = clients(digits(), { clients: 8, concentration: 5 });
    const frozen = peers
      .learn(mlp({ hidden: [64] }))
      .with(sgd({ lr: 0.5 }))
      .train({ batch: 16, epochs: 4 });
    const lying = { rounds: 5, byzantine: 0.4, attack: "noise" } as const;
    const [own, mean] = [
      await crowd.train(frozen, simulate.bristle(lying)),
      await crowd.train(frozen, simulate.bristle({ ...lying, by: "average" })),
    ];
    expect(own.accuracy).toBeGreaterThan(0.6);
    expect(own.accuracy).toBeGreaterThan(mean.accuracy + 0.1);
    // each round each peer sends 4 others its output layer: 64 weights and a bias for each of 10 classes, and a count
    expect(own.bytes).toBe(5 * 8 * 4 * 4 * (64 * 10 + 10 + 1));
  });
});

describe("several experiments on the same machines", () => {
  test("P090 FedAST: in rounds one network is averaged as ever; in buffers none is waited for, and what varies more gets more clients", async () => {
    const even = clients(blobs({ classes: 2, dimensions: 3 }), { clients: 2, concentration: 1e6 });
    const one = even
      .learn(mlp({ hidden: [] }))
      .with(sgd({ lr: 0.1 }))
      .train({ batch: 10_000 });
    const averaged = await crowd.train(one, simulate.fedAvg({ rounds: 4 }));
    const [rounds] = await simulate.fedAst([one], {}, { updates: 4, by: "rounds" });
    expect(apart(rounds!.vector, averaged.vector)).toBeLessThan(5e-3);
    // answers of deviation 1 and 3 in lengths of their mean
    const around = (mean: number, far: number): Float32Array[] =>
      [mean - far, mean + far].map((x) => Float32Array.of(x));
    expect(allocation([around(1, 1), around(2, 6)]).map((share) => share.toFixed(6))).toEqual(["0.250000", "0.750000"]);
    const both = [study, study.with(sgd({ lr: 0.05 }))];
    const slow = { perExample: 0.01, slower: { 0: 10 } };
    const [buffered, waiting] = [
      await simulate.fedAst(both, slow, { updates: 6, buffer: 2, active: 4, cost: [1, 3] }),
      await simulate.fedAst(both, slow, { updates: 6, by: "rounds", active: 4, cost: [1, 3] }),
    ];
    expect(buffered.map(({ updates }) => updates)).toEqual([6, 6]);
    expect(buffered[0]!.seconds).toBeLessThan(waiting[0]!.seconds * 0.8);
    const stale = buffered[0]!.frame().objects() as { staleness: number }[];
    expect(Math.max(...stale.map(({ staleness }) => staleness))).toBeGreaterThan(0);
    await expect(simulate.fedAst([one, study])).rejects.toThrow("streams of as many clients");
  });

  test("P347 FLEEG: clients of one form who do the same are plain training; others share their middle alone, and send it alone", async () => {
    const data = (dimensions: number) => classes(blobs({ classes: 3, dimensions }));
    const model = () => net().dense(6).relu().dense(5).relu();
    const learning = (dimensions: number) =>
      data(dimensions)
        .learn(model())
        .with(sgd({ lr: 0.1 }))
        .train({ batch: 10_000, epochs: 1 });
    const same = await simulate.fleeg([learning(3), learning(3)], {}, { rounds: 4, shared: ["model/", "head/"] });
    const plain = await learning(3)
      .train({ batch: 10_000, epochs: 4 })
      .evaluate({ atStart: false, share: 0 })
      .run({ quiet: true, record: false });
    const network = await plain.network();
    expect(apart(same[0]!.vector, vectorOf([network.weights, network.statistics]))).toBeLessThan(2e-6);
    network.dispose();
    const apartly = await simulate.fleeg([learning(3), learning(7)], {}, { rounds: 4 });
    // the second layer, 6 to 5, with its bias: to each client and back in each round
    expect(apartly[0]!.bytes).toBe(4 * 2 * 2 * 4 * (6 * 5 + 5));
    expect(apartly.map(({ vector }) => vector.length)).toEqual([3 * 6 + 6 + 35 + 18, 7 * 6 + 6 + 35 + 18]);
    await expect(simulate.fleeg([learning(3), learning(7)], {}, { shared: ["model/1-dense/kernel"] })).rejects.toThrow(
      "a layer of one form in every network is required",
    );
  });
});
