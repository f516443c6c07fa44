/**
 * Studies of rows of the systems catalogue whose methods train small parts of a network: `npx tsx tests/bench/small-parts.studies.bench.ts`, or
 * some of them alone, by their rows. A minute for all.
 */
import {
  adam,
  classes,
  digits,
  fetril,
  from,
  hat,
  incrementalRank,
  inputTuning,
  layerChange,
  loraMerge,
  lwf,
  mlp,
  net,
  packnet,
  replay,
  type Strategy,
  ssre,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const data = classes(digits());
const seeds = 5;
const quiet = { seeds, quiet: true, record: false } as const;

/** P063: split digits with a head for each task; methods that keep examples and masks beside it. */
async function ranks(): Promise<Study> {
  const base = data
    .split(5)
    .scenario("task")
    .learn(mlp({ hidden: [64] }))
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 10, epochs: 4 });
  const ways: Record<string, Strategy> = {
    "incremental ranks, 8 and 2": incrementalRank({ first: 8, rank: 2 }),
    "replay of 50": replay({ capacity: 50 }),
    "masks of attention (HAT)": hat(),
    "masks by magnitude (PackNet)": packnet(),
  };
  const found: Record<string, number[]> = {};
  for (const [name, strategy] of Object.entries(ways)) {
    const run = await base.by(strategy as never).run(quiet as never);
    found[name] = Array.from({ length: seeds }, (_, seed) => {
      const last = run.matrix({ seed } as never).values.at(-1)! as readonly number[];
      return last.reduce((a, b) => a + b, 0) / last.length;
    });
  }
  const [own, ...others] = Object.values(found);
  return {
    headline: "Ranks that grow with the tasks are more accurate than memories and masks where the task is told",
    outcome: allOf(...others.map((other) => outcomeOf(apart(own!, other)))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** A network that knows the first five digits, and the stream of the others. */
async function knowing() {
  const first = data.split(2).slice(0, 1);
  const run = await first
    .learn(mlp({ hidden: [64] }))
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 10, epochs: 4 })
    .run({ quiet: true, record: false });
  return { big: await run.network(), split: data.split(2) };
}

/** P262: the rank of low-rank changes that are merged after each experience, and what is forgotten of the first one. */
async function merged(): Promise<Study> {
  const base = data
    .split(5)
    .scenario("task")
    .learn(mlp({ hidden: [64] }))
    .with(adam({ lr: 1e-2 }))
    .train({ batch: 10, epochs: 4 });
  const found: Record<string, number[]> = {};
  for (const rank of [1, 4, 16]) {
    const run = await base.by(loraMerge({ rank, alpha: rank }) as never).run(quiet as never);
    found[`rank ${rank}`] = Array.from({ length: seeds }, (_, seed) => {
      const all = run.matrix({ seed } as never).values as readonly (readonly number[])[];
      return all[0]![0]! - all[1]![0]!; // lost of the first task in the second experience
    });
  }
  return {
    headline: "What is forgotten depends on the rank: the higher it is, the more",
    outcome: outcomeOf(apart(found["rank 16"]!, found["rank 1"]!)),
    figures: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [`forgotten of the first, ${name}`, band(values)]),
    ),
    seeds,
  };
}

/** P193: digits in a network that knows five of them: its input alone is tuned, or all of it, with a small memory. */
async function tuned(): Promise<Study> {
  const { big, split } = await knowing();
  const found: Record<string, number[]> = {};
  for (const [name, model] of Object.entries({
    "input and head": from(big).adapt(inputTuning({ transform: "affine" })),
    "head alone": from(big).freeze("*"),
    "all of it": from(big),
  })) {
    const run = await split
      .learn(model as never)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 10, epochs: 2 })
      .by(replay({ capacity: 20 }) as never)
      .run(quiet as never);
    found[name] = Array.from({ length: seeds }, (_, seed) => {
      const last = run.matrix({ seed } as never).values.at(-1)! as readonly number[];
      return last.reduce((a, b) => a + b, 0) / last.length;
    });
  }
  return {
    headline: "Tuning the input of a frozen network keeps more, and learns as well, as fine-tuning it",
    outcome: outcomeOf(apart(found["input and head"]!, found["all of it"]!)),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P264: four digits, then two at a time, on a small convolutional network, without an example kept; the same epochs and rates for all. */
async function sustained(): Promise<Study> {
  const base = data
    .split([4, 2, 2, 2])
    .scenario("class")
    .learn(net().conv(16, 3).relu().pool(2).conv(32, 3).relu().globalPool())
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 32, epochs: 10 });
  const ways: Record<string, Strategy> = { SSRE: ssre(), LwF: lwf(), FeTrIL: fetril() as Strategy };
  const found: Record<string, number[]> = {};
  for (const [name, strategy] of Object.entries(ways))
    found[name] = await accuracies(base.by(strategy as never) as never, seeds);
  const { SSRE, ...others } = found;
  return {
    headline: "Side branches that become part of the network are more accurate than other ways without exemplars",
    outcome: allOf(...Object.values(others).map((other) => outcomeOf(apart(SSRE!, other)))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P219: a network that knows five digits learns the other five, whole or with its first layers frozen. */
async function frozenBelow(): Promise<Study> {
  const halves = data.split(2);
  const learn = (model: unknown, part: number, seed: number) =>
    halves
      .slice(part, part + 1)
      .learn(model as never)
      .with(adam({ lr: 3e-3 }))
      .train({ batch: 10, epochs: 4 })
      .run({ seeds: [seed], quiet: true, record: false });
  const hidden = [64, 64, 64, 64];
  const layers = ["2-dense", "4-dense", "6-dense", "8-dense"];
  const [below, above, whole, partly]: number[][] = [[], [], [], []];
  for (let seed = 0; seed < seeds; seed++) {
    const big = await (await learn(mlp({ hidden }), 0, seed)).network();
    const all = await learn(from(big), 1, seed);
    const changes = layerChange(big, await all.network(), halves.experience(1).train);
    const apartIn = (names: readonly string[]): number =>
      names.reduce((sum, name) => sum + (1 - changes.find(({ layer }) => layer === name)!.rsa) / names.length, 0);
    below!.push(apartIn(layers.slice(0, 2)));
    above!.push(apartIn(layers.slice(2)));
    const frozen = await learn(from(big).freeze(layers.slice(0, 2)), 1, seed);
    whole!.push(all.matrix().values.at(-1)!.at(-1)!);
    partly!.push(frozen.matrix().values.at(-1)!.at(-1)!);
  }
  return {
    headline: "Fine-tuning changes the top layers most, and is as accurate to 1% with the layers below them frozen",
    outcome: allOf(outcomeOf(apart(above!, below!)), outcomeOf(apart(partly!, whole!), -0.01)),
    figures: {
      "change (1 − similarity), two lower layers": band(below!),
      "change (1 − similarity), two upper layers": band(above!),
      "accuracy, all layers trained": band(whole!),
      "accuracy, two lower layers frozen": band(partly!),
    },
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ P063: ranks, P262: merged, P193: tuned, P264: sustained, P219: frozenBelow }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
