/**
 * Merged networks on rotated digits: `npm run bench -- merge`. About two minutes.
 *
 * A perceptron learns digits that stand upright; from it one network each is fine-tuned on digits turned by 20°, 40°, 60° and 80°, and all rules
 * merge the four. What is measured is the accuracy on the test digits of all four angles, and for what is fine-tuned once, on those upright.
 */

import type { Examples } from "../../lib/data/dataset.ts";
import {
  adam,
  classes,
  digits,
  from,
  merge,
  mergeAfter,
  mlp,
  rotated,
  sgd,
  type TrainedNetwork,
} from "../../lib/index.ts";
import { recordStudy } from "../support/reference.ts";

const seeds = 6;
const angles = [20, 40, 60, 80];
const quiet = { quiet: true, record: false } as const;
const upright = rotated(digits(), [0]);
const turned = angles.map((angle) => rotated(digits(), [angle]));
const tests = turned.map((stream) => stream.test(0).examples);

function accuracy(network: TrainedNetwork, table: Examples): number {
  const logits = network.predict(table);
  const best = logits.argMax(-1);
  const found = best.dataSync();
  logits.dispose();
  best.dispose();
  return [...table.labels].filter((label, i) => found[i] === label).length / table.length;
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const all = (network: TrainedNetwork): number => mean(tests.map((table) => accuracy(network, table)));

/** Mean and its 95% interval by Student's t with five degrees of freedom. */
function band(values: readonly number[]) {
  const centre = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
  const half = (2.571 * deviation) / Math.sqrt(values.length);
  const round = (v: number): number => Number(v.toFixed(4));
  return { mean: round(centre), interval: [round(centre - half), round(centre + half)] as const };
}

const found: Record<string, number[]> = {};
const note = (name: string, value: number): void => void (found[name] ??= []).push(value);

for (let seed = 0; seed < seeds; seed++) {
  const model = mlp({ hidden: [64, 32] });
  const train = async (of: typeof upright, begun?: TrainedNetwork, at = seed): Promise<TrainedNetwork> => {
    const start = begun === undefined ? model : from(begun, { head: "keep" });
    const optimizer = begun === undefined ? adam({ lr: 2e-3 }) : sgd({ lr: 0.05 });
    const study = of
      .learn(start as typeof model)
      .with(optimizer)
      .train({ epochs: begun === undefined ? 10 : 6, batch: 16 });
    return (await study.run({ ...quiet, seeds: [at] })).network({ seed: at });
  };
  const base = await train(upright);
  const experts: TrainedNetwork[] = [];
  for (const stream of turned) experts.push(await train(stream, base));
  const tables = turned.map((stream) => stream.experience(0).train);
  const merged = {
    base,
    average: merge.average(experts, { base }).network,
    "task arithmetic 0.3": merge.taskArithmetic(experts, { base }).network,
    ties: merge.ties(experts, { base }).network,
    dare: merge.dare(experts, { base, seed, drop: 0.5, scale: 0.3 }).network,
    breadcrumbs: merge.breadcrumbs(experts, { base }).network,
    "model stock": merge.modelStock(experts, { base }).network,
    magmax: merge.magMax(experts, { base }).network,
    opcm: merge.opcm(experts, { base }).network,
    pcb: merge.pcb(experts, { base }).network,
    lines: merge.lines(experts, { base, alpha: 0.15, beta: 0.3 }).network,
    fisher: merge.fisher(experts, tables, { samples: 64 }).network,
    regmean: merge.regmean(experts, tables).network,
    adamerging: merge.ada(experts, tests, { base, batch: 32, seed }).network,
    "opcm, other order": merge.opcm([...experts].reverse(), { base }).network,
  };
  for (const [name, network] of Object.entries(merged)) note(name, all(network));
  note("experts, each on its own", mean(experts.map((own, k) => accuracy(own, tests[k]!))));
  const twin = merge.twin(experts, tables, { base, rank: 0.3 }).network;
  note("twin", mean(tests.map((table) => accuracy(twin, table))));

  // LiNeS after one fine-tuning: what is left of what came before
  const far = experts.at(-1)!;
  const table = upright.test(0).examples;
  const kept = merge.lines([far], { base, alpha: 0.3, beta: 0.7 }).network;
  note("fine-tuned on 80°, upright", accuracy(far, table));
  note("fine-tuned on 80°, upright, with lines", accuracy(kept, table));
  note("fine-tuned on 80°, at 80°", accuracy(far, tests.at(-1)!));
  note("fine-tuned on 80°, at 80°, with lines", accuracy(kept, tests.at(-1)!));

  // Re-basin: two networks from different draws
  const other = await train(upright, undefined, seed + 100);
  const data = upright.experience(0).train;
  for (const renorm of ["none", "rescale", "reshift", "both"] as const)
    note(`re-basin, ${renorm}`, accuracy(merge.rebasin([base, other], { data, renorm }).network, table));
  note("averaged as they are", accuracy(merge.average([base, other]).network, table));

  // Emulated fine-tuning at 80° by small networks
  const small = async (begun: TrainedNetwork | null) => {
    const tiny = mlp({ hidden: [8] });
    const study = begun === null ? upright.learn(tiny) : turned.at(-1)!.learn(from(begun, { head: "keep" }));
    const run = await study
      .with(adam({ lr: 2e-3 }))
      .train({ epochs: 10, batch: 16 })
      .run({ ...quiet, seeds: [seed] });
    return run.network({ seed });
  };
  const before = await small(null);
  const tuned = await small(before);
  note("emulated at 80°", accuracy(merge.emulate(base, tuned, before), tests.at(-1)!));
  note("small tuned at 80°", accuracy(tuned, tests.at(-1)!));
  note("large untuned at 80°", accuracy(base, tests.at(-1)!));
}

// MagMax in a stream of classes: sequential fine-tuning and the largest changes
const stream = classes(digits()).split(5).scenario("class");
const study = stream
  .learn(mlp({ hidden: [64, 32] }))
  .with(sgd({ lr: 0.05 }))
  .train({ epochs: 3 });
for (const [name, own] of [
  ["stream, sequential", []],
  ["stream, average", [mergeAfter()]],
  ["stream, magmax", [mergeAfter(merge.magMax())]],
  ["stream, opcm", [mergeAfter({ ...merge.opcm(), from: "base" })]],
] as const) {
  const run = await study.by(...(own as [])).run({ ...quiet, seeds });
  for (let seed = 0; seed < seeds; seed++) note(name, mean(run.matrix({ seed }).values.at(-1) as number[]));
}

const figures = Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)]));
console.log(
  Object.fromEntries(Object.entries(figures).map(([name, { mean, interval }]) => [name, `${mean} [${interval}]`])),
);

/** What a paired difference decides. */
function decided(id: string, headline: string, better: string, worse: string, more: readonly string[] = []): void {
  const gain = band(found[better]!.map((value, i) => value - found[worse]![i]!));
  const [low, high] = gain.interval;
  const outcome = low > 0 ? "holds" : high < 0 ? "does not hold here" : "undecided";
  const named = Object.fromEntries([better, worse, ...more].map((name) => [`accuracy, ${name}`, figures[name]!]));
  recordStudy(id, { headline, outcome, figures: { ...named, [`${better} − ${worse}, seed by seed`]: gain }, seeds });
  console.log(id, outcome, gain);
}
decided("P066", "Projected continual merging is more accurate than averaging, whatever the order", "opcm", "average", [
  "opcm, other order",
]);
decided(
  "P093",
  "The largest changes in a stream keep more than its sequential fine-tuning",
  "stream, magmax",
  "stream, sequential",
  ["stream, average"],
);
decided(
  "P215",
  "Rescaling is what matters in renormalising networks after re-basin",
  "re-basin, rescale",
  "re-basin, none",
  ["re-basin, reshift", "re-basin, both", "averaged as they are"],
);
decided(
  "P244",
  "Scaling a change by depth keeps what came before it",
  "fine-tuned on 80°, upright, with lines",
  "fine-tuned on 80°, upright",
  ["fine-tuned on 80°, at 80°", "fine-tuned on 80°, at 80°, with lines", "lines", "task arithmetic 0.3"],
);
decided(
  "P313",
  "A large network with a small one's change of answers is better than the tuned small one",
  "emulated at 80°",
  "small tuned at 80°",
  ["large untuned at 80°"],
);
decided("P335", "Coefficients learnt by entropy are better than one for all", "adamerging", "task arithmetic 0.3", [
  "experts, each on its own",
]);
decided(
  "P349",
  "What is exclusive, added back by a router, narrows the gap to the experts",
  "twin",
  "task arithmetic 0.3",
  ["experts, each on its own"],
);
decided("P358", "Competing parameters merge better than the sum of changes", "pcb", "task arithmetic 0.3", ["ties"]);
