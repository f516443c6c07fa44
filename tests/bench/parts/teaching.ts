/**
 * More studies of networks that learn from networks, by row. Rates, lengths and the size of crops were chosen after a first look, in which teacher and students
 * had learnt too little to tell anything apart.
 */
import {
  adam,
  classes,
  digits,
  distil,
  distilFeatures,
  distilLocal,
  distilMessages,
  distilRegions,
  type Model,
  mlp,
  net,
  type Strategy,
  type TrainedNetwork,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const all = classes(digits()).split(1);
const seeds = 5;
type Figures = Record<string, Study["figures"][string]>;

/** Accuracies by what is said of them. */
async function each(ways: Record<string, object>): Promise<{ found: Record<string, number[]>; figures: Figures }> {
  const found: Record<string, number[]> = {};
  for (const [name, study] of Object.entries(ways)) found[name] = await accuracies(study as never, seeds);
  const figures = Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)]);
  return { found, figures: Object.fromEntries(figures) };
}

/** Networks that say at each place of an image what is there. */
const places = (first: number, second: number): Model =>
  net().conv(first, 3).relu().pool(2).conv(second, 3).relu().globalPool() as unknown as Model;

/** A network that has learnt all digits from crops of them. */
async function cropTeacher(): Promise<TrainedNetwork> {
  const run = await all
    .learn(places(16, 64))
    .by(distilLocal({ smallest: 0.4, weight: 0 }))
    .with(adam({ lr: 1e-2 }))
    .train({ batch: 16, epochs: 20 })
    .run({ seeds: [100], quiet: true, record: false });
  return run.network();
}

const onCrops = (steps: number, strategy: Strategy): object =>
  all
    .limit({ train: 400 })
    .learn(places(8, 16))
    .by(strategy as never)
    .with(adam({ lr: 1e-2 }))
    .train({ batch: 16, steps });

/** P396: labels of what is seen in a crop against the one label of the image. */
async function localised(): Promise<Study> {
  const teacher = await cropTeacher();
  const by = (weight: number) =>
    onCrops(600, distilLocal({ teacher, top: 10, smallest: 0.4, weight }) as unknown as Strategy);
  const { found, figures } = await each({ "one label": by(0), "labels of places": by(1) });
  teacher.dispose();
  return {
    headline: "Crops are learnt better with what a teacher says of their own places than with the label of the image",
    outcome: outcomeOf(apart(found["labels of places"]!, found["one label"]!)),
    figures,
    seeds,
  };
}

/** P454: regions that are relabelled, dropped and mixed, against a teacher's answers as they are. */
async function regions(): Promise<Study> {
  const teacher = await cropTeacher();
  const by = (steps: number, low: number, high: number, mix: number, weight = 1) =>
    onCrops(steps, distilRegions({ teacher, smallest: 0.4, low, high, mix, weight }) as unknown as Strategy);
  const ways = (steps: number) => ({
    [`labels, ${steps} steps`]: by(steps, 0, 0, 0, 0),
    [`answers as they are, ${steps} steps`]: by(steps, 0, 0, 0),
    [`hard regions relabelled, ${steps} steps`]: by(steps, 0.3, 0.6, 0),
    [`and mixed, ${steps} steps`]: by(steps, 0.3, 0.6, 0.5),
  });
  const { found, figures } = await each({ ...ways(200), ...ways(600) });
  teacher.dispose();
  const gain = (steps: number) =>
    outcomeOf(apart(found[`and mixed, ${steps} steps`]!, found[`answers as they are, ${steps} steps`]!));
  return {
    headline:
      "Hard regions that get the label, and mixing within an image, teach sooner and more than answers as they are",
    outcome: allOf(gain(200), gain(600)),
    figures,
    seeds,
  };
}

/** P330: messages both ways against answers and features that go one way. */
async function talking(): Promise<Study> {
  const run = await all
    .learn(mlp({ hidden: [64, 32] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, epochs: 25 })
    .run({ seeds: [100], quiet: true, record: false });
  const teacher = await run.network();
  const base = all
    .limit({ train: 200 })
    .learn(mlp({ hidden: [16] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, steps: 600 });
  const { found, figures } = await each({
    "labels alone": base,
    answers: base.by(distil({ teacher })),
    features: base.by(distilFeatures({ teacher, objective: "mse" })),
    messages: base.by(distilMessages({ teacher })),
  });
  teacher.dispose();
  return {
    headline:
      "A network that talks with its teacher learns more than from its answers, from its features, or from labels",
    outcome: allOf(
      ...["labels alone", "answers", "features"].map((way) => outcomeOf(apart(found.messages!, found[way]!))),
    ),
    figures,
    seeds,
  };
}

export const teaching: Readonly<Record<string, () => Promise<Study>>> = {
  P330: talking,
  P396: localised,
  P454: regions,
};
