/** The studies of optimizers, by row: every one at each of the same number of rates, judged at its best one. */
import {
  adam,
  adamw,
  chain,
  classes,
  cosine,
  digits,
  type Study as Experiment,
  frugal,
  galore,
  hardBatches,
  kfac,
  lamb,
  lars,
  lion,
  mapTensors,
  mkor,
  mlp,
  modularArithmetic,
  naive,
  net,
  type Optimizer,
  optAmsgrad,
  optimizer,
  perpGrad,
  rmsprop,
  type Schedule,
  type Strategy,
  sgd,
  sophia,
  stableMax,
  stableSpam,
  strategy,
  type Tree,
  tag,
  tf,
  tvlars,
  type Weights,
  warmup,
  wsd,
  zeros,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

type Make = (lr: number) => readonly (Optimizer | Schedule)[];
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const deep = classes(digits()).learn(mlp({ hidden: [64, 64] }));

/** Training losses over the last tenth of the steps, seed by seed; infinite where a run did not reach its end. */
async function ends(study: Experiment<never>, seeds: number): Promise<number[]> {
  try {
    const { logs } = await (study as unknown as Experiment).run({ seeds, quiet: true, record: false });
    return logs.map(({ events }) => {
      const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
      return mean(losses.slice(-Math.max(1, Math.round(losses.length / 10))));
    });
  } catch {
    return new Array(seeds).fill(Number.POSITIVE_INFINITY);
  }
}

/** The least losses over the rates, and the rate they belong to. */
async function tuned(
  base: { with(...parts: readonly (Optimizer | Schedule)[]): unknown },
  make: Make,
  rates: readonly number[],
  seeds: number,
): Promise<{ readonly losses: number[]; readonly lr: number }> {
  let best = { losses: new Array<number>(seeds).fill(Number.POSITIVE_INFINITY), lr: Number.NaN };
  for (const lr of rates) {
    const losses = await ends(base.with(...make(lr)) as never, seeds);
    if (Number.isNaN(best.lr) || mean(losses) < mean(best.losses)) best = { losses, lr };
  }
  return best;
}

/** Losses of some optimizers, and whether the first is below each of the others. */
async function race(
  headline: string,
  base: { with(...parts: readonly (Optimizer | Schedule)[]): unknown },
  makes: Readonly<Record<string, readonly [Make, readonly number[]]>>,
  seeds: number,
  more: Study["figures"] = {},
): Promise<Study> {
  const found: Record<string, { readonly losses: number[]; readonly lr: number }> = {};
  for (const [name, [make, rates]] of Object.entries(makes)) found[name] = await tuned(base, make, rates, seeds);
  const [own, ...others] = Object.values(found);
  return {
    headline,
    outcome: allOf(...others.map(({ losses }) => outcomeOf(apart(losses, own!.losses)))),
    figures: {
      ...Object.fromEntries(
        Object.entries(found).map(([name, { losses }]) => [`loss at the end, ${name}`, band(losses)]),
      ),
      ...Object.fromEntries(Object.entries(found).map(([name, { lr }]) => [`rate, ${name}`, lr])),
      ...more,
    },
    seeds,
  };
}

const low = deep.train({ batch: 64, steps: 100 }).evaluate({ every: "end", atStart: false, share: 0 });
const rates = [0.003, 0.01, 0.03, 0.1];

/** AMSGrad as it is without a guess, for comparison. */
const amsgrad = optimizer("amsgrad", { lr: 1e-3 }, () => ({
  init: (params) => ({ mean: zeros(params), square: zeros(params), largest: zeros(params) }),
  update(grads, state, _params, rate) {
    const had = state as Record<"mean" | "square" | "largest", Tree>;
    const mean = mapTensors((m, g) => tf.add(tf.mul(m, 0.9), tf.mul(g!, 0.1)), had.mean, grads);
    const square = mapTensors((v, g) => tf.add(tf.mul(v, 0.999), tf.mul(tf.square(g!), 0.001)), had.square, grads);
    const largest = mapTensors((a, b) => tf.maximum(a, b!), had.largest, square);
    const step = (m: tf.Tensor, v: tf.Tensor): tf.Tensor => tf.mul(tf.div(m, tf.add(tf.sqrt(v), 1e-8)), tf.neg(rate));
    return [mapTensors((m, v) => step(m, v!), mean, largest), { mean, square, largest }];
  },
}));

/** Weights that pass as if they had four bits, each tensor in shares of its largest number; gradients pass as if nothing was rounded. */
const fourBits = strategy("fourBits", {}, () => ({
  forward(_state: object, { weights, plain }) {
    const rounded = tf.customGrad((x, save) => {
      (save as tf.GradSaveFunc)([]);
      const unit = tf.div(tf.maximum(tf.max(tf.abs(x as tf.Tensor)), 1e-12), 7);
      return { value: tf.mul(tf.round(tf.div(x as tf.Tensor, unit)), unit), gradFunc: (dy) => dy as tf.Tensor };
    });
    return plain(mapTensors((w) => (w.rank > 1 ? (rounded(w) as tf.Tensor) : w), weights as Weights));
  },
})) as () => Strategy;

/** P114: TAG on tasks one after the other against the same optimizer without it. */
async function tasksApart(): Promise<Study> {
  const seeds = 4;
  const base = classes(digits())
    .split(5)
    .scenario("task")
    .learn(mlp({ hidden: [64] }))
    .train({ batch: 16, epochs: 4 });
  const best = async (make: (lr: number) => Optimizer): Promise<number[]> => {
    let found: number[] = [];
    for (const lr of [0.0003, 0.001, 0.003]) {
      const now = await accuracies(base.by(naive()).with(make(lr)) as never, seeds);
      if (found.length === 0 || mean(now) > mean(found)) found = now;
    }
    return found;
  };
  const [own, plain] = [await best((lr) => tag({ lr, tasks: 5 })), await best((lr) => rmsprop({ lr }))];
  return {
    headline:
      "Moments of each task apart, and smaller steps against what others did, forget less than one RMSProp for all",
    outcome: outcomeOf(apart(own, plain)),
    figures: { "average accuracy, tag": band(own), "average accuracy, rmsprop": band(plain) },
    seeds,
  };
}

/** P411: grokking without decay of the weights. */
async function grokking(): Promise<Study> {
  const seeds = 3;
  const base = classes(modularArithmetic({ modulus: 23 }) as never)
    .learn(net().embedding(28, 32).flatten().dense(128).relu() as never)
    .train({ batch: 265, steps: 2500 })
    .evaluate({ every: "end", atStart: false, share: 0 });
  const run = (make: Optimizer, ...strategies: Strategy[]): Promise<number[]> =>
    accuracies(base.by(...(strategies as never[])).with(make) as never, seeds);
  const plain = await run(adamw({ lr: 0.01 }));
  const across = await run(chain(perpGrad(), adamw({ lr: 0.01 })));
  const stable = await run(adamw({ lr: 0.01 }), stableMax());
  return {
    headline: "Without weight decay a network groks modular addition by gradients across the weights, or by StableMax",
    outcome: allOf(outcomeOf(apart(across, plain)), outcomeOf(apart(stable, plain))),
    figures: {
      "test accuracy, adam": band(plain),
      "test accuracy, adam across the weights": band(across),
      "test accuracy, adam with StableMax": band(stable),
    },
    seeds,
  };
}

/** P210: published gains against a baseline whose rate falls to 0 within the same budget. */
async function noGain(): Promise<Study> {
  const seeds = 5;
  const few = classes(digits()).learn(mlp({ hidden: [64] }));
  const figures: Record<string, Study["figures"][string]> = {};
  const outcomes: Study["outcome"][] = [];
  for (const steps of [60, 240]) {
    const base = few.train({ batch: 32, steps }).evaluate({ every: "end", atStart: false, share: 0 });
    const best = async (parts: (lr: number) => readonly unknown[], lrs: readonly number[]): Promise<number[]> => {
      let found: number[] = [];
      for (const lr of lrs) {
        const now = await accuracies(base.with(...(parts(lr) as never[])) as never, seeds);
        if (found.length === 0 || mean(now) > mean(found)) found = now;
      }
      return found;
    };
    const plain = await best((lr) => [adam({ lr }), cosine()], [0.003, 0.01, 0.03]);
    figures[`accuracy, adam, ${steps} steps`] = band(plain);
    const others = {
      lion: await best((lr) => [lion({ lr }), cosine()], [0.001, 0.003, 0.01]),
      sophia: await best((lr) => [sophia({ lr, by: "labels", gamma: 0.05 }), cosine()], [0.003, 0.01, 0.03]),
      "hard batches": await best((lr) => [adam({ lr }), cosine(), hardBatches()], [0.003, 0.01, 0.03]),
    };
    for (const [name, values] of Object.entries(others)) {
      figures[`gain of ${name}, ${steps} steps`] = band(apart(values, plain));
      // the headline is that nothing is gained
      outcomes.push(outcomeOf(apart(values, plain)) === "holds" ? "does not hold here" : "holds");
    }
  }
  return {
    headline: "Lion, Sophia and selected examples gain nothing over Adam whose rate falls to 0 within the same budget",
    outcome: allOf(...outcomes),
    figures,
    seeds,
  };
}

/** P241, P058: batches 32 times as large, in as many passes. */
async function largeBatches(own: Make, lrs: readonly number[], name: string): Promise<Study> {
  const seeds = 5;
  const data = classes(digits())
    .learn(mlp({ hidden: [64] }))
    .evaluate({ every: "end", atStart: false, share: 0 });
  const best = async (batch: number, make: Make, all: readonly number[]): Promise<number[]> => {
    let found: number[] = [];
    for (const lr of all) {
      const now = await accuracies(data.train({ batch, epochs: 20 }).with(...make(lr)) as never, seeds);
      if (found.length === 0 || mean(now) > mean(found)) found = now;
    }
    return found;
  };
  const small = await best(16, (lr) => [sgd({ lr, momentum: 0.9 }), cosine()], [0.01, 0.03, 0.1]);
  const plain = await best(512, (lr) => [sgd({ lr, momentum: 0.9 }), warmup({ steps: 6 })], [0.1, 0.3, 1, 3]);
  const large = await best(512, own, lrs);
  return {
    headline: `${name} keeps at 32 times the batch the accuracy of small batches, where plain descent loses it`,
    outcome: allOf(outcomeOf(apart(large, plain)), outcomeOf(apart(large, small), -0.01)),
    figures: {
      "accuracy, descent, batches of 16": band(small),
      "accuracy, descent, batches of 512": band(plain),
      [`accuracy, ${name}, batches of 512`]: band(large),
    },
    seeds,
  };
}

/** P370: the plateau serves every budget. */
async function anyBudget(): Promise<Study> {
  const seeds = 6;
  const base = classes(digits())
    .learn(mlp({ hidden: [64] }))
    .evaluate({ every: "end", atStart: false, share: 0 });
  const figures: Record<string, Study["figures"][string]> = {};
  const outcomes: Study["outcome"][] = [];
  for (const steps of [100, 200, 400]) {
    const run = (schedule: Schedule): Promise<number[]> =>
      ends(base.train({ batch: 32, steps }).with(sgd({ lr: 0.1, momentum: 0.9 }), schedule) as never, seeds);
    const [ours, theirs] = [await run(wsd({ warmup: 10, decay: 0.2, over: "run", total: steps })), await run(cosine())];
    figures[`loss at the end, from the plateau, ${steps} steps`] = band(ours);
    figures[`loss at the end, cosine, ${steps} steps`] = band(theirs);
    outcomes.push(outcomeOf(ours.map((loss, i) => 1.1 * theirs[i]! - loss)));
  }
  return {
    headline: "Falling from one plateau at any step comes within a tenth of the loss of a cosine made for that budget",
    outcome: allOf(...outcomes),
    figures,
    seeds,
  };
}

export const optimizerStudies: Readonly<Record<string, () => Promise<Study>>> = {
  P025: () =>
    race(
      "A natural gradient in the subspace has a lower loss than GaLore at the same steps",
      low,
      {
        "natural galore": [(lr) => [galore({ lr, rank: 4, every: 50, history: 5, damping: 0.05, scale: 1 })], rates],
        galore: [(lr) => [galore({ lr, rank: 4, every: 50, scale: 1 })], rates],
      },
      5,
    ),
  P106: () =>
    race(
      "Signs beside the subspace beat GaLore at the same memory",
      low,
      {
        frugal: [(lr) => [frugal({ lr, share: 0.0625, every: 50, signs: 0.1 })], rates],
        galore: [(lr) => [galore({ lr, rank: 4, every: 50, scale: 1 })], rates],
      },
      5,
    ),
  P114: tasksApart,
  P128: () =>
    race(
      "Rank-1 curvature needs fewer steps than LAMB and K-FAC: a lower loss after as many",
      low,
      {
        mkor: [(lr) => [mkor({ lr, every: 1 })], [0.03, 0.1, 0.3, 1]],
        lamb: [(lr) => [lamb({ lr })], rates],
        kfac: [(lr) => [kfac({ lr })], [0.01, 0.03, 0.1, 0.3]],
      },
      4,
    ),
  P210: noGain,
  P218: () =>
    race(
      "A subspace that learns at every step has a lower loss than GaLore's",
      low,
      {
        "online subspace": [(lr) => [galore({ lr, rank: 4, every: 50, scale: 1, subspace: "online" })], rates],
        galore: [(lr) => [galore({ lr, rank: 4, every: 50, scale: 1 })], rates],
      },
      5,
    ),
  P241: () =>
    largeBatches((lr) => [lars({ lr, trust: 0.02, weightDecay: 1e-4 }), warmup({ steps: 6 })], [1, 3, 10], "lars"),
  P058: () => largeBatches((lr) => [lamb({ lr }), warmup({ steps: 6 })], [0.01, 0.03, 0.1], "lamb"),
  P276: () =>
    race(
      "A trust that begins high and falls beats LARS with a warm-up at large batches",
      classes(digits())
        .learn(mlp({ hidden: [64] }))
        .train({ batch: 512, epochs: 20 }),
      {
        tvlars: [(lr) => [tvlars({ lr, trust: 0.02, delay: 30, fall: 0.2 })], [1, 3, 10]],
        lars: [(lr) => [lars({ lr, trust: 0.02 }), warmup({ steps: 6 })], [1, 3, 10]],
      },
      5,
    ),
  P282: () =>
    race(
      "Going ahead along a guess of the next gradient is faster than AMSGrad",
      low,
      { optAmsgrad: [(lr) => [optAmsgrad({ lr })], rates], amsgrad: [(lr) => [amsgrad({ lr })], rates] },
      5,
    ),
  P370: anyBudget,
  P407: async () => {
    const half = deep.by(fourBits() as never).evaluate({ every: "end", atStart: false, share: 0 });
    const ours = await tuned(half.train({ batch: 32, steps: 150 }), (lr) => [stableSpam({ lr })], rates, 5);
    const theirs = await tuned(half.train({ batch: 32, steps: 300 }), (lr) => [adam({ lr })], rates, 5);
    return {
      headline: "With weights of four bits it comes to Adam's loss in half the steps",
      outcome: outcomeOf(apart(theirs.losses, ours.losses)),
      figures: {
        "loss after 150 steps, stableSpam": band(ours.losses),
        "loss after 300 steps, adam": band(theirs.losses),
      },
      seeds: 5,
    };
  },
  P411: grokking,
};
