/**
 * Studies of rows of the systems catalogue that change few numbers of a trained network: `npx tsx tests/bench/small-changes.studies.bench.ts`, or
 * some of them alone, by their rows. Minutes each.
 *
 * The networks are those that come with the library, and what they are to learn are a few digits of MNIST, which they never saw. What they knew is
 * measured by the clothes that their own head still tells apart. Each way has the best of a few learning rates on the new digits, on a seed that is not among those that are reported.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gather } from "../../lib/data/dataset.ts";
import { leaves, mapTensors, paths, type Tree, tf } from "../../lib/engine/index.ts";
import {
  adam,
  classes,
  clr,
  ewc,
  fashionMnist,
  fishMask,
  from,
  lora,
  type Model,
  mnist,
  network,
  normTuning,
  pretrained,
  random,
  type Strategy,
  sara,
  spu,
  strategy,
  type TrainedNetwork,
  taps,
  taskAdapters,
  trainOnly,
} from "../../lib/index.ts";
import type { Params } from "../../lib/models/model.ts";
import { maskedGradient, movedWhere } from "../../lib/strategies/parts/sparse.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, bestRate, outcomeOf, study } from "./parts/studies.ts";

interface Way {
  readonly model: Model;
  readonly by?: Strategy;
  /** The learning rates that are tried. */
  readonly rates: readonly number[];
  /** What is counted in a network that was trained. */
  readonly count?: (network: TrainedNetwork) => number;
}

/** What a way came to, seed by seed: accuracy on the new digits, and on the clothes that were known before. */
interface Reached {
  readonly learnt: readonly number[];
  readonly kept: readonly number[];
  readonly counted: readonly number[];
}

const seeds = 3;
const clothes = (await fashionMnist()).test;
const shown = Uint32Array.from({ length: 1000 }, (_, i) => i);
const few = classes(await mnist())
  .limit({ train: 20, test: 40, perClass: true })
  .split(1);

/** The share of clothes that a network tells apart with its own head. */
function known(network: TrainedNetwork): number {
  const logits = network.predict(gather(clothes, shown));
  const answers = tf.argMax(logits, 1);
  const right = Array.from(answers.dataSync()).filter((answer, i) => answer === clothes.labels[i]).length;
  tf.dispose([logits, answers]);
  return right / shown.length;
}

/** Trains one way on the new digits. */
async function reached(big: TrainedNetwork, { model, by, rates, count }: Way): Promise<Reached> {
  const at = (lr: number) => {
    const plain = few
      .learn(model as never)
      .with(adam({ lr }))
      .train({ batch: 20, epochs: 5 })
      .evaluate({ atStart: false, share: 0 });
    return by === undefined ? plain : plain.by(by as never);
  };
  const best = at(await bestRate(rates, at));
  const folder = mkdtempSync(join(tmpdir(), "studies-")); // a network is read from the record, else trained once more
  const options = { seeds, quiet: true, record: folder } as never;
  const run = await best.run(options);
  const [learnt, kept, counted]: number[][] = [[], [], []];
  for (let seed = 0; seed < seeds; seed++) {
    learnt!.push(run.matrix({ seed } as never).values.at(-1)![0]!);
    const now = await run.network({ seed } as never);
    const weights = { ...big.weights, model: now.weights.model };
    const before = big.with({ model, weights, statistics: now.statistics });
    kept!.push(known(before));
    if (count !== undefined) counted!.push(count(now));
    for (const each of [before, now]) each.dispose();
  }
  rmSync(folder, { recursive: true });
  return { learnt: learnt!, kept: kept!, counted: counted! };
}

/** Several ways, one after the other. */
async function all(big: TrainedNetwork, ways: Readonly<Record<string, Way>>): Promise<Record<string, Reached>> {
  const found: Record<string, Reached> = {};
  for (const [name, way] of Object.entries(ways)) {
    found[name] = await reached(big, way);
    console.log(name, JSON.stringify(found[name]));
  }
  return found;
}

const learnt = (found: Readonly<Record<string, Reached>>): Study["figures"] =>
  Object.fromEntries(
    Object.entries(found).map(([name, { learnt }]) => [`accuracy on ten new classes, ${name}`, band(learnt)]),
  );
const kept = (found: Readonly<Record<string, Reached>>): Study["figures"] =>
  Object.fromEntries(
    Object.entries(found).map(([name, { kept }]) => [`accuracy on what was known, ${name}`, band(kept)]),
  );

/** P125: a tenth of the first dense layers moves, where the gradient is largest. */
async function selective(): Promise<Study> {
  const big = pretrained("vit-small");
  const found = await all(big, {
    spu: { model: from(big), by: spu() as Strategy, rates: [4e-3, 1.6e-2, 6.4e-2] },
    "all of it": { model: from(big), rates: [1e-3, 4e-3] },
    "the head alone": { model: from(big).freeze("*"), rates: [1.6e-2, 6.4e-2] },
  });
  const before = known(big);
  const [own, whole, head] = [found.spu!, found["all of it"]!, found["the head alone"]!];
  return {
    headline:
      "Few weights chosen by the new task's gradient learn more than the head alone, lose at most 0.009 of what was known, and less than where all are trained",
    outcome: allOf(
      outcomeOf(apart(own.learnt, head.learnt)),
      outcomeOf(own.kept, before - 0.009),
      outcomeOf(apart(own.kept, whole.kept)),
    ),
    figures: { ...learnt(found), "accuracy on what was known, before": before, ...kept(found) },
    seeds,
  };
}

/** P446: the smallest numbers of the kernels, beside a low-rank change with as many. */
async function smallest(): Promise<Study> {
  const big = pretrained("vit-small");
  const low = from(big).adapt(lora({ rank: 4, alpha: 4, on: "block*" }));
  const numbers = (of: Params): number => leaves(of as Tree).reduce((sum, { size }) => sum + size, 0);
  const added = numbers(network(low, big.input).init(random(0), 10).model) - numbers(big.weights.model);
  const kernels = leaves(big.weights.model as Tree).filter(({ rank }) => rank > 1);
  const fraction = added / kernels.reduce((sum, { size }) => sum + size, 0);
  const found = await all(big, {
    sara: { model: from(big), by: sara({ fraction, nuclear: 1e-4 }) as Strategy, rates: [1e-3, 4e-3, 1.6e-2] },
    lora: { model: low, rates: [1e-3, 4e-3, 1.6e-2] },
  });
  const [own, other] = [found.sara!, found.lora!];
  return {
    headline:
      "The smallest numbers of the kernels keep more of what was known than a low-rank change with as many numbers, and learn no less by more than 0.02",
    outcome: allOf(outcomeOf(apart(own.kept, other.kept)), outcomeOf(apart(own.learnt, other.learnt), -0.02)),
    figures: {
      "numbers that are trained, of each": added,
      ...learnt(found),
      "accuracy on what was known, before": known(big),
      ...kept(found),
    },
    seeds,
  };
}

/** As many numbers as FISH Mask trains, drawn at random. */
const drawnMask = strategy(
  "drawnMask",
  { keep: 0.005 },
  ({ keep }) => ({
    init({ weights, rng }): { readonly tensors: { readonly mask: Params } } {
      let at = 0;
      const mask = mapTensors(
        (w: tf.Tensor) => tf.tidy(() => tf.cast(tf.less(rng.at("mask", at++).uniforms(w.shape), keep), "float32")),
        weights.model,
      );
      return { tensors: { mask } };
    },
    gradient: ({ tensors }, gradient) => maskedGradient(gradient, tensors.mask),
    weights: ({ tensors }, { before, after }) => movedWhere(before, after, tensors.mask),
  }),
  [],
);

/** P175: sparse updates of as many numbers: by Fisher's information, biases, drawn, and the smallest. */
async function masks(): Promise<Study> {
  const big = pretrained("vit-small");
  const sizes = paths(big.weights.model as Tree).map(([path, { size }]) => ({
    size,
    isBias: big.structure.kindOf(`model/${path}`) === "bias",
  }));
  const total = (of: typeof sizes): number => of.reduce((sum, { size }) => sum + size, 0);
  const biases = total(sizes.filter(({ isBias }) => isBias));
  const keep = biases / total(sizes);
  const found = await all(big, {
    fishMask: { model: from(big), by: fishMask({ keep, samples: 200 }) as Strategy, rates: [1e-3, 4e-3, 1.6e-2] },
    "the biases": { model: trainOnly(from(big), { kind: "bias" }), rates: [4e-3, 1.6e-2, 6.4e-2] },
    "as many, drawn": { model: from(big), by: drawnMask({ keep }) as Strategy, rates: [4e-3, 1.6e-2, 6.4e-2] },
    "as many, the smallest of kernels": {
      model: from(big),
      by: sara({ fraction: keep, again: 1 }) as Strategy,
      rates: [4e-3, 1.6e-2, 6.4e-2],
    },
  });
  const { fishMask: own, ...others } = found;
  return {
    headline:
      "The numbers with the largest Fisher information learn no less than other choices of as many, by more than 0.02",
    outcome: allOf(...Object.values(others).map((other) => outcomeOf(apart(own!.learnt, other.learnt), -0.02))),
    figures: { "numbers that are trained beside the head": biases, ...learnt(found) },
    seeds,
  };
}

/** P280: kernels of a residual network change behind gates. With running statistics that stay little was learnt at the rates tried. */
async function gated(): Promise<Study> {
  const big = pretrained("resnet-small");
  const total = leaves(big.weights.model as Tree).reduce((sum, { size }) => sum + size, 0);
  /** The share of the numbers whose gate is open. */
  const changed = ({ weights }: TrainedNetwork): number => {
    const all = new Map(paths(weights.model as Tree));
    const open = [...all].filter(([path, gate]) => path.endsWith("taps/gate") && gate.dataSync()[0]! >= 0.1);
    const sizes = open.map(([path]) => all.get(path.replace(/gate$/, "change"))!.size);
    return sizes.reduce((sum, size) => sum + size, 0) / total;
  };
  const rates = [1e-3, 2e-3, 4e-3];
  const found = await all(big, {
    taps: { model: from(big).adapt(taps({ lambda: 0.05 })), rates, count: changed },
    "all of it": { model: from(big), rates },
    "the head alone": { model: from(big).freeze("*"), rates: [4e-3, 1.6e-2, 6.4e-2] },
  });
  const [own, whole, head] = [found.taps!, found["all of it"]!, found["the head alone"]!];
  return {
    headline:
      "Changing some kernels, which gates choose, learns more than the head alone, no less than all by more than 0.02, and less than half of the numbers are the task's own",
    outcome: allOf(
      outcomeOf(apart(own.learnt, head.learnt)),
      outcomeOf(apart(own.learnt, whole.learnt), -0.02),
      outcomeOf(own.counted.map((share) => 0.5 - share)),
    ),
    figures: { ...learnt(found), "share of the numbers that are changed, taps": band(own.counted) },
    seeds,
  };
}

/** P029: five digits, then five others, with the task told; each task has filters of its own, or other few numbers, or all is trained under a penalty. */
async function reprogrammed(): Promise<Study> {
  const big = pretrained("resnet-small");
  const still = from(big).freeze("*", { still: true });
  const numbers = (model: Model): number =>
    leaves(network(model, big.input).init(random(0), 5).model as unknown as Tree).reduce((n, { size }) => n + size, 0);
  const own: Record<string, Model> = {
    clr: still.adapt(clr()),
    "changes of rank 1": still.adapt(lora({ rank: 1, alpha: 1 })),
    "scales and shifts": still.adapt(normTuning()),
  };
  const ways: Record<string, Way> = {
    ...Object.fromEntries(
      Object.entries(own).map(([name, model]) => [
        name,
        { model, by: taskAdapters() as Strategy, rates: [1e-3, 4e-3, 1.6e-2] },
      ]),
    ),
    "the heads alone": { model: still, rates: [4e-3, 1.6e-2, 6.4e-2] },
    "all of it, ewc": {
      model: from(big),
      by: ewc({ lambda: 100, samples: 100 }) as Strategy,
      rates: [1e-3, 4e-3],
    },
  };
  const stream = classes(await mnist(), { order: "run" })
    .limit({ train: 20, test: 40, perClass: true })
    .split(2)
    .scenario("task");
  const found: Record<string, number[]> = {};
  for (const [name, { model, by, rates }] of Object.entries(ways)) {
    const at = (lr: number) => {
      const plain = stream
        .learn(model as never)
        .with(adam({ lr }))
        .train({ batch: 20, epochs: 8 })
        .evaluate({ atStart: false, share: 0 });
      return by === undefined ? plain : plain.by(by as never);
    };
    found[name] = await accuracies(at(await bestRate(rates, at)) as never, seeds);
    console.log(name, JSON.stringify(found[name]));
  }
  const { clr: filters, ...others } = found;
  const before = numbers(from(big));
  return {
    headline:
      "A small filter behind each channel, for each task its own, is more accurate over tasks than other few numbers for each, and than all with a penalty",
    outcome: allOf(...Object.values(others).map((other) => outcomeOf(apart(filters!, other)))),
    figures: {
      "numbers of the network": before,
      ...Object.fromEntries(
        Object.entries(own).map(([name, model]) => [`numbers of each task's own, ${name}`, numbers(model) - before]),
      ),
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    },
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({
  P125: selective,
  P446: smallest,
  P175: masks,
  P280: gated,
  P029: reprogrammed,
}))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
