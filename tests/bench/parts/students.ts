/** Studies of students: what finds pairs, competes with its teacher, is pretrained in many sizes at once or trained in little memory, by row. */
import { type Examples, gather } from "../../../lib/data/dataset.ts";
import {
  adam,
  classes,
  consensus,
  digits,
  distil,
  distilCompetitive,
  distilRetrieval,
  dynamicLayers,
  elasticPretrain,
  expand,
  from,
  layerThresholds,
  mlp,
  net,
  type Strategy,
  sgd,
  type TrainedNetwork,
  tape,
  tf,
  tinyTraining,
  vit,
  type Within,
} from "../../../lib/index.ts";
import { exampleHalves } from "../../../lib/strategies/objectives/distil-retrieval.ts";
import type { Study } from "../../support/reference.ts";
import { each, examples, learnt, scores } from "./growing.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const data = digits();
const all = classes(data).split(1);
const seeds = 5;
type Figures = Record<string, Study["figures"][string]>;

/** Bands of what was found, each with what it is. */
function bands(what: string, found: Record<string, readonly number[]>): Figures {
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [`${what}, ${name}`, band(values)]));
}

/** The test examples' images. */
function shown(): tf.Tensor {
  const at = Uint32Array.from({ length: examples.length }, (_, i) => i);
  return tf.tensor(gather(examples, at), [at.length, 8, 8, 1]);
}

/** The share of the test examples' halves whose other half scores highest, both ways. */
function recall(network: TrainedNetwork): number {
  return tf.tidy(() => {
    const x = shown();
    const rows = examples.length;
    const [one, two] = exampleHalves(x).map((half) => {
      const f = network.features(half);
      return tf.div(f, tf.norm(f, 2, 1, true));
    });
    const scores = tf.matMul(one as tf.Tensor2D, two as tf.Tensor2D, false, true);
    const right = tf.range(0, rows, 1, "int32");
    const hit = (s: tf.Tensor): number => tf.mean(tf.cast(tf.equal(tf.argMax(s, 1), right), "float32")).dataSync()[0]!;
    return (hit(scores) + hit(tf.transpose(scores))) / 2;
  });
}

/** P011: halves of digits that find each other, by a small network. */
async function retrieving(): Promise<Study> {
  const learn = async (hidden: number[], steps: number, list: readonly number[], by: Strategy) => {
    const run = await all
      .withhold("labels")
      .learn(mlp({ hidden }))
      .by(by as never)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 32, steps })
      .evaluate({ every: "end", share: 0 })
      .run({ seeds: [...list], quiet: true, record: false });
    return Promise.all(list.map((seed) => run.network({ seed })));
  };
  const [teacher] = (await learn([96, 48], 800, [100], distilRetrieval() as Strategy)) as [TrainedNetwork];
  const ways = {
    "pairs alone": distilRetrieval(),
    "a teacher, all alike": distilRetrieval({ teacher, weigh: "none" }),
    "a teacher, weighed by how sure it is": distilRetrieval({ teacher }),
    "a teacher, weighed by how far the student is": distilRetrieval({ teacher, weigh: "student" }),
  };
  const found: Record<string, number[]> = {};
  for (const [name, by] of Object.entries(ways)) {
    const networks = await learn([24], 300, [0, 1, 2, 3, 4], by as Strategy);
    found[name] = networks.map(recall);
    for (const network of networks) network.dispose();
  }
  const own = Number(recall(teacher).toPrecision(4));
  teacher.dispose();
  const dynamic = found["a teacher, weighed by how sure it is"]!;
  return {
    headline:
      "A small network finds pairs better by hard pairs of a teacher, weighed example by example, than by fixed weights",
    outcome: allOf(
      outcomeOf(apart(dynamic, found["a teacher, all alike"]!)),
      outcomeOf(apart(dynamic, found["pairs alone"]!)),
    ),
    figures: { "recall at 1, the teacher": own, ...bands("recall at 1", found) },
    seeds,
  };
}

/** P297: rounds in which a small network competes with its teacher, both of which have few examples. */
async function competing(): Promise<Study> {
  const few = all.limit({ train: 300 });
  const learn = (stream: typeof few, hidden: number[], by: readonly Strategy[], list: number[], steps: number) => {
    const study = stream
      .learn(mlp({ hidden }))
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 16, steps })
      .evaluate({ every: "end", share: 0 });
    return (by.length === 0 ? study : study.by(...(by as unknown as []))).run({
      seeds: list,
      quiet: true,
      record: false,
    });
  };
  const taught = await learn(few, [96], [], [100], 600);
  const own = taught.matrix({ seed: 100 }).values.at(-1)!.at(-1)!;
  const teacher = await taught.network();
  const rounds = 4;
  const ways: Record<string, readonly Strategy[]> = {
    "labels alone": [],
    "the teacher in every round": [distil({ teacher })],
    "rounds of competition": [distilCompetitive({ teacher, threshold: 0.05, shiftPixels: 1 })],
  };
  const found: Record<string, number[]> = {};
  for (const [name, by] of Object.entries(ways)) {
    const list = Array.from({ length: seeds }, (_, seed) => seed);
    const run = await learn(few.repeat(rounds) as unknown as typeof few, [32], by, list, 120);
    found[name] = list.map((seed) => run.matrix({ seed }).values.at(-1)!.at(-1)!);
  }
  teacher.dispose();
  const rival = found["rounds of competition"]!;
  return {
    headline:
      "After four rounds of competition a small network is better than by one-way distillation, and than its teacher",
    outcome: allOf(
      outcomeOf(apart(rival, found["the teacher in every round"]!)),
      outcomeOf(rival.map((value) => value - own)),
    ),
    figures: { "accuracy, the teacher": Number(own.toPrecision(4)), ...bands("accuracy", found) },
    seeds,
  };
}

/** The share of test examples whose five nearest training examples, by cosines of features, have their class in the majority. */
function nearest(network: TrainedNetwork, train: Examples, test: Examples): number {
  return tf.tidy(() => {
    const unit = (of: Examples): tf.Tensor2D => {
      const f = network.features(of);
      return tf.div(f, tf.add(tf.norm(f, 2, 1, true), 1e-9)) as tf.Tensor2D;
    };
    const { indices } = tf.topk(tf.matMul(unit(test), unit(train), false, true), 5);
    const near = indices.dataSync() as Int32Array;
    const right = [...test.labels].filter((label, i) => {
      const votes = new Map<number, number>();
      for (const j of near.subarray(5 * i, 5 * i + 5)) {
        const own = train.labels[j]!;
        votes.set(own, (votes.get(own) ?? 0) + 1);
      }
      const most = Math.max(...votes.values());
      return [...votes].find(([, count]) => count === most)![0] === label;
    });
    return right.length / test.length;
  });
}

/** P343: sizes that are cut out of one network that was pretrained without labels. */
async function sized(): Promise<Study> {
  const list = [0, 1, 2, 3, 4];
  const learn = async (hidden: number[], by: Strategy) => {
    const run = await all
      .withhold("labels")
      .learn(mlp({ hidden }))
      .by(by as never)
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 48, steps: 250 })
      .evaluate({ every: "end", share: 0 })
      .run({ seeds: list, quiet: true, record: false });
    return Promise.all(list.map((seed) => run.network({ seed })));
  };
  const widths = [0.25, 0.5, 1];
  const own = { units: 32, noise: 0.15 };
  const [elastic, plain, small] = [
    await learn([64, 64], elasticPretrain({ widths, ...own })),
    await learn([64, 64], elasticPretrain({ widths, intact: 1, ...own })),
    await learn([16, 16], elasticPretrain({ widths: [0.5, 1], intact: 1, ...own })),
  ];
  const { train } = all.experience(0);
  const score = (networks: readonly TrainedNetwork[], share = 1): number[] =>
    networks.map((network) => {
      const cut = share === 1 ? network : expand.slice(network, { widths: share }).network;
      const found = nearest(cut, train, examples);
      if (cut !== network) cut.dispose();
      return found;
    });
  const found = {
    "whole, with parts": score(elastic),
    "whole, alone": score(plain),
    "a quarter, cut out": score(elastic, 0.25),
    "a quarter, cut out of one that learnt alone": score(plain, 0.25),
    "a quarter, pretrained by itself": score(small),
  };
  for (const network of [...elastic, ...plain, ...small]) network.dispose();
  return {
    headline:
      "Small networks cut out of one that was pretrained with them are better than ones pretrained by themselves, and the whole loses nothing",
    outcome: allOf(
      outcomeOf(apart(found["a quarter, cut out"], found["a quarter, pretrained by itself"])),
      outcomeOf(apart(found["whole, with parts"], found["whole, alone"]), -0.01),
    ),
    figures: bands("accuracy of five neighbours", found),
    seeds: list.length,
  };
}

/** P379: a network of whole numbers that has learnt five digits learns the other five. */
async function onDevice(): Promise<Study> {
  const halves = [0, 1].map((k) =>
    classes(data)
      .split(2)
      .slice(k, k + 1),
  ) as [typeof all, typeof all];
  const begun = await halves[0]
    .learn(net().conv(8, 3).relu().pool(2).conv(16, 3).relu().pool(2).flatten().dense(32).relu())
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 32, steps: 200 })
    .evaluate({ every: "end", share: 0 })
    .run({ seeds: [50], quiet: true, record: false })
    .then((run) => run.network());
  const learn = (by: readonly Strategy[]) => {
    const study = halves[1]
      .limit({ train: 250 })
      .learn(from(begun))
      .with(sgd({ lr: 0.05 }))
      .train({ batch: 10, steps: 150 });
    return accuracies((by.length === 0 ? study : study.by(...(by as unknown as []))) as never, seeds);
  };
  const found = {
    "all numbers, not rounded": await learn([]),
    "all numbers": await learn([tinyTraining({ kilobytes: 256 })]),
    "all numbers, gradients not scaled": await learn([tinyTraining({ kilobytes: 256, scaling: false })]),
    "what fits into 2 kB": await learn([tinyTraining({ kilobytes: 2 })]),
    "the head alone": await learn([tinyTraining({ kilobytes: 0 })]),
  };
  begun.dispose();
  return {
    headline:
      "Whole numbers of which the layers and channels worth most are trained, with scaled gradients, learn as well as all that are not rounded, and better than without scaling or with the head alone",
    outcome: allOf(
      outcomeOf(apart(found["what fits into 2 kB"], found["all numbers, not rounded"]), -0.01),
      outcomeOf(apart(found["all numbers"], found["all numbers, gradients not scaled"])),
      outcomeOf(apart(found["what fits into 2 kB"], found["the head alone"])),
    ),
    figures: bands("accuracy", found),
    seeds,
  };
}

/** The share of places of test examples that pass the dense layers of a network that learnt to skip them. */
function passing(network: TrainedNetwork): number {
  return tf.tidy(() => {
    const { structure, weights, statistics } = network;
    const x = shown();
    const plain = (within: Within) => {
      const features = structure.features(weights, x, tape(false, null, statistics, within).mode);
      return { features, logits: structure.logits(weights, features) };
    };
    const given = { network: structure, weights, statistics, x, training: false, plain };
    const { aside } = dynamicLayers().hooks.forward!({}, given as never);
    return tf.mean(tf.cast(tf.greater(aside!.sure!, 0.5), "float32")).dataSync()[0]!;
  });
}

/** P075: two blocks become three, all of which every place passes, or not. */
async function deepened(): Promise<Study> {
  const block = vit({ patch: 4, width: 16, depth: 2, heads: 2, widen: 2, pool: "mean" });
  const begun = await learnt(block, 160);
  const go = (networks: readonly TrainedNetwork[], by: readonly Strategy[] = []) =>
    each(networks, (network, i) =>
      learnt(from(network, { head: "keep" }), 120, { count: 1, first: i, by, stream: all.limit({ train: 600 }) }),
    );
  const deep = begun.map((network) => expand.interpolate(network, 3, { by: "zeros" }).network);
  const [plain, dense, routed] = [
    await go(begun),
    await go(deep),
    await go(deep, [dynamicLayers({ share: 0.7, annealSteps: 40 })]),
  ];
  const found = {
    "two blocks": scores(plain),
    "three blocks": scores(dense),
    "three blocks with routers": scores(routed),
  };
  const shares = routed.map(passing);
  return {
    headline:
      "A network that got a block and learns which places pass is better than without it, as good as where all pass, and fewer do",
    outcome: allOf(
      outcomeOf(apart(found["three blocks with routers"], found["two blocks"])),
      outcomeOf(apart(found["three blocks with routers"], found["three blocks"]), -0.01),
      outcomeOf(shares.map((share) => 0.9 - share)),
    ),
    figures: { ...bands("accuracy", found), "share of places that pass dense layers": band(shares) },
    seeds,
  };
}

/** What is left of a network, by the mask that a strategy decided on. */
type Left = (mask: Float32Array) => number;

/** What both are held against, once for both. */
let allUnits: Promise<number[]> | undefined;

/** P006 and P229: networks that lose units while they learn, beside ones of all units and ones that began as small; the share that is left is near the one asked for: at most 0.05 above. */
async function lean(by: Strategy, bound: number, left: Left, smaller: number[], headline: string): Promise<Study> {
  const hidden = [48, 48];
  const fewer = await learnt(mlp({ hidden }), 500, { by: [by] });
  const found = {
    "all units": await (allUnits ??= learnt(mlp({ hidden }), 500).then(scores)),
    "fewer and fewer units": scores(fewer),
    "few units from the beginning": scores(await learnt(mlp({ hidden: smaller }), 500)),
  };
  const shares = fewer.map(({ parts }) => {
    const { tensors } = Object.values(parts.predicting!.states)[0] as unknown as {
      readonly tensors: { readonly mask: tf.Tensor };
    };
    return left(tensors.mask.dataSync() as Float32Array);
  });
  return {
    headline,
    outcome: allOf(
      outcomeOf(apart(found["fewer and fewer units"], found["all units"]), -0.01),
      outcomeOf(shares.map((share) => bound + 0.05 - share)),
    ),
    figures: { ...bands("accuracy", found), [`share that is left, ${bound} being asked`]: band(shares) },
    seeds,
  };
}

const meanOf = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The inner layers' multiplications that are left of 64·48 + 48·48, with those of bypasses of rank 2. */
const multiplications: Left = (mask) => {
  const [first, second] = [meanOf(mask.subarray(0, 48)), meanOf(mask.subarray(48))];
  const bypasses = 2 * (64 + 48) + 2 * (48 + 48);
  return (64 * 48 * first + 48 * 48 * second + bypasses) / (64 * 48 + 48 * 48);
};

const agreed = (): Promise<Study> =>
  lean(
    consensus({ sparsity: 0.5 }) as Strategy,
    0.5,
    meanOf,
    [24, 24],
    "Half of the units are left out by gates that come to agree in one training, at a loss of less than one in a hundred",
  );

const thresholded = (): Promise<Study> =>
  lean(
    layerThresholds({ flops: 0.4 }) as Strategy,
    0.4,
    multiplications,
    [26, 26],
    "Four tenths of the multiplications are left by thresholds that layers learn from the beginning, at no loss",
  );

export const students: Readonly<Record<string, () => Promise<Study>>> = {
  P006: agreed,
  P011: retrieving,
  P075: deepened,
  P229: thresholded,
  P297: competing,
  P343: sized,
  P379: onDevice,
};
