/** The studies of batches, samplers and questions, by row. */
import {
  adagradNorm,
  adam,
  anytime,
  type Batching,
  blobs,
  classes,
  coreset,
  cosine,
  cost,
  cyclicalCurriculum,
  digits,
  hardBatches,
  inBatchNegatives,
  megabatches,
  mlp,
  negativeMining,
  net,
  network,
  normTest,
  random,
  randomSubsets,
  rateByBatch,
  refilled,
  replay,
  type Strategy,
  sgd,
  trained,
  viewBatch,
  views,
  wait,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const model = mlp({ hidden: [64] });
const all = classes(digits()).split(1);

/** P299: passes of 5 % of the examples, for as many steps, against subsets chosen once. */
async function repeatedSubsets(): Promise<Study> {
  const seeds = 6;
  const [share, passes] = [0.05, 40];
  const base = all.learn(model).train({ batch: 12, epochs: passes });
  const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
  const found: Record<string, number[]> = {
    "a new random part in every pass": await accuracies(
      base.with(optimizer, cosine(), randomSubsets({ share })) as never,
      seeds,
    ),
  };
  const ways: Record<string, Strategy> = {
    random: coreset({ share, by: "random" }),
    herding: coreset({ share, by: "herding" }),
    quantised: coreset({ share, by: "quantised" }),
    error: coreset({ share, by: "error" }),
  };
  for (const [name, strategy] of Object.entries(ways))
    found[`one part, ${name}`] = await accuracies(base.with(optimizer, cosine()).by(strategy as never) as never, seeds);
  const [own, ...others] = Object.values(found);
  return {
    headline: "With 5 % of the data in each pass, new random subsets beat chosen ones at the same number of steps",
    outcome: allOf(...others.map((other) => outcomeOf(apart(own!, other)))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P302, P361: a sampler against plain passes with as many steps. */
async function sampler(part: Batching, headline: string, epochs: number): Promise<Study> {
  const seeds = 8;
  const few = all.limit({ train: 600 });
  const base = few
    .learn(model)
    .with(sgd({ lr: 0.05, momentum: 0.9 }))
    .train({ batch: 20, epochs });
  const { plan } = part;
  const examples = Array.from({ length: epochs }, (_, epoch) => plan.length!(600, epoch, epochs, 20));
  const steps = examples.reduce((sum, n) => sum + Math.ceil(n / 20), 0);
  const found = await accuracies(base.with(sgd({ lr: 0.05, momentum: 0.9 }), part) as never, seeds);
  const plain = await accuracies(base.train({ steps }) as never, seeds);
  return {
    headline,
    outcome: outcomeOf(apart(found, plain)),
    figures: {
      "accuracy with it": band(found),
      "accuracy of plain passes": band(plain),
      "gain, seed by seed": band(apart(found, plain)),
      "steps of both": steps,
    },
    seeds,
  };
}

/** P129: the waiting time against the cumulative error. */
async function waiting(): Promise<Study> {
  const [seeds, chunks] = [5, 24];
  const figures: Record<string, Study["figures"][string]> = {};
  const errors: Record<string, number[]> = {};
  const base = megabatches(digits(), chunks)
    .learn(model)
    .with(sgd({ lr: 0.05, momentum: 0.9 }))
    .train({ batch: 20, epochs: 20 })
    .evaluate({ atStart: true, share: 0 });
  for (const past of ["none", "all"] as const)
    for (const experiences of [1, 3, 8, 24]) {
      const run = await base.by(wait({ experiences, past })).run({ seeds, quiet: true, record: false });
      const logs = run.logs.map(({ events }) => events);
      const name = `waiting for ${experiences}, ${past === "all" ? "all of the past again" : "new data alone"}`;
      errors[`${past} ${experiences}`] = logs.map((log) => anytime.cumulativeError(log).value!);
      figures[`cumulative error, ${name}`] = band(errors[`${past} ${experiences}`]!);
      figures[`GFLOPs, ${name}`] = Number(((cost.flops(logs[0]!).value ?? 0) / 1e9).toFixed(2));
    }
  return {
    headline: "Waiting a little costs less error over time than learning each chunk at once or waiting for all",
    outcome: allOf(
      outcomeOf(apart(errors["none 1"]!, errors["none 3"]!)),
      outcomeOf(apart(errors["none 24"]!, errors["none 3"]!)),
    ),
    figures,
    seeds,
  };
}

/** P329: views of an example in one step and rest, with a memory. */
async function rested(): Promise<Study> {
  const seeds = 6;
  const stream = classes(digits()).split(5).scenario("class");
  const memory = replay({ capacity: 100 });
  const study = (strategies: readonly Strategy[], batch: number, epochs: number, ...parts: Batching[]) =>
    stream
      .learn(mlp({ hidden: [100] }))
      .by(...(strategies as never[]))
      .with(sgd({ lr: 0.05 }), ...parts)
      .train({ batch, epochs });
  const found = {
    "one view of each example": await accuracies(study([memory], 16, 16, views({ pad: 1 })) as never, seeds),
    "four views, and rest": await accuracies(
      study([viewBatch({ copies: 4, weight: 0, noise: 0 }), memory], 4, 16, views({ pad: 1 })) as never,
      seeds,
    ),
    "four views that agree, and rest": await accuracies(
      study([viewBatch({ copies: 4 }), memory], 4, 16, views({ pad: 1 })) as never,
      seeds,
    ),
  };
  const [plain, , ours] = Object.values(found);
  return {
    headline:
      "Four views of each example in a step that agree, and four times the rest, make a method with a memory more accurate",
    outcome: outcomeOf(apart(ours!, plain!)),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`average accuracy, ${name}`, band(values)])),
    },
    seeds,
  };
}

/** P340: small and large batches, as many updates, ghost batches. */
async function largeBatches(): Promise<Study> {
  const seeds = 5;
  const few = all.limit({ train: 1000 });
  const normed = (ghost = 0) => net().flatten().dense(48).batchNorm({ ghost }).relu();
  const [small, large, epochs] = [20, 250, 10];
  const run = (ghost: number, batch: number, more: { epochs?: number; steps?: number }, ...parts: Batching[]) =>
    accuracies(
      few
        .learn(normed(ghost))
        .with(sgd({ lr: 0.02, momentum: 0.9 }), ...parts)
        .train({ batch, ...more }) as never,
      seeds,
    );
  const root = rateByBatch({ rule: "root", reference: small });
  const found = {
    "batches of 20": await run(0, small, { epochs }),
    "batches of 250, as many passes": await run(0, large, { epochs }),
    "batches of 250, as many passes, rate by the root": await run(0, large, { epochs }, root),
    "batches of 250, as many passes, rate by the root, ghosts of 50": await run(50, large, { epochs }, root),
    "batches of 250, as many updates, rate by the root": await run(0, large, { steps: (1000 / small) * epochs }, root),
    "batches of 250, as many updates, rate by the root, ghosts of 50": await run(
      50,
      large,
      { steps: (1000 / small) * epochs },
      root,
    ),
  };
  const [ten, passes, , , , updates] = Object.values(found);
  return {
    headline:
      "The gap of large batches vanishes with as many updates, the rate by the root of the batch and ghost batches",
    outcome: allOf(outcomeOf(apart(ten!, passes!)), outcomeOf(apart(updates!, ten!), -0.01)),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P404: AdaGradNorm with batches that grow by the norm test. */
async function grownBatches(): Promise<Study> {
  const seeds = 6;
  const base = (batch: number) => all.learn(model).train({ batch, epochs: 15 });
  const optimizer = adagradNorm({ lr: 0.6 });
  const figures: Record<string, Study["figures"][string]> = {};
  const accuracy: Record<string, number[]> = {};
  const took: Record<string, number[]> = {};
  for (const [name, study] of Object.entries({
    "batches of 8": base(8).with(optimizer),
    "batches of 8 that grow": base(8).with(optimizer, normTest({ eta: 0.5, most: 256 })),
    "batches of 256": base(256).with(optimizer),
  })) {
    const run = await study.run({ seeds, quiet: true, record: false });
    accuracy[name] = Array.from({ length: seeds }, (_, seed) => run.matrix({ seed }).values.at(-1)!.at(-1)!);
    took[name] = run.measure(cost.steps).map(({ value }) => value!);
    figures[`accuracy, ${name}`] = band(accuracy[name]!);
    figures[`updates, ${name}`] = band(took[name]!);
  }
  const [small, grown, large] = Object.values(accuracy);
  return {
    headline:
      "AdaGradNorm with batches that grow by the norm test is as good as small batches in fewer updates, and better than large ones",
    outcome: allOf(
      outcomeOf(apart(grown!, small!), -0.01),
      outcomeOf(apart(grown!, large!)),
      outcomeOf(apart(took["batches of 8"]!, took["batches of 8 that grow"]!)),
    ),
    figures,
    seeds,
  };
}

/** P400: which classes compete in a batch, of very many. */
async function confused(): Promise<Study> {
  const seeds = 5;
  const many = classes(blobs({ classes: 200, dimensions: 12, perClass: 8, testPerClass: 4, spread: 0.5 })).split(1);
  const base = many
    .learn(mlp({ hidden: [64] }))
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 16, epochs: 20 });
  const own = base.by(inBatchNegatives());
  const found = {
    "all classes compete": await accuracies(base as never, seeds),
    "those of a random batch": await accuracies(own as never, seeds),
    "those of a batch of clusters": await accuracies(own.with(adam({ lr: 3e-3 }), negativeMining()) as never, seeds),
  };
  const [, plain, mined] = Object.values(found);
  return {
    headline:
      "Negatives of a batch that is made of clusters are harder, and train to more than those of a random batch",
    outcome: outcomeOf(apart(mined!, plain!)),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P360: the largest rate at which training stays stable, by the batch. */
async function stableRates(): Promise<Study> {
  const seeds = 3;
  const sizes = [4, 16, 64];
  const figures: Record<string, Study["figures"][string]> = {};
  const slopes: Record<string, number> = {};
  for (const [name, optimizer, first] of [
    ["SGD", (lr: number) => sgd({ lr }), 0.05],
    ["Adam", (lr: number) => adam({ lr }), 0.002],
  ] as const) {
    const largest: number[] = [];
    for (const batch of sizes) {
      let stable = 0;
      for (let k = 0; k < 16; k++) {
        const lr = first * 1.5 ** k;
        const study = all
          .learn(model)
          .with(optimizer(lr))
          .train({ batch, steps: 150 })
          .evaluate({ every: "end", share: 0 });
        // Stable is what every seed has learnt something by: nine of ten right on what it is trained on, or near to it.
        const run = await study.run({ seeds, quiet: true, record: false }).catch(() => null);
        const right = run?.logs.every(({ events }) => {
          const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
          return losses.slice(-20).reduce((sum, loss) => sum + loss, 0) / 20 < Math.log(10) / 2;
        });
        if (right === true) stable = lr;
        else if (stable > 0) break;
      }
      largest.push(stable);
      figures[`largest stable rate, ${name}, batches of ${batch}`] = Number(stable.toPrecision(3));
    }
    slopes[name] = Math.log(largest.at(-1)! / largest[0]!) / Math.log(sizes.at(-1)! / sizes[0]!);
    figures[`power of the batch, ${name}`] = Number(slopes[name]!.toPrecision(3));
  }
  return {
    headline: "The largest stable rate grows linearly with the batch for SGD, and as its root for Adam",
    outcome: Math.abs(slopes.SGD! - 1) < 0.25 && Math.abs(slopes.Adam! - 0.5) < 0.25 ? "holds" : "does not hold here",
    figures,
    seeds,
  };
}

/** P089: sequences of unlike lengths, padded in batches or one behind the other. */
async function packed(): Promise<Study> {
  const seeds = 6;
  const shape = net().embedding(20, 8, { positions: false }).gru(16).last();
  const own = trained({ model: shape as never, input: [8], weights: network(shape as never, [8]).init(random(0), 4) });
  const found: Record<string, { places: number[]; waiting: number[]; used: number[] }> = {};
  for (let seed = 0; seed < seeds; seed++) {
    const rng = random(seed);
    const sequences = Array.from({ length: 160 }, () =>
      Array.from({ length: Math.round(4 * 16 ** rng.uniform()) }, () => rng.int(20)),
    );
    for (const refill of ["batches", "chunks", "places"] as const) {
      const { places, used, latencies } = refilled(own, sequences, { slots: 16, chunk: 8, refill });
      const one = (found[refill] ??= { places: [], waiting: [], used: [] });
      one.places.push(places);
      one.used.push(used);
      one.waiting.push(latencies.reduce((sum, one) => sum + one, 0) / latencies.length);
    }
  }
  own.dispose();
  const ratio = found.batches!.places.map((places, i) => places / found.places!.places[i]!);
  return {
    headline: "Putting sequences one behind the other in their slots has 1.8 times the throughput of padded batches",
    outcome: outcomeOf(ratio, 1.8),
    figures: {
      "places of batches by those of filled slots": band(ratio),
      ...Object.fromEntries(
        Object.entries(found).flatMap(([name, { waiting, used }]) => [
          [`share of places used, ${name}`, band(used)],
          [`mean latency in places, ${name}`, band(waiting)],
        ]),
      ),
    },
    seeds,
  };
}

export const batches: Readonly<Record<string, () => Promise<Study>>> = {
  P089: packed,
  P129: waiting,
  P299: repeatedSubsets,
  P302: () =>
    sampler(
      cyclicalCurriculum(),
      "A curriculum that comes again is more accurate than plain passes of as many steps",
      25,
    ),
  P361: () => sampler(hardBatches(), "Training again on the hardest batches is more accurate at as many steps", 20),
  P329: rested,
  P340: largeBatches,
  P360: stableRates,
  P400: confused,
  P404: grownBatches,
};
