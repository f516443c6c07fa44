/**
 * What adapters reach on the vision transformer that comes with the library, beside training all of it and its head alone, at the same number
 * of steps: `npm run bench -- adapters.studies`. Minutes.
 *
 * Some examples of MNIST, which the network never saw. Each way has the best of a few learning rates, and of up to two more where the best is at
 * the edge of these, chosen on a seed that is not among those that are reported. Names of ways after the command run these alone. The rows of the systems catalogue whose headline is about this are recorded as studies.
 */

import { type Examples, makeDataset, select } from "../../lib/data/dataset.ts";
import { paths, random, type Tree } from "../../lib/engine/index.ts";
import {
  type Adapter,
  adam,
  allora,
  bottleneck,
  classes,
  dora,
  from,
  lora,
  lotr,
  type Model,
  mnist,
  mora,
  normTuning,
  pmss,
  prefix,
  pretrained,
  prompt,
  ssf,
  vera,
} from "../../lib/index.ts";
import { countParameters } from "../../lib/models/model.ts";
import { network } from "../../lib/models/network.ts";
import { record, recordStudy, reference, type Study } from "../support/reference.ts";
import { allOf, apart, band, outcomeOf } from "./parts/studies.ts";

const [seeds, perClass, tests, epochs, batch] = [4, 20, 400, 5, 20];
const rates = [1e-3, 4e-3, 1.6e-2, 6.4e-2];
const data = await mnist();
const few = (of: Examples, count: number): Examples => {
  const had = new Map<number, number>();
  const rows = Array.from(of.labels, (label, i) => [label, i] as const).flatMap(([label, i]) => {
    had.set(label, (had.get(label) ?? 0) + 1);
    return had.get(label)! <= count ? [i] : [];
  });
  return select(of, Uint32Array.from(rows));
};
const small = makeDataset({
  ...data,
  name: "mnist-few",
  train: few(data.train, perClass),
  test: few(data.test, tests / 10),
});
const stream = classes(small).split(1);
const big = pretrained("vit-small");
const on = "block*";
const adapted = (adapter: Adapter): Model => from(big).adapt(adapter);
const ways: Record<string, Model> = {
  "head alone": from(big).freeze("*"),
  "all of it": from(big),
  normTuning: adapted(normTuning()),
  ssf: adapted(ssf({ on })),
  "bottleneck of 8": adapted(bottleneck({ units: 8 })),
  "prompts of 5": adapted(prompt({ length: 5 })),
  "prefixes of 5": adapted(prefix({ length: 5 })),
  "lora of rank 4": adapted(lora({ rank: 4, alpha: 4, on })),
  "lora of rank 1": adapted(lora({ rank: 1, alpha: 1, on })),
  "dora of rank 4": adapted(dora({ rank: 4, alpha: 4, on })),
  "allora of rank 4": adapted(allora({ rank: 4, on })),
  "mora of rank 4": adapted(mora({ rank: 4, on })),
  "lotr of rank 8": adapted(lotr({ rank: 8, on })),
  "pmss of rank 8": adapted(pmss({ rank: 8, on })),
  "vera of rank 64": adapted(vera({ rank: 64, on })),
};

/** Accuracies on the test examples, seed by seed. */
async function reached(model: Model, lr: number, from: number, count: number): Promise<number[]> {
  const study = stream
    .learn(model as never)
    .with(adam({ lr }))
    .train({ batch, epochs })
    .evaluate({ atStart: false });
  const list = Array.from({ length: count }, (_, i) => from + i);
  const run = await study.run({ seeds: list, quiet: true, record: false } as never);
  return list.map((seed) => run.matrix({ seed } as never).values.at(-1)![0]!);
}

/** How many numbers are trained besides the head. */
function trainedIn(model: Model): number {
  const of = network(model, [28, 28, 1]);
  const { model: own } = of.init(random(0), 10);
  const all = paths(own as Tree).filter(([path]) => !(of.frozen?.(`model/${path}`) ?? false));
  return countParameters(Object.fromEntries(all) as never);
}

const found: Record<string, number[]> = {};
const rows: Record<string, object> = {};
const wanted = process.argv.slice(2).filter((word) => word in ways);
for (const [name, model] of Object.entries(ways)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const tried: { readonly lr: number; readonly value: number }[] = [];
  const attempt = async (lr: number): Promise<void> => {
    tried.push({ lr, value: (await reached(model, lr, 100, 1))[0]! });
    tried.sort((a, b) => a.lr - b.lr);
  };
  for (const lr of rates) await attempt(lr);
  const best = (): { readonly lr: number } => tried.reduce((a, b) => (b.value > a.value ? b : a));
  for (let more = 0; more < 2; more++) {
    if (best() === tried[0]) await attempt(best().lr / 4);
    else if (best() === tried.at(-1)) await attempt(best().lr * 4);
  }
  const { lr } = best();
  found[name] = await reached(model, lr, 0, seeds);
  rows[name] = { trained: trainedIn(model), lr, accuracy: band(found[name]) };
  console.log(name, JSON.stringify(rows[name]), JSON.stringify(tried));
}
record("adapters", {
  what: `accuracy on ${tests} test digits of MNIST after ${epochs} passes over ${10 * perClass} in batches of ${batch}, from vit-small`,
  seeds,
  rows: { ...(reference().adapters as { readonly rows: object } | undefined)?.rows, ...rows },
});

const against = (own: string, ...others: string[]): Study["outcome"] =>
  allOf(...others.map((other) => outcomeOf(apart(found[own]!, found[other]!))));
const figures = (...names: string[]): Study["figures"] =>
  Object.fromEntries(names.map((name) => [`accuracy, ${name}`, band(found[name]!)]));
/** Records a study whose first way is to be above the others, where all of them were run. */
const said = (id: string, headline: string, ...names: [string, ...string[]]): void => {
  const [own, ...others] = names;
  if (names.some((name) => found[name] === undefined)) return;
  recordStudy(id, { headline, outcome: against(own, ...others), figures: figures(...names), seeds });
};
said(
  "P038",
  "In short fine-tuning, gradients divided by the lengths of U's columns reach more than LoRA and DoRA",
  "allora of rank 4",
  "lora of rank 4",
  "dora of rank 4",
);
said(
  "P187",
  "A square matrix of as many numbers is at least as good as LoRA's two",
  "mora of rank 4",
  "lora of rank 4",
);
said(
  "P199",
  "Factors shared by all layers reach more than LoRA with about as many numbers, or fewer",
  "lotr of rank 8",
  "lora of rank 1",
);
said(
  "P279",
  "Squares between rows and columns of the pretrained kernels reach more than LoRA with fewer numbers",
  "pmss of rank 8",
  "lora of rank 4",
);
