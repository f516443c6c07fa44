import { readFileSync } from "node:fs";
import {
  classes,
  digits,
  disposeTree,
  merge,
  mergeAfter,
  mlp,
  net,
  network,
  random,
  sgd,
  type TrainedNetwork,
  type Tree,
  table,
  tf,
  trained,
  type Weights,
} from "thalweg";
import { describe, expect, test } from "vitest";
import { grown, placesOf, vectorOf, withVector } from "../../lib/merge/parts/vectors.ts";
import { contextOf, hooksOf } from "../strategies/by-hand.ts";

/** What NumPy and PyTorch come to: written by peers/merging.py. */
const peer = JSON.parse(readFileSync(new URL("./peers/merging.json", import.meta.url), "utf8")) as {
  readonly base: number[];
  readonly networks: readonly number[][];
  readonly rows: readonly number[][][];
  readonly merged: Readonly<Record<string, number[]>>;
};

const model = mlp({ hidden: [5, 6] });
const structure = network(model, [4]);

/** A network with these numbers, in the order of the fixture, which is that of the tree. */
function made(numbers: readonly number[], columns = 3): TrainedNetwork {
  const drawn = structure.init(random(0), columns);
  const weights = withVector(drawn, placesOf("test", drawn), Float64Array.from(numbers));
  const found = trained({ model, input: [4], weights });
  disposeTree([drawn, weights] as unknown as Tree);
  return found;
}

const numbersOf = ({ weights }: { readonly weights: Weights }): number[] => [
  ...vectorOf(weights, placesOf("test", weights)),
];
const base = made(peer.base);
const three = peer.networks.map((numbers) => made(numbers));
const tables = peer.rows.map((rows) => table(Float32Array.from(rows.flat()), new Int32Array(rows.length), [4], 1));

function close(found: readonly number[], wanted: readonly number[], digits = 6): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((x, i) => {
    expect(x).toBeCloseTo(wanted[i]!, digits);
  });
}

describe("beside NumPy and PyTorch, on random tensors", () => {
  const cases = {
    average: () => merge.average(three),
    taskArithmetic: () => merge.taskArithmetic(three, { base, scale: 0.4 }),
    slerp: () => merge.slerp(three.slice(0, 2), { t: 0.3 }),
    ties: () => merge.ties(three, { base, density: 0.3, scale: 0.7 }),
    breadcrumbs: () => merge.breadcrumbs(three, { base, smallest: 0.5, largest: 0.1, scale: 0.5 }),
    modelStock: () => merge.modelStock(three, { base }),
    magMax: () => merge.magMax(three, { base }),
    opcm: () => merge.opcm(three, { base }),
    pcb: () => merge.pcb(three, { base, ratio: 0.2, scale: 1.2 }),
    lines: () => merge.lines(three, { base, alpha: 0.2, beta: 0.6 }),
    fisher: () => merge.fisher(three.slice(0, 2), tables),
    regmean: () => merge.regmean(three.slice(0, 2), tables),
  };
  test.each(Object.entries(cases))("%s", (name, run) => {
    const merged = run();
    close(numbersOf(merged.network), peer.merged[name]!, name === "regmean" ? 5 : 6);
    expect(merged.report.rule).toBe(name);
  });

  test("the fixture has a merge of its own for every case", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(peer.merged).sort());
  });
});

describe("rules", () => {
  test("DARE drops a share, and in the mean over draws gives what task arithmetic does", () => {
    const draws = Array.from({ length: 400 }, (_, seed) =>
      numbersOf(merge.dare(three, { base, drop: 0.5, seed }).network),
    );
    const before = peer.base.map(Math.fround);
    const once = numbersOf(merge.dare([three[0]!], { base, drop: 0.5, seed: 1 }).network);
    const still = once.filter((x, i) => Math.abs(x - before[i]!) < 1e-6).length;
    expect(still / once.length).toBeGreaterThan(0.35);
    expect(still / once.length).toBeLessThan(0.65);
    once.forEach((x, i) => {
      if (Math.abs(x - before[i]!) > 1e-6)
        expect(x - before[i]!).toBeCloseTo(2 * (peer.networks[0]![i]! - before[i]!), 5);
    });
    const wanted = numbersOf(merge.taskArithmetic(three, { base, scale: 1 }).network);
    const error = wanted.map((w, i) => Math.abs(draws.reduce((sum, draw) => sum + draw[i]!, 0) / draws.length - w));
    expect(Math.max(...error)).toBeLessThan(0.12); // four deviations of the mean of 400
    expect(numbersOf(merge.dare(three, { base, seed: 5 }).network)).toEqual(
      numbersOf(merge.dare(three, { base, seed: 5 }).network),
    );
  });

  test("of one network most rules give that network", () => {
    const one = numbersOf(three[0]!);
    close(numbersOf(merge.opcm([three[0]!], { base }).network), one);
    close(numbersOf(merge.magMax([three[0]!], { base, scale: 1 }).network), one);
    close(numbersOf(merge.ties([three[0]!], { base, density: 1 }).network), one);
    close(numbersOf(merge.lines([three[0]!], { base, alpha: 1, beta: 0 }).network), one);
    close(numbersOf(merge.regmean([three[0]!], [tables[0]!]).network), one, 4);
  });

  test("regmean of convolutions gives the kernel of networks that are alike", () => {
    const conv = net().conv(3, 3).relu().flatten();
    const weights = network(conv, [4, 4, 2]).init(random(3), 2);
    const one = trained({ model: conv, input: [4, 4, 2], weights });
    const images = table(new Float32Array(random(4).normals([20, 32]).dataSync()), new Int32Array(20), [4, 4, 2], 1);
    const merged = merge.regmean([one, one], [images, images]).network;
    close(numbersOf(merged), numbersOf(one), 4);
  });

  test("what a filter leaves is that of the network that is asked for", () => {
    const merged = merge.average(three, { filter: "model" });
    expect(merged.report.left).toBe(3 * 6 + 3);
    const second = numbersOf(merged.of(1));
    const at = second.length - merged.report.left;
    close(second.slice(at), peer.networks[1]!.slice(at));
    close(second.slice(0, at), numbersOf(merged.network).slice(0, at));
    expect(numbersOf(merged.network).slice(at)).not.toEqual(second.slice(at));
  });

  test("the report says how far the merged network went, and how often the others contradict each other", () => {
    const same = merge.taskArithmetic([three[0]!, three[0]!], { base, scale: 0.5 }).report;
    expect(same).toMatchObject({ conflicts: 0, networks: 2, left: 0, parameters: 85 - 85 + numbersOf(base).length });
    expect(same.moved).toBeCloseTo(1, 5);
    expect(merge.average(three, { base }).report.conflicts).toBeGreaterThan(0.5);
  });

  test("running statistics are the mean of the networks'", () => {
    const model = net().dense(4).batchNorm().relu();
    const of = (seed: number): TrainedNetwork =>
      trained({
        model,
        input: [3],
        weights: network(model, [3]).init(random(seed), 2),
        statistics: { "2-batchNorm": { mean: tf.fill([4], seed), variance: tf.fill([4], 1 + seed) } },
      });
    const { statistics } = merge.average([of(0), of(4)]).network;
    const norm = statistics["2-batchNorm"] as { mean: tf.Tensor; variance: tf.Tensor };
    expect([...norm.mean.dataSync()]).toEqual([2, 2, 2, 2]);
    expect([...norm.variance.dataSync()]).toEqual([3, 3, 3, 3]);
  });

  test("asks for what it needs", () => {
    expect(() => merge.ties(three)).toThrow(
      "merge.ties: the network from which all were trained is required, got none",
    );
    expect(() => merge.slerp(three)).toThrow("merge.slerp: 2 networks are required, got 3");
    expect(() => merge.average([three[0]!, made([...peer.base, ...Array(7).fill(0)], 4)])).toThrow(
      "networks with the same parameters are required, got head/kernel [6,3] and head/kernel [6,4]",
    );
    expect(() => merge.ties({ dense: 1 } as never)).toThrow("ties: no option dense");
    expect(() => merge.fisher(three, tables)).toThrow("a table with examples for each of the 3 networks is required");
  });

  test("leaves no tensors behind but the network's", () => {
    merge.opcm(three, { base }).network.dispose();
    const before = tf.memory().numTensors;
    merge.opcm(three, { base }).network.dispose();
    merge.regmean(three.slice(0, 2), tables).network.dispose();
    merge.fisher(three.slice(0, 2), tables).network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("after every experience", () => {
  const quiet = { quiet: true, record: false } as const;

  /** The weights that the strategy puts in place after experiences that left those of the three networks. */
  function after(own: Parameters<typeof mergeAfter>[0]): number[][] {
    const hooks = hooksOf(mergeAfter(own));
    const context = (of: TrainedNetwork, experience: number) => contextOf(structure, of.weights, { experience });
    let state = hooks.init(context(base, 0));
    return three.map((each, i) => {
      const begun = hooks.beforeExperience(state, {} as never, context(base, i)) as { weights?: Weights };
      if (begun.weights !== undefined) disposeTree(begun.weights as unknown as Tree);
      state = hooks.afterExperience(begun, {} as never, context(each, i));
      return numbersOf(state as { weights: Weights });
    });
  }

  test("merges what the experiences have trained, as the function of networks does", () => {
    for (const rule of [merge.opcm(), merge.magMax(), merge.average(), merge.ties({ density: 0.3, scale: 0.7 })]) {
      const { rule: name, options } = rule;
      const by = merge[name as "ties"] as typeof merge.ties;
      const found = after({ ...rule, from: "base" });
      found.forEach((numbers, i) => {
        close(numbers, numbersOf(by(three.slice(0, i + 1), { base, ...options }).network));
      });
      if (name !== "average" && name !== "magMax") close(found[2]!, peer.merged[name]!, 5);
    }
  });

  test("a head that grew has its new columns as they began, in the base and in what was trained", () => {
    const four = made([...peer.base, ...Array(7).fill(0)], 4);
    const [narrow, wide] = [base, four].map(({ weights }) => placesOf("test", weights));
    const fill = vectorOf(four.weights, wide!).map(() => 9);
    const numbers = grown(vectorOf(base.weights, narrow!), narrow!, wide!, fill);
    const weights = withVector(four.weights, wide!, numbers);
    const [kernel, before] = [weights, base.weights].map(({ head }) => (head.kernel as tf.Tensor2D).arraySync());
    kernel!.forEach((row, i) => {
      expect(row).toEqual([...before![i]!, 9]);
    });
    expect(numbers.filter((x) => x === 9)).toHaveLength(7);
    expect(grown(vectorOf(base.weights, narrow!), narrow!, wide!).filter((x) => x === 0)).toHaveLength(7);
  });

  test("one experience is left as it was trained, and its average with a second is half of both changes", async () => {
    const joint = classes(digits()).split(1).repeat(2).limit(60);
    const plain = joint.learn(mlp({ hidden: [12] })).with(sgd({ lr: 0.1 }));
    const one = await (
      await joint
        .slice(0, 1)
        .learn(mlp({ hidden: [12] }))
        .with(sgd({ lr: 0.1 }))
        .by(mergeAfter())
        .run(quiet)
    ).network();
    const trainedOne = await (
      await joint
        .slice(0, 1)
        .learn(mlp({ hidden: [12] }))
        .with(sgd({ lr: 0.1 }))
        .run(quiet)
    ).network();
    expect(numbersOf(one)).toEqual(numbersOf(trainedOne));
    const both = await (await plain.run(quiet)).network();
    const half = await (await plain.by(mergeAfter()).run(quiet)).network();
    const wanted = numbersOf(both).map((x, i) => (x + numbersOf(trainedOne)[i]!) / 2);
    close(numbersOf(half), wanted, 5);
  });

  test("says which rules there are", () => {
    expect(() => mergeAfter({ rule: "nothing" })).toThrow('merge.ties, got "nothing"');
    expect(() => mergeAfter(merge.slerp())).toThrow('got "slerp"');
    expect(() => mergeAfter({ rule: "ties", options: { densty: 1 } })).toThrow("ties: no option densty");
  });
});
