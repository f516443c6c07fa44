import {
  classes,
  digits,
  experience,
  gradientAscent,
  laf,
  membership,
  mlp,
  naive,
  relearnTime,
  retrain,
  type Strategy,
  s3t,
  sgd,
  skillUnlearning,
  type TrainedNetwork,
  tf,
} from "thalweg";
import { describe, expect, test } from "vitest";
import type { Examples } from "../../lib/data/dataset.ts";
import { gather, mapped, table } from "../../lib/data/dataset.ts";
import { disposeTree, random, type Tree } from "../../lib/engine/index.ts";
import { expectedDeletions, intact, rotations } from "../../lib/strategies/parts/slices.ts";
import { freshVae, reconstructed, representationLoss } from "../../lib/strategies/parts/vae.ts";
import { contextOf, hooksOf, small } from "./by-hand.ts";
import { run, spec } from "./support.ts";

const stream = classes(digits()).split(1).repeat(2).forget(["3"], { at: 1 });
const study = stream
  .learn(mlp({ hidden: [32] }))
  .with(sgd({ lr: 0.1 }))
  .train({ epochs: 3 });
const test0 = stream.test(0).examples;
const rowsOf = (of: Examples, is: (label: number) => boolean): number[] =>
  [...of.labels.keys()].filter((i) => is(of.labels[i]!));
const some = (of: Examples, at: readonly number[]): Examples => {
  const x = gather(of, at); // as the network sees them
  return table(
    x,
    Int32Array.from(at, (i) => of.labels[i]!),
    [8, 8, 1],
    1,
  );
};

async function unlearnt(own: Strategy): Promise<TrainedNetwork> {
  const run = await study.by(own as never).run({ quiet: true, record: false, until: experience(1).step(1) });
  return run.network();
}
function scores(network: TrainedNetwork): { readonly forgotten: number; readonly kept: number } {
  const logits = network.predict(test0);
  const best = logits.argMax(-1).dataSync();
  const share = (is: (label: number) => boolean): number => {
    const of = rowsOf(test0, is);
    return of.filter((i) => best[i] === test0.labels[i]).length / of.length;
  };
  return { forgotten: share((label) => label === 3), kept: share((label) => label !== 3) };
}

describe("on digits, when a class is to be forgotten", () => {
  test("each way loses the class and keeps the others, and the reference is drawn anew", async () => {
    const plain = await unlearnt(naive());
    expect(scores(plain).forgotten).toBeGreaterThan(0.5);
    for (const own of [
      retrain({ epochs: 3 }),
      gradientAscent(),
      laf(),
      skillUnlearning({ by: "abstain" }),
      skillUnlearning({ by: "adjust", share: 1 }),
    ]) {
      const network = await unlearnt(own);
      const found = scores(network);
      const name = JSON.stringify(own.spec);
      expect(found.forgotten, name).toBeLessThan(
        ["skillUnlearning", "gradientAscent"].includes(own.spec.name) ? scores(plain).forgotten - 0.3 : 0.15,
      );
      expect(found.kept, name).toBeGreaterThan(scores(plain).kept - 0.12);
      network.dispose();
    }
  });

  test("what was only hidden is learnt again faster than what was never there", async () => {
    const threes = some(
      stream.experience(0).train,
      rowsOf(stream.experience(0).train, (label) => label === 3),
    );
    const [plain, ascended, never] = [
      await unlearnt(naive()),
      await unlearnt(gradientAscent({ repair: 0 })),
      await unlearnt(retrain({ epochs: 3 })),
    ];
    const times = [plain, ascended, never].map((network) => relearnTime(network, threes, { lr: 0.02 }));
    expect(times[0]).toBeLessThan(times[2]!);
    expect(times.every(Number.isFinite)).toBe(true);
    expect(relearnTime(never, threes, { most: 1, lr: 1e-6 })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("by hand", () => {
  test("a membership attack counts pairs, and finds the best threshold", () => {
    // losses 0.1 and 0.3 of members, 0.2 and 0.4 of others: of four pairs three are told right
    const losses = [0.1, 0.3, 0.2, 0.4];
    const predict = (of: Examples) =>
      tf.tensor2d(
        [...of.labels.keys()].map((i) => {
          const raw = new Float32Array(1);
          of.read(Uint32Array.of(i), raw);
          const p = Math.exp(-losses[raw[0]!]!);
          return [Math.log(p), Math.log(1 - p)];
        }),
      );
    const rows = (at: number[]) => table(Float32Array.from(at), new Int32Array(at.length), [1], 1);
    const found = membership({ predict } as never, rows([0, 1]), rows([2, 3]));
    expect(found.auc).toBeCloseTo(0.75, 6);
    expect(found.accuracy).toBeCloseTo(0.75, 6);
  });

  test("skill unlearning moves the units that differ most to the like place of the other Gaussian", () => {
    const { net, weights } = small([3], 2, 2);
    const own = skillUnlearning({ share: 1 });
    const state = hooksOf(own).init(contextOf(net, weights));
    const given = {
      gone: tf.tensor1d([1, 1, 1]),
      goneSpread: tf.tensor1d([1, 1, 1]),
      rest: tf.tensor1d([-1, 5, 1]),
      restSpread: tf.tensor1d([2, 0.5, 3]),
      chosen: tf.tensor1d([1, 0, 1]),
      on: tf.scalar(1),
      columns: tf.zeros([2]),
    };
    const outputs: number[][] = [];
    const pass = {
      network: net,
      weights,
      training: false,
      plain: ({ tap }: { tap: (path: string[], input: tf.Tensor, output: tf.Tensor) => tf.Tensor }) => {
        const out = tap(["model", "2-dense"], tf.zeros([1, 2]), tf.tensor2d([[1.5, 1, -4]]));
        outputs.push([...out.dataSync()]);
        return { features: out, logits: tf.zeros([1, 2]) };
      },
    };
    hooksOf(own).forward({ ...state, tensors: given }, pass as never);
    // the first is likelier at N(1, 1) than at N(-1, 2): z = 0.5 goes to -1 + 2 · 0.5; the second is not chosen; the third is likelier at N(1, 3)
    expect(outputs[0]![0]!).toBeCloseTo(0, 5);
    expect(outputs[0]![1]!).toBeCloseTo(1, 5);
    expect(outputs[0]![2]!).toBeCloseTo(-4, 5);
  });

  test("the autoencoder of features gives what its layers give, and its loss is their bound", () => {
    const vae = freshVae(random(1), [3], 2, 4);
    const x = tf.tensor2d([[0.5, -1, 2]]);
    const noise = tf.zeros([1, 2]);
    const dense = (v: number[], { kernel, bias }: { kernel: tf.Tensor; bias: tf.Tensor }, relu: boolean): number[] => {
      const [k, b] = [kernel.arraySync() as number[][], bias.dataSync()];
      return [...b]
        .map((c, j) => v.reduce((sum, value, i) => sum + value * k[i]![j]!, c))
        .map((z) => (relu ? Math.max(z, 0) : z));
    };
    const hidden = dense(dense([0.5, -1, 2], vae.in1, true), vae.in2, true);
    const [mean, spread] = [dense(hidden, vae.mean, false), dense(hidden, vae.spread, false)];
    const made = dense(dense(dense(mean, vae.out1, true), vae.out2, true), vae.picture, false);
    made.forEach((v, i) => {
      expect(reconstructed(vae, x).dataSync()[i]!).toBeCloseTo(v, 5);
    });
    const far = made.reduce((sum, v, i) => sum + (v - [0.5, -1, 2][i]!) ** 2, 0) / 2;
    const code = mean.reduce((sum, m, i) => sum + m * m + Math.exp(spread[i]!) - spread[i]! - 1, 0) / 2;
    expect(representationLoss(vae, x, noise).dataSync()[0]!).toBeCloseTo((far + code) / 3, 5);
    disposeTree(vae as unknown as Tree);
  });
});

describe("P303 S3T", () => {
  test("serves as many deletions as the formula says until nothing is left", () => {
    expect(rotations(4, 3)).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3, 0],
      [2, 3, 0, 1],
    ]);
    const rng = random(3);
    for (const [shards, slices, sequences] of [
      [3, 4, 1],
      [3, 4, 4],
      [2, 6, 3],
    ] as const) {
      const orders = rotations(slices, sequences);
      let total = 0;
      const rounds = 3000;
      for (let round = 0; round < rounds; round++) {
        const hit = Array.from({ length: shards }, () => new Set<number>());
        while (hit.some((gone) => orders.some((order) => intact(order, (slice) => gone.has(slice)) > 0))) {
          hit[rng.int(shards)]!.add(rng.int(slices));
          total++;
        }
      }
      expect(total / rounds / expectedDeletions(shards, slices, sequences)).toBeCloseTo(1, 1);
    }
    // as many orders as slices against one: 4 slices in 3 shards serve H(12) / H(3) as many
    expect(expectedDeletions(3, 4, 4) / expectedDeletions(3, 4, 1)).toBeCloseTo(3.1032 / (11 / 6), 3);
  });

  test("has nothing left of what it forgets: other images of that class would have left the same", () => {
    const data = digits();
    const dark = mapped(data.train, (row, out, at) => {
      out.set(data.train.labels[at] === 3 ? new Float32Array(row.length).fill(0.5) : row);
    });
    const scored = (from: typeof data) => {
      const over = classes(from).split(1).limit({ train: 300, test: 200 }).repeat(2).forget(["3"], { at: 1 });
      const own = s3t({ shards: 2, slices: 3, sequences: 2, lr: 0.01, epochs: 4 });
      const { events } = run(spec(over as never, [own], { model: mlp({ hidden: [24] }) }));
      return events.filter((event) => event.type === "evaluated");
    };
    const [one, other] = [scored(data), scored({ ...data, train: dark })];
    expect(other[0]).not.toEqual(one[0]);
    expect(other.at(-1)).toEqual(one.at(-1));
    expect((one[0] as { accuracy: number }).accuracy).toBeGreaterThan(0.4);
  });
});
