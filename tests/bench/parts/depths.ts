/** The studies of networks of which layers are given up, by row. */
import {
  adam,
  classes,
  digits,
  distil,
  from,
  type Model,
  makeDataset,
  n2n,
  net,
  prune,
  select,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { bands, learnt, scores } from "./growing.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;

/** Training examples that no network learns from here: they say which activations matter. */
const aside = select(
  digits().train,
  Uint32Array.from({ length: 400 }, (_, i) => 1000 + i),
);
/** The others, of which few are taken. */
const first = select(
  digits().train,
  Uint32Array.from({ length: 1000 }, (_, i) => i),
);
const learning = classes(makeDataset({ ...digits(), name: "digits-first", train: first }))
  .split(1)
  .limit({ train: 400 });

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

/** P013: small networks that policies have made of a chain of convolutions, and that the whole one has taught. */
export async function compressed(): Promise<Study> {
  const model = net()
    .conv(24, 3)
    .batchNorm()
    .relu()
    .conv(24, 3)
    .batchNorm()
    .relu()
    .conv(24, 3, { stride: 2 })
    .batchNorm()
    .relu()
    .conv(24, 3)
    .batchNorm()
    .relu()
    .globalPool() as unknown as Model;
  const teachers = await learnt(model, 200, { count: seeds, stream: learning });
  const search = classes(makeDataset({ ...digits(), name: "digits-aside", train: first, test: aside }))
    .split(1)
    .limit({ train: 400 });
  const [own, alone, compression, tried]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const [seed, teacher] of teachers.entries()) {
    const by = distil({ teacher, temperature: 4, weight: 0.9 });
    const found = await n2n(
      teacher,
      (student) =>
        search
          .learn(student)
          .by(by)
          .with(adam({ lr: 5e-3 }))
          .train({ batch: 32, steps: 60 })
          .evaluate({ every: "end", share: 0, atStart: false }) as never,
      { rounds: [5, 6], students: 3, seed },
    );
    own.push(...scores(await learnt(found.model, 300, { by: [by], count: 1, first: seed, stream: learning })));
    alone.push(...scores(await learnt(found.model, 300, { count: 1, first: seed, stream: learning })));
    compression.push(found.compression);
    tried.push(found.trained);
  }
  return {
    headline: "Students that policies find have ten times fewer numbers than their teachers and are not 0.02 worse",
    outcome: allOf(outcomeOf(compression, 10), outcomeOf(apart(own, scores(teachers)), -0.02)),
    figures: {
      ...bands({ teacher: scores(teachers), "student, taught": own, "student, by itself": alone }),
      "numbers, teacher by student": band(compression),
      "students trained": band(tried),
    },
    seeds,
  };
}
