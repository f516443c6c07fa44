/** The studies of networks of which layers are given up, by row. */
import { classes, digits, from, type Model, makeDataset, net, prune, select } from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { bands, learnt, scores } from "./growing.ts";
import { apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;

/** Training examples that no network learns from here: they say which activations matter. */
export const aside = (() => {
  const all = digits();
  const rows = Uint32Array.from({ length: 400 }, (_, i) => 1000 + i);
  return select(all.train, rows);
})();
/** The others, of which few are taken. */
export const learning = (() => {
  const all = digits();
  const train = select(
    all.train,
    Uint32Array.from({ length: 1000 }, (_, i) => i),
  );
  return classes(makeDataset({ ...all, name: "digits-first", train }))
    .split(1)
    .limit({ train: 400 });
})();

/** P190: convolutions that are widened between, merged for 1 / 1.41 of the operations. */
export async function shallower(): Promise<Study> {
  const block = (n: ReturnType<typeof net>, units: number, stride: number) =>
    n
      .conv(4 * units, 1)
      .batchNorm()
      .relu()
      .conv(4 * units, 3, { groups: 4 * units, stride, pad: 1 })
      .batchNorm()
      .relu()
      .conv(units, 1)
      .batchNorm();
  const model = block(
    block(block(net().conv(8, 3).batchNorm().relu() as never, 8, 1) as never, 8, 2) as never,
    12,
    1,
  ).globalPool() as unknown as Model;
  const whole = await learnt(model, 200, { count: seeds, stream: learning });
  const on = (network: (typeof whole)[number], i: number) =>
    learnt(from(network, { head: "keep" }), 80, { count: 1, first: i, stream: learning });
  const [own, longer, shares, convolutions]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const [i, network] of whole.entries()) {
    const found = await prune.depth(network, aside, { budget: 1 / 1.41, longest: 4 });
    const [tuned] = await on(found.unmerged, i);
    own.push(...scores([found.merge(tuned!)]));
    longer.push(...scores(await on(network, i)));
    shares.push(found.network.flops / network.flops);
    convolutions.push(found.merges.length);
  }
  return {
    headline:
      "A chain of convolutions merged for 1.41 times fewer operations and trained on is not 0.01 worse than the whole one trained on as long",
    outcome: outcomeOf(apart(own, longer), -0.01),
    figures: {
      ...bands({ "as it was": scores(whole), "trained on": longer, "merged, trained on": own }),
      "FLOPs, share of the whole": band(shares),
      "convolutions, of 10": band(convolutions),
    },
    seeds,
  };
}
