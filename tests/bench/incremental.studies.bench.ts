/**
 * Studies of rows of the systems catalogue that learn classes by increments over a trained transformer, or expand what they learn with:
 * `npm run bench -- incremental.studies`, or some of them alone: `npx tsx tests/bench/incremental.studies.bench.ts P418`, `memo` for what has no row. Minutes for all.
 *
 * Each shows the direction of a row's headline on data that the transformer that comes with the library has never seen, with seeds; what does not hold
 * here is recorded as such.
 */
import { gatherTargets } from "../../lib/data/dataset.ts";
import {
  adam,
  apg,
  autoEma,
  classes,
  conform,
  continualPretrain,
  derExpand,
  digits,
  dualPrompt,
  ewc,
  from,
  l2p,
  lora,
  type Model,
  meanAveragePrecision,
  mlp,
  mnist,
  multiLane,
  naive,
  pmoe,
  pretrained,
  type Strategy,
  stabilityGap,
} from "../../lib/index.ts";
import { smallPretrained } from "../../lib/sweeps/protocols/pretrained.ts";
import { record, type Study } from "../support/reference.ts";
import { expandable } from "./parts/expandable.ts";
import { after, languages, reader } from "./parts/languages.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 3;

/** Several digits in one image, two classes at a time: lanes, prompts that are chosen, and all of the network trained. */
async function lanes(): Promise<Study> {
  const whole = classes(await mnist(), { order: "run" })
    .limit({ train: 40, test: 30, perClass: true })
    .multiLabel({ labels: 2, seed: "run" });
  const methods = {
    lanes: multiLane({ selectors: 8, length: 5, layers: 3 }),
    "chosen from a pool": l2p({ read: "rest" }),
    "one for each experience": dualPrompt({ general: [0], expert: [1, 2, 3] }),
    "all of the network trained": naive(),
  };
  const found: Record<string, number[]> = {};
  for (const [name, strategy] of Object.entries(methods)) {
    const run = await whole
      .splitLabels(5)
      .learn(from(pretrained("vit-small")))
      .by(strategy as never)
      .with(adam({ lr: name.startsWith("all") ? 3e-4 : 1e-2 }))
      .train({ batch: 10, epochs: 3 })
      .evaluate({ atStart: false, share: 0 })
      .run({ seeds, quiet: true, record: false });
    found[name] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const network = await run.network({ seed });
      const { examples } = whole.seeded(seed).test(0);
      const scores = network.predict(examples);
      const [rows, columns] = scores.shape as [number, number];
      const truth = gatherTargets(examples, [...examples.labels.keys()]);
      const table = (data: Float32Array) => ({ data: [...data], rows, columns });
      found[name].push(100 * meanAveragePrecision(table(scores.dataSync() as Float32Array), table(truth)));
      scores.dispose();
      network.dispose();
    }
    console.log(name, found[name].map((value) => value.toFixed(1)).join("  "));
  }
  const by = Object.keys(methods)
    .slice(1, 3)
    .map((other) => apart(found.lanes!, found[other]!));
  return {
    headline:
      "With several labels, a lane for each experience reaches a higher mean average precision than prompts that must be chosen",
    outcome: allOf(...by.map((values) => outcomeOf(values))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`mAP, ${name} (%)`, band(values)])),
    seeds,
  };
}

/** Languages one after the other: experts behind a router, and one low-rank change for all, with and without a penalty. */
async function experts(): Promise<Study> {
  const on = ["*query", "*key", "*value", "*out"];
  const found: Record<string, number[]> = { experts: [], "one change": [], "one change, with a penalty": [] };
  for (let seed = 0; seed < seeds; seed++) {
    const big = await reader(seed);
    const one = (): Model => from(big, { head: "keep" }).adapt(lora({ rank: 8, alpha: 8, on }));
    const own = from(big, { head: "keep" });
    const ends = [
      await after(own, [pmoe({ rank: 8 })], 5e-3, seed),
      await after(one(), [naive()], 5e-3, seed),
      await after(one(), [ewc({ lambda: 100, samples: 64, fisher: "true" })], 5e-3, seed),
    ];
    for (const [i, name] of Object.keys(found).entries()) found[name]!.push(endOf(name, ends[i]!));
    big.dispose();
  }
  const by = Object.keys(found)
    .slice(1)
    .map((other) => apart(found.experts!, found[other]!));
  return {
    headline:
      "Languages learnt one after the other: an expert for each behind a router ends higher than one low-rank change for all, with or without a penalty",
    outcome: allOf(...by.map((values) => outcomeOf(values))),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [`next characters right at the end, ${name} (%)`, band(values)]),
    ),
    seeds,
  };
}

/** The mean accuracy after the last language, in percent. */
function endOf(name: string, matrix: readonly (readonly number[])[]): number {
  const last = matrix.at(-1)!;
  console.log(name, last.map((value) => value.toFixed(3)).join("  "));
  return (100 * last.reduce((sum, value) => sum + value, 0)) / last.length;
}

/** P433: a reader of English meets Spanish: all of it in one pass, or for 40% of the steps an easy part once, or less of it several times over with English between. */
async function pretraining(): Promise<Study> {
  const ways: Record<string, Strategy> = {
    "all, one pass": naive(),
    "an easy part once": continualPretrain({ subset: 0.4, epochs: 1, mixture: 0 }),
    "less of it again and again, with the past": continualPretrain({ subset: 0.08, epochs: 4, mixture: 0.2 }),
  };
  const [spanish, english, least, before]: Record<string, number[]>[] = [{}, {}, {}, {}];
  const keep = (of: Record<string, number[]>, name: string, value: number): number =>
    (of[name] ??= []).push(100 * value);
  for (let seed = 0; seed < seeds; seed++) {
    const big = await reader(seed);
    for (const [name, strategy] of Object.entries(ways)) {
      const run = await languages()
        .slice(0, 2)
        .learn(from(big, { head: "keep" }) as never)
        .by(strategy as never)
        .with(adam({ lr: 1e-3 }))
        .train({ batch: 16, epochs: 1 })
        .evaluate({ atStart: false, everySteps: 4, examples: 64 })
        .run({ seeds: [seed], quiet: true, record: false } as never);
      const [first, last] = run.matrix({ seed } as never).values as readonly (readonly number[])[];
      keep(before!, name, first![0]!);
      keep(english!, name, last![0]!);
      keep(spanish!, name, last![1]!);
      keep(least!, name, run.measure(stabilityGap.minimumAccuracy)[0]!.value!);
      console.log(name, last, least![name]!.at(-1));
    }
    big.dispose();
  }
  const [all, , own] = Object.keys(ways) as [string, string, string];
  return {
    headline:
      "For 40% of the steps, an easy part of a new language again and again, with the past between, ends as high there as all of it in one pass, and without forgetting",
    outcome: allOf(
      outcomeOf(apart(spanish![own]!, spanish![all]!)),
      outcomeOf(apart(english![own]!, before![own]!), -1),
      outcomeOf(apart(least![own]!, least![all]!)),
    ),
    figures: Object.fromEntries(
      Object.keys(ways).flatMap((name) => [
        [`Spanish, next characters right, ${name} (%)`, band(spanish![name]!)],
        [`English, ${name} (%)`, band(english![name]!)],
        [`English, the lowest on the way, ${name} (%)`, band(least![name]!)],
        [`English before, ${name} (%)`, band(before![name]!)],
      ]),
    ),
    seeds,
  };
}

/** How much less is right after the last language than after each was learnt, in points, over all but the last. */
function lostBy(matrix: readonly (readonly number[])[]): number {
  const lost = matrix.slice(0, -1).map((row, task) => 100 * (row[task]! - matrix.at(-1)![task]!));
  return lost.reduce((sum, value) => sum + value, 0) / lost.length;
}

/** Languages one after the other, by a low-rank change that is averaged at a rate of its own, or at a fixed one. */
async function averages(): Promise<Study> {
  const on = ["*query", "*key", "*value", "*out"];
  const ways = {
    "rate by the rule": autoEma(),
    "fixed rate": autoEma({ fixed: 0.01 }),
    "rate by the rule, groups": autoEma({ expand: 0.9 }),
  };
  const [end, lost]: Record<string, number[]>[] = [{}, {}];
  for (let seed = 0; seed < seeds; seed++) {
    const big = await reader(seed);
    for (const [name, strategy] of Object.entries(ways)) {
      const model = from(big, { head: "keep" }).adapt(lora({ rank: 8, alpha: 8, on }));
      const matrix = await after(model, [strategy], 5e-3, seed);
      end![name] = [...(end![name] ?? []), endOf(name, matrix)];
      lost![name] = [...(lost![name] ?? []), lostBy(matrix)];
    }
    big.dispose();
  }
  const figures = (of: Record<string, number[]>, what: string) =>
    Object.fromEntries(Object.entries(of).map(([name, values]) => [`${what}, ${name}`, band(values)]));
  return {
    headline:
      "An average of the weights whose rate follows from gradients and weights forgets less than one of a fixed rate",
    outcome: outcomeOf(apart(lost!["fixed rate"]!, lost!["rate by the rule"]!)),
    figures: { ...figures(lost!, "forgetting (points)"), ...figures(end!, "right at the end (%)") },
    seeds,
  };
}

/** Digits two at a time from a transformer that was trained on little else: prompts that are made, and prompts that are chosen. */
async function generator(): Promise<Study> {
  const data = await mnist();
  const cells = [
    { name: "apg", strategies: [apg()], published: {} },
    ...smallPretrained.cells.filter(({ name }) => ["l2p", "dual-prompt", "coda-prompt"].includes(name)),
  ];
  const found: Record<string, readonly number[]> = {};
  for (const { name } of cells) {
    found[name] = (await conform({ ...smallPretrained, cells }, "b0inc2", name, data, { seeds })).values;
    console.log(name, found[name].map((value) => value.toFixed(1)).join("  "));
  }
  const by = cells.slice(1).map(({ name }) => apart(found.apg!, found[name]!));
  return {
    headline: "Without strong pretraining, prompts that a generator makes beat prompts that are chosen",
    outcome: allOf(...by.map((values) => outcomeOf(values))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`${name} (%)`, band(values)])),
    seeds,
  };
}

/**
 * No row of the catalogue: what a layer that all extractors share is worth as exemplars, digits two at a time. The first of two dense layers has 2,080
 * numbers; four extractors without it make room for 520 images of 64 bytes.
 */
async function exemplarsForLayers(): Promise<void> {
  const many = 5;
  const ways = {
    "whole extractors, 100 exemplars": derExpand({ capacity: 100 }),
    "a shared layer, 100 exemplars": derExpand({ capacity: 100, shared: 1 }),
    "a shared layer, 620 exemplars": derExpand({ capacity: 620, shared: 1 }),
  };
  const figures: Record<string, unknown> = {};
  for (const [name, strategy] of Object.entries(ways)) {
    const learnt = classes(digits(), { order: "run" })
      .split(5)
      .learn(mlp({ hidden: [32, 32] }))
      .by(strategy)
      .with(adam({ lr: 5e-3 }))
      .train({ batch: 16, epochs: 10 })
      .evaluate({ atStart: false, share: 0 });
    figures[name] = band((await accuracies(learnt as never, many)).map((value) => 100 * value));
    console.log(name, JSON.stringify(figures[name]));
  }
  record("memo", {
    what: "percent of 10 digits right at the end; both the first and the last have as many bytes",
    seeds: many,
    figures,
  });
}

const studies: Readonly<Record<string, () => Promise<Study>>> = {
  P143: expandable,
  P418: lanes,
  P104: experts,
  P433: pretraining,
  P267: generator,
  P416: averages,
};
const memo = process.argv.includes("memo");
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const id of wanted.length === 0 && !memo ? Object.keys(studies) : wanted) study(id, await studies[id]!());
if (memo || wanted.length === 0) await exemplarsForLayers();
