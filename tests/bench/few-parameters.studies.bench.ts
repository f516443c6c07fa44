/**
 * Studies of rows of the systems catalogue that train few parameters beside a pretrained network: `npx tsx tests/bench/few-parameters.studies.bench.ts`,
 * or some of them alone, by their rows.
 */
import {
  adaLora,
  adam,
  classes,
  type Study as Experiment,
  elaLora,
  from,
  gpt,
  loqt,
  loraMerge,
  mnist,
  type Optimizer,
  pretrained,
  type Strategy,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { heldOutLosses, tokens } from "./parts/language.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 3;

/** The rate whose study reaches most on a seed that is not among those that are reported. */
async function bestRate(rates: readonly number[], at: (lr: number) => Experiment): Promise<number> {
  const reached: number[] = [];
  for (const lr of rates) {
    const run = await at(lr).run({ seeds: [100], quiet: true, record: false });
    reached.push(run.matrix({ seed: 100 }).values.at(-1)![0]!);
  }
  return rates[reached.indexOf(Math.max(...reached))]!;
}

/** P178: terms move between kernels, beside as many that stay where they are and beside such as are only cut. */
async function elastic(): Promise<Study> {
  const [rank, on] = [2, "block*"];
  const base = classes(await mnist())
    .limit({ train: 20, test: 40, perClass: true })
    .split(1)
    .learn(from(pretrained("vit-small")));
  const ways: Record<string, Strategy> = {
    elaLora: elaLora({ rank, alpha: rank, most: 2 * rank, every: 2, on }),
    loraMerge: loraMerge({ rank, alpha: rank, on }),
    adaLora: adaLora({ rank: 2 * rank, target: rank, alpha: 2 * rank, every: 2, on }),
  };
  const found: Record<string, number[]> = {};
  for (const [name, way] of Object.entries(ways)) {
    const at = (lr: number) =>
      base
        .by(way as never)
        .with(adam({ lr }))
        .train({ batch: 20, epochs: 5 })
        .evaluate({ atStart: false, share: 0 });
    const lr = await bestRate([4e-3, 1.6e-2], at as never);
    found[name] = await accuracies(at(lr) as never, seeds);
    console.log(name, lr, found[name]);
  }
  const by = ["loraMerge", "adaLora"].map((other) => apart(found.elaLora!, found[other]!));
  return {
    headline:
      "Terms that move between kernels reach more than as many that stay where they are, and than such as are only cut",
    outcome: allOf(...by.map((values) => outcomeOf(values))),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds,
  };
}

/** P105: a language model whose matrices have four bits but for a few directions at a time, beside the whole, and beside four bits that are only rounded. */
function quantised(): Study {
  const [rank, width, depth] = [12, 48, 2];
  const model = gpt({ tokens, width, depth, heads: 4 });
  const merges = { rank, every: 20, growth: 1.5, scale: 0.4 };
  const ways: Record<string, (rate: number) => Optimizer> = {
    adam: (lr) => adam({ lr }),
    loqt: (lr) => loqt({ lr, ...merges }),
    "loqt without compensation": (lr) => loqt({ lr, ...merges, compensate: 0 }),
  };
  const found: Record<string, number[]> = {};
  for (const [name, optimizer] of Object.entries(ways)) {
    const tried = [4e-3, 1e-2].map((rate) => heldOutLosses(model, { seeds, steps: 200, rate, optimizer }));
    found[name] = tried.reduce((a, b) => (mean(b) < mean(a) ? b : a));
    console.log(name, tried);
  }
  // a matrix and its two moments of 32 bits, beside four bits with a scale for 64 numbers, as many for its directions, and a factor with its moments
  const sides = [
    [width, width, 4],
    [width, 4 * width, 2],
  ].map(([a, b, count]) => [a!, b!, depth * count!] as const);
  const four = 4 / 8 + 4 / 64;
  const bytes = (each: (a: number, b: number) => number): number =>
    sides.reduce((sum, [a, b, count]) => sum + count * each(a, b), 0);
  return {
    headline:
      "Training in four bits with merged low-rank steps comes near to full precision, here within 0.1 nats, and compensation helps",
    outcome: allOf(
      outcomeOf(apart(found.adam!, found.loqt!), -0.1),
      outcomeOf(apart(found["loqt without compensation"]!, found.loqt!)),
    ),
    figures: {
      ...Object.fromEntries(Object.entries(found).map(([name, values]) => [`nats, ${name}`, band(values)])),
      "kB of matrices and their moments, adam": Math.round(bytes((a, b) => 12 * a * b) / 1000),
      "kB, loqt, stored in four bits": Math.round(bytes((a, b) => four * (a * b + a * rank) + 12 * rank * b) / 1000),
    },
    seeds,
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({ P178: elastic, P105: quantised }))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
