/** The studies of networks that grow, or whose layers are shared or moved, by row. */
import {
  adam,
  classes,
  digits,
  expand,
  from,
  liveBytes,
  type Model,
  resnet,
  type TrainedNetwork,
  tf,
  vit,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const all = classes(digits()).split(1);
const half = (k: 0 | 1) =>
  classes(digits())
    .split(2)
    .scenario("class")
    .slice(k, k + 1);
const quiet = { quiet: true, record: false } as const;
const seeds = [0, 1, 2, 3, 4];
type Figures = Record<string, Study["figures"][string]>;

const small = (depth = 4): Model => vit({ patch: 4, width: 24, depth, heads: 4, widen: 2, pool: "mean" }) as Model;

/** A network that goes on learning from a model. */
async function learnt(model: Model, steps: number, seed: number, stream: object = all): Promise<TrainedNetwork> {
  const run = await (stream as typeof all)
    .learn(model)
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 32, steps })
    .run({ ...quiet, seeds: [seed] });
  return run.network();
}

/** The share of test examples that a network answers rightly. */
function accuracy(network: TrainedNetwork, stream: object = all): number {
  const { examples } = (stream as typeof all).test(0);
  const logits = network.predict(examples);
  const found = tf.argMax(logits, -1).dataSync() as Int32Array;
  logits.dispose();
  return found.reduce((sum, answer, i) => sum + (answer === examples.labels[i] ? 1 : 0), 0) / examples.length;
}

/** The largest difference of answers on the test examples. */
function difference(a: TrainedNetwork, b: TrainedNetwork): number {
  const { examples } = all.test(0);
  return tf.tidy(() => Math.max(...tf.abs(tf.sub(a.predict(examples), b.predict(examples))).dataSync()));
}

const bands = (found: Record<string, readonly number[]>): Figures =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)]));

/** P248: six operators. */
async function preserving(): Promise<Study> {
  const options = {
    inner: { inner: 96 },
    heads: { heads: 6 },
    values: { values: 10 },
    keys: { keys: 10 },
    width: { width: 36 },
    layers: { layers: [0, 2] },
    "all six": { inner: 96, heads: 6, values: 10, keys: 10, width: 36, layers: [0, 2] },
  };
  const worst: Record<string, number[]> = {};
  const learns: number[] = [];
  for (const seed of seeds) {
    const network = await learnt(small(2), 150, seed);
    for (const [name, each] of Object.entries(options)) {
      const { network: grown } = expand.grow(network, { ...each, seed });
      (worst[`largest change of a logit, ${name}`] ??= []).push(difference(network, grown));
      if (name === "all six")
        learns.push(accuracy(await learnt(from(grown, { head: "keep" }), 100, seed)) - accuracy(network));
      grown.dispose();
    }
    network.dispose();
  }
  const most = seeds.map((_, i) => Math.max(...Object.values(worst).map((values) => values[i]!)));
  return {
    headline: "Each of six operators that enlarge a transformer, and all together, keep what it answers exactly",
    outcome: most.every((x) => x < 1e-4) ? "holds" : "does not hold here",
    figures: { ...bands(worst), "accuracy gained by learning on": band(learns) },
    seeds: seeds.length,
  };
}

/** P160: blocks skipped, turned round, side by side. */
async function painters(): Promise<Study> {
  const orders: Record<string, expand.BlockOrder> = {
    "as trained": [0, 1, 2, 3, 4, 5],
    "without the first": [1, 2, 3, 4, 5],
    "without a middle one": [0, 1, 2, 4, 5],
    "without two middle ones": [0, 1, 4, 5],
    "without the last": [0, 1, 2, 3, 4],
    "middle side by side": [0, [1, 2, 3, 4], 5],
    "middle turned round": [0, 4, 3, 2, 1, 5],
    "one middle four times": [0, 2, 2, 2, 2, 5],
  };
  const found: Record<string, number[]> = {};
  for (const seed of seeds) {
    const network = await learnt(small(6), 250, seed);
    for (const [name, order] of Object.entries(orders))
      (found[`accuracy, ${name}`] ??= []).push(accuracy(expand.reorder(network, order).network));
  }
  const of = (name: string): number[] => found[`accuracy, ${name}`]!;
  return {
    headline:
      "Middle layers of a transformer are alike: without some of them, or with them side by side, it loses less than without the first, and repeating one is worst",
    outcome: allOf(
      outcomeOf(apart(of("without a middle one"), of("without the first"))),
      outcomeOf(apart(of("middle side by side"), of("one middle four times"))),
    ),
    figures: bands(found),
    seeds: seeds.length,
  };
}

/** P064: dense layers of neighbouring blocks at once. */
async function fusion(): Promise<Study> {
  const found: Record<string, number[]> = {};
  const push = (name: string, value: number): number => (found[name] ??= []).push(value);
  for (const seed of seeds) {
    const network = await learnt(small(6), 250, seed);
    const matrix = expand.dependencies(network, all.test(0).examples);
    const pairs = [1, 2, 3].map((i) => ({ blocks: [i, i + 1], by: matrix[i]![i + 1]! })).sort((a, b) => a.by - b.by);
    push("accuracy, as trained", accuracy(network));
    const { network: fused } = expand.fuse(network, { blocks: pairs[0]!.blocks });
    push("accuracy, the pair that depends least at once", accuracy(fused));
    push(
      "accuracy, the pair that depends most at once",
      accuracy(expand.fuse(network, { blocks: pairs.at(-1)!.blocks }).network),
    );
    const rest = [0, 1, 2, 3, 4, 5].filter((i) => !pairs[0]!.blocks.includes(i));
    push("accuracy, without that pair", accuracy(expand.reorder(network, rest).network));
    push("accuracy, at once, after 60 steps more", accuracy(await learnt(from(fused, { head: "keep" }), 60, seed)));
    push("FLOPs, share of before", fused.flops / network.flops);
  }
  return {
    headline:
      "Dense layers of neighbouring blocks without attention run at once with little loss of accuracy, and fewer steps one after the other",
    outcome: allOf(
      outcomeOf(apart(found["accuracy, at once, after 60 steps more"]!, found["accuracy, as trained"]!), -0.01),
      outcomeOf(apart(found["accuracy, the pair that depends least at once"]!, found["accuracy, without that pair"]!)),
    ),
    figures: bands(found),
    seeds: seeds.length,
  };
}

/** P015: down, up, and on, at a smaller cost than one large network all the way. */
async function cycle(): Promise<Study> {
  const found: Record<string, number[]> = {};
  const push = (name: string, value: number): number => (found[name] ??= []).push(value);
  const [first, below, after] = [40, 240, 160];
  let share = 0;
  for (const seed of seeds) {
    const begun = await learnt(small(), first, seed);
    const coarse = expand.coalesce(begun).network;
    const taught = await learnt(from(coarse, { head: "keep" }), below, seed);
    const up = expand.decoalesce(taught, { into: begun, alpha: 0.5 }).network;
    share = (first + after + (below * coarse.flops) / begun.flops) / 300;
    push("accuracy, V-cycle", accuracy(await learnt(from(up, { head: "keep" }), after, seed)));
    push("accuracy, large all the way, as many FLOPs", accuracy(await learnt(small(), Math.round(300 * share), seed)));
    push("accuracy, large all the way, 300 steps", accuracy(await learnt(small(), 300, seed)));
  }
  return {
    headline:
      "A network that is made small, trained and made large again is as good as one trained large all the way, at a fifth less computation",
    outcome: outcomeOf(apart(found["accuracy, V-cycle"]!, found["accuracy, large all the way, 300 steps"]!), -0.005),
    figures: { ...bands(found), "FLOPs of training, share of 300 steps": Number(share.toFixed(3)) },
    seeds: seeds.length,
  };
}

/** P397: tuning with statistics that stay, folded into the kernels or not. */
async function folded(): Promise<Study> {
  const found: Record<string, number[]> = {};
  const push = (name: string, value: number): number => (found[name] ??= []).push(value);
  for (const seed of seeds) {
    const run = await half(0)
      .learn(resnet({ depth: 18, filters: 4 }) as Model)
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 32, steps: 120 })
      .run({ ...quiet, seeds: [seed] });
    const network = await run.network();
    for (const mode of ["eval", "tune", "deploy"] as const) {
      const made = expand.convBn(network, mode).network;
      const began = performance.now();
      const tuned = await learnt(from(made), 60, seed, all);
      push(`seconds, ${mode}`, (performance.now() - began) / 1000);
      push(`accuracy, ${mode}`, accuracy(tuned));
    }
  }
  void liveBytes;
  return {
    headline: "Tuning with statistics folded into the kernels is as good as with statistics that stay, in less time",
    outcome: allOf(
      outcomeOf(apart(found["accuracy, tune"]!, found["accuracy, eval"]!), -0.01),
      outcomeOf(apart(found["seconds, eval"]!, found["seconds, tune"]!)),
    ),
    figures: bands(found),
    seeds: seeds.length,
  };
}

export const expanding: Record<string, () => Promise<Study>> = {
  P248: preserving,
  P160: painters,
  P064: fusion,
  P015: cycle,
  P397: folded,
};
