/** The studies of networks that are made larger, or cut into experts, by row. */
import { expand, from, type Model, net, type TrainedNetwork, vit } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { bands, each, learnt, scores } from "./growing.ts";
import { allOf, apart, outcomeOf } from "./studies.ts";

/** As many seeds as a study has. */
const seeds = 3;
const on = (networks: readonly TrainedNetwork[], steps: number): Promise<TrainedNetwork[]> =>
  each(networks, (network, i) => learnt(from(network, { head: "keep" }), steps, { count: 1, first: i }));

/** P359: two networks of templates, recombined. */
async function recombined(): Promise<Study> {
  const [steps, more] = [100, 60];
  const templates = net()
    .templateConv(8, 3)
    .batchNorm()
    .relu()
    .templateConv(12, 3, { stride: 2 })
    .batchNorm()
    .relu()
    .globalPool() as unknown as Model;
  const plain = (times: number): Model =>
    net()
      .conv(8 * times, 3)
      .batchNorm()
      .relu()
      .conv(12 * times, 3, { stride: 2 })
      .batchNorm()
      .relu()
      .globalPool() as unknown as Model;
  const [first, second] = [
    await learnt(templates, steps, { count: seeds }),
    await learnt(templates, steps, { count: seeds, first: 10 }),
  ];
  const join = (scale: number): TrainedNetwork[] =>
    first.map((a, i) => expand.recombine(a, second[i]!, { scale, seed: i }).network);
  const wider = (network: TrainedNetwork, seed: number): TrainedNetwork => {
    const half = expand.wider(network, "1-conv", 16, { noise: 0.05, seed }).network;
    return expand.wider(half, "4-conv", 24, { noise: 0.05, seed }).network;
  };
  const small = await learnt(plain(1), 2 * steps, { count: seeds });
  const grown = await on(join(1), more);
  const whole = await learnt(plain(2), 2 * steps + more, { count: seeds });
  const found = {
    "recombined, learnt on": scores(grown),
    "side by side without new combinations, learnt on": scores(await on(join(0), more)),
    "one network, wider by copies, learnt on": scores(await on(small.map(wider), more)),
    "large all the way": scores(whole),
    "recombined, at once": scores(join(1)),
  };
  return {
    headline:
      "A network grown by new combinations of learnt templates is better than one grown by copies, and not 0.01 worse than one that was large all the way",
    outcome: allOf(
      outcomeOf(apart(found["recombined, learnt on"], found["one network, wider by copies, learnt on"])),
      outcomeOf(apart(found["recombined, learnt on"], found["large all the way"]), -0.01),
    ),
    figures: {
      ...bands(found),
      "FLOPs of training, share of large all the way": Number(
        ((2 * steps * first[0]!.flops + more * grown[0]!.flops) / ((2 * steps + more) * whole[0]!.flops)).toFixed(3),
      ),
    },
    seeds,
  };
}

const block = (depth: number): Model => vit({ patch: 4, width: 16, depth, heads: 2, widen: 4, pool: "mean" }) as Model;

/** P008: dense layers cut into experts, a little training of the routers, and of all. */
async function factored(): Promise<Study> {
  const whole = await learnt(block(2), 200, { count: seeds });
  const cut = whole.map((network, seed) => expand.factorize(network, { experts: 4, topK: 2, seed }).network);
  const routers = await each(cut, (network, i) =>
    learnt(from(network, { head: "keep" }).trainOnly("*router").freeze("head"), 40, { count: 1, first: i }),
  );
  const all = await on(routers, 20);
  const found = {
    dense: scores(whole),
    "two of four experts, routers as drawn": scores(cut),
    "two of four experts, routers trained for 40 steps": scores(routers),
    "two of four experts, all trained for 20 more": scores(all),
  };
  const [source, own] = [found.dense, found["two of four experts, all trained for 20 more"]];
  return {
    headline:
      "Half of the experts that dense layers are cut into keep 85% of the accuracy after a few steps of training",
    outcome: outcomeOf(
      own.map((accuracy, i) => accuracy / source[i]!),
      0.85,
    ),
    figures: { ...bands(found), "share of the dense layers that is passed": 0.5 },
    seeds,
  };
}

export const enlarging: Record<string, () => Promise<Study>> = {
  P359: recombined,
  P008: factored,
};
