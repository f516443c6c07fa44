/** The studies of networks that grow, or whose layers are moved, by row. */
import { expand, from, type Model, mindSkip, net, type TrainedNetwork, tf, vit } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracy, all, bands, each, examples, learnt, scores, seeds } from "./growing.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const small = (depth: number): Model => vit({ patch: 4, width: 16, depth, heads: 4, widen: 2, pool: "mean" }) as Model;

/** The largest difference of answers on the test examples. */
function difference(a: TrainedNetwork, b: TrainedNetwork): number {
  return tf.tidy(() => Math.max(...tf.abs(tf.sub(a.predict(examples), b.predict(examples))).dataSync()));
}

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
  const networks = await learnt(small(2), 100);
  const worst = Object.entries(options).map(([name, own]) => [
    `largest change of a logit, ${name}`,
    networks.map((network, seed) => difference(network, expand.grow(network, { ...own, seed }).network)),
  ]) as [string, number[]][];
  const on = await each(networks, (network, i) =>
    learnt(from(expand.grow(network, options["all six"]).network, { head: "keep" }), 60, { count: 1, first: i }),
  );
  return {
    headline: "Each of six operators that enlarge a transformer, and all together, keep what it answers exactly",
    outcome: worst.every(([, values]) => values.every((x) => x < 1e-4)) ? "holds" : "does not hold here",
    figures: {
      ...Object.fromEntries(worst.map(([name, values]) => [name, band(values)])),
      "accuracy gained by learning on": band(apart(scores(on), scores(networks))),
    },
    seeds,
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
  const networks = await learnt(small(6), 200, { stream: all });
  const found = Object.fromEntries(
    Object.entries(orders).map(([name, order]) => [
      name,
      scores(networks.map((network) => expand.reorder(network, order).network)),
    ]),
  );
  return {
    headline:
      "Middle layers of a transformer are alike: without one of them it loses less than without the first, and with them side by side less than with one of them repeated",
    outcome: allOf(
      outcomeOf(apart(found["without a middle one"]!, found["without the first"]!)),
      outcomeOf(apart(found["middle side by side"]!, found["one middle four times"]!)),
    ),
    figures: bands(found),
    seeds,
  };
}

/** P064: dense layers of neighbouring blocks at once. */
async function fusion(): Promise<Study> {
  const networks = await learnt(small(6), 200, { stream: all });
  const found: Record<string, number[]> = { "as trained": scores(networks) };
  const push = (name: string, network: TrainedNetwork): number => (found[name] ??= []).push(accuracy(network));
  let share = 0;
  for (const network of networks) {
    const matrix = expand.dependencies(network, examples);
    const pairs = [1, 2, 3].map((i) => ({ blocks: [i, i + 1], by: matrix[i]![i + 1]! })).sort((a, b) => a.by - b.by);
    const { network: fused } = expand.fuse(network, pairs[0]!);
    push("the pair that depends least at once", fused);
    push("the pair that depends most at once", expand.fuse(network, pairs.at(-1)!).network);
    const rest = [0, 1, 2, 3, 4, 5].filter((i) => !pairs[0]!.blocks.includes(i));
    push("without that pair", expand.reorder(network, rest).network);
    share = fused.flops / network.flops;
  }
  return {
    headline:
      "Dense layers of neighbouring blocks without attention run at once with little loss of accuracy, and less than without them",
    outcome: allOf(
      outcomeOf(apart(found["the pair that depends least at once"]!, found["as trained"]!), -0.02),
      outcomeOf(apart(found["the pair that depends least at once"]!, found["without that pair"]!)),
    ),
    figures: { ...bands(found), "FLOPs, share of before": Number(share.toFixed(3)) },
    seeds,
  };
}

/** P015: down, up, and on, at a smaller cost than one large network all the way. */
async function cycle(): Promise<Study> {
  const [first, below, after, whole] = [40, 200, 110, 200];
  const begun = await learnt(small(4), first);
  const coarse = begun.map((network) => expand.coalesce(network).network);
  const taught = await each(coarse, (network, i) =>
    learnt(from(network, { head: "keep" }), below, { count: 1, first: i }),
  );
  const up = taught.map((network, i) => expand.decoalesce(network, { into: begun[i]!, alpha: 0.5 }).network);
  const end = await each(up, (network, i) => learnt(from(network, { head: "keep" }), after, { count: 1, first: i }));
  const steps = first + after + (below * coarse[0]!.flops) / begun[0]!.flops;
  const found = {
    "V-cycle": scores(end),
    "large all the way, as many FLOPs": scores(await learnt(small(4), Math.round(steps))),
    "large all the way": scores(await learnt(small(4), whole)),
  };
  return {
    headline:
      "A network that is made small, trained and made large again is as good as one trained large all the way, with less computation",
    outcome: outcomeOf(apart(found["V-cycle"], found["large all the way"]), -0.01),
    figures: { ...bands(found), "FLOPs of training, share": Number((steps / whole).toFixed(3)) },
    seeds,
  };
}

/** P397: tuning with statistics that stay, folded into the kernels or not. */
async function folded(): Promise<Study> {
  const model = net().conv(8, 3).batchNorm().relu().conv(16, 3, { stride: 2 }).batchNorm().relu().globalPool();
  const networks = await learnt(model, 100, { stream: all.limit({ train: 200 }) });
  const found: Record<string, number[]> = {};
  const seconds: Record<string, number[]> = {};
  for (const [i, network] of networks.entries())
    for (const mode of ["eval", "tune", "deploy"] as const) {
      const made = from(expand.convBn(network, mode).network, { head: "keep" });
      const began = process.cpuUsage();
      const [tuned] = await learnt(made, 60, { count: 1, first: i, stream: all });
      (found[mode] ??= []).push(accuracy(tuned!));
      (seconds[mode] ??= []).push(process.cpuUsage(began).user / 1e6);
    }
  return {
    headline: "Tuning with statistics folded into the kernels is as good as with statistics that stay, in less time",
    outcome: allOf(outcomeOf(apart(found.tune!, found.eval!), -0.01), outcomeOf(apart(seconds.eval!, seconds.tune!))),
    figures: {
      ...bands(found),
      ...Object.fromEntries(
        Object.entries(seconds).map(([mode, values]) => [`processor seconds, ${mode}`, band(values)]),
      ),
    },
    seeds,
  };
}

/** P158: ways made out of layers. */
async function paths(): Promise<Study> {
  const model = net().conv(8, 3).relu().conv(12, 3, { stride: 2 }).relu().globalPool();
  const grow = (network: TrainedNetwork): TrainedNetwork => {
    const { network: first } = expand.branches(network, "3-conv", { ways: 2, deeper: 1 });
    return expand.branches(first, "1-conv", { ways: 2, join: "concat", deeper: 1 }).network;
  };
  const networks = await learnt(model, 150);
  const grown = networks.map(grow);
  const end = await each(grown, (network, i) => learnt(from(network, { head: "keep" }), 100, { count: 1, first: i }));
  const anew = (await learnt(model, 1)).map(grow)[0]!.model;
  const found = {
    before: scores(networks),
    "paths added, learnt on": scores(end),
    "with these paths from the beginning": scores(await learnt(anew, 250)),
    "without paths, as long": scores(await learnt(model, 250)),
  };
  return {
    headline:
      "Paths that are added to a trained network without changing it let it learn on to more than it would without",
    outcome: outcomeOf(apart(found["paths added, learnt on"], found["without paths, as long"])),
    figures: {
      ...bands(found),
      "largest change of a logit": band(networks.map((network, i) => difference(network, grown[i]!))),
    },
    seeds,
  };
}

/** P112: attention that is skipped. */
async function skipping(): Promise<Study> {
  const whole = await learnt(small(4), 250);
  const found: Record<string, number[]> = { whole: scores(whole) };
  for (const [i, network] of whole.entries()) {
    const [own] = await learnt(from(network, { head: "keep" }), 80, {
      by: [mindSkip({ share: 0.5, penalty: 0.5 })],
      count: 1,
      first: i,
    });
    (found["half of the attention skipped"] ??= []).push(accuracy(own!));
    const half = [0, 2].map((k) => `block${k + 1}`);
    const model = Object.fromEntries(
      Object.entries(network.weights.model).map(([name, tree]) => {
        if (!half.includes(name)) return [name, tree];
        const { out, ...rest } = tree as unknown as { readonly out: Record<string, tf.Tensor> };
        const none = Object.fromEntries(Object.entries(out).map(([part, x]) => [part, tf.zerosLike(x)]));
        return [name, { ...rest, out: none }];
      }),
    );
    (found["attention of two blocks left out"] ??= []).push(
      accuracy(network.with({ weights: { ...network.weights, model } as never })),
    );
  }
  return {
    headline: "With routers alone trained, half of the attention can be skipped with little loss",
    outcome: allOf(
      outcomeOf(apart(found["half of the attention skipped"]!, found.whole!), -0.02),
      outcomeOf(apart(found["half of the attention skipped"]!, found["attention of two blocks left out"]!)),
    ),
    figures: bands(found),
    seeds,
  };
}

export const expanding: Record<string, () => Promise<Study>> = {
  P248: preserving,
  P160: painters,
  P064: fusion,
  P015: cycle,
  P397: folded,
  P158: paths,
  P112: skipping,
};
