/** The studies of networks that learn from networks, by row. */
import {
  adam,
  autoencoder,
  classes,
  concatenated,
  cost,
  digits,
  distil,
  distilEnsemble,
  distilFeatures,
  distilStored,
  from,
  futureTeacher,
  type Model,
  mlp,
  network,
  random,
  type Strategy,
  type TrainedNetwork,
  trained,
  views,
  vit,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const data = digits();
const all = classes(data).split(1);
const half = (k: 0 | 1) =>
  classes(data)
    .split(2)
    .scenario("class")
    .slice(k, k + 1);
const seeds = 6;
type Figures = Record<string, Study["figures"][string]>;

/** A network that has learnt a stream. */
async function taught(
  stream: typeof all | ReturnType<typeof half>,
  hidden: readonly number[],
  seed = 100,
  epochs = 25,
): Promise<TrainedNetwork> {
  const run = await stream
    .learn(mlp({ hidden: [...hidden] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, epochs })
    .run({ seeds: [seed], quiet: true, record: false });
  return run.network();
}

/** Accuracies by what is said of them. */
async function each(
  ways: Record<string, { study: object }>,
): Promise<{ found: Record<string, number[]>; figures: Figures }> {
  const found: Record<string, number[]> = {};
  for (const [name, { study }] of Object.entries(ways)) found[name] = await accuracies(study as never, seeds);
  return {
    found,
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
  };
}

const student = (stream: object, hidden: number[], steps: number) =>
  (stream as typeof all)
    .learn(mlp({ hidden }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, steps });

/** P309: which comparison of features teaches best. */
async function objectives(): Promise<Study> {
  const teacher = await taught(all, [64]);
  const base = student(all.limit({ train: 200 }), [16], 600);
  const by = (objective: "mse" | "cosine" | "relations" | "information", weight: number) => ({
    study: base.by(distilFeatures({ teacher, objective, weight })),
  });
  const { found, figures } = await each({
    "labels alone": { study: base },
    squares: by("mse", 1),
    angles: by("cosine", 1),
    relations: by("relations", 1),
    information: by("information", 0.3),
  });
  teacher.dispose();
  return {
    headline: "A bound on mutual information teaches more by features than squares, and both more than labels alone",
    outcome: allOf(
      outcomeOf(apart(found.information!, found.squares!)),
      outcomeOf(apart(found.information!, found["labels alone"]!)),
    ),
    figures,
    seeds,
  };
}

/** P393: several teachers' mean in place of labels. */
async function averaged(): Promise<Study> {
  const teachers = [await taught(all, [64], 100), await taught(all, [64], 101), await taught(all, [64], 102)];
  const base = student(all.limit({ train: 400 }), [12], 800);
  const own = { weight: 1, temperature: 1 };
  const { found, figures } = await each({
    "labels alone": { study: base },
    "one teacher": { study: base.by(distil({ teacher: teachers[0]!, ...own })) },
    "three teachers": { study: base.by(distilEnsemble({ teachers, ...own })) },
    "three teachers and a judge": { study: base.by(distilEnsemble({ teachers, ...own, adversary: 0.1 })) },
  });
  for (const teacher of teachers) teacher.dispose();
  return {
    headline:
      "A network that learns from the mean of several and a judge, without labels, is better than one that learns the labels",
    outcome: outcomeOf(apart(found["three teachers and a judge"]!, found["labels alone"]!)),
    figures,
    seeds,
  };
}

/** P451: teachers that each know half of the classes. */
async function fused(): Promise<Study> {
  const teachers = [await taught(half(0), [64], 100), await taught(half(1), [64], 101)];
  const base = student(all.limit({ train: 200 }), [32], 800);
  const { found, figures } = await each({
    "labels alone": { study: base },
    "their mean": { study: base.by(distilEnsemble({ teachers, weight: 0.7 })) },
    "weights that are learnt": { study: base.by(distilEnsemble({ teachers, weight: 0.7, combine: "learnt" })) },
  });
  for (const teacher of teachers) teacher.dispose();
  return {
    headline:
      "Weights that a small network learns keep teachers of unlike knowledge from disturbing each other, as their mean does not",
    outcome: outcomeOf(apart(found["weights that are learnt"]!, found["their mean"]!)),
    figures,
    seeds,
  };
}

/** P046: a teacher that knows some classes better and others not at all. */
async function complementary(): Promise<Study> {
  const own = await taught(all.limit({ train: 100 }), [64], 200, 60);
  const teacher = await taught(half(1), [64]);
  const base = all
    .learn(from(own, { head: "keep" }))
    .with(adam({ lr: 5e-4 }))
    .train({ batch: 16, steps: 400 });
  const by = (partition: "none" | "label" | "confidence") => ({
    study: base.by(distil({ teacher, weight: 1, temperature: 1, partition })),
  });
  const { found, figures } = await each({
    before: { study: base.train({ batch: 1437, steps: 1 }).with(adam({ lr: 1e-9 })) },
    "the teacher alone": by("none"),
    "who is surer of the label": by("label"),
    "who is surer": by("confidence"),
  });
  own.dispose();
  teacher.dispose();
  return {
    headline:
      "Where each example is learnt from who knows it better, a weaker network's knowledge is added without loss",
    outcome: allOf(
      outcomeOf(apart(found["who is surer of the label"]!, found.before!)),
      outcomeOf(apart(found["who is surer of the label"]!, found["the teacher alone"]!)),
    ),
    figures,
    seeds,
  };
}

/** P324: pseudo-labels of a teacher that has seen the next step. */
async function ahead(): Promise<Study> {
  const base = student(all.unlabel(0.96), [64], 1200);
  const by = (future: boolean, momentum: number): { study: object } => ({
    study: base.by(futureTeacher({ future, momentum, threshold: 0.8, noise: 0.15 })),
  });
  const { found, figures } = await each({
    "labels alone": { study: base },
    "teacher of the past": by(false, 0.99),
    "teacher ahead": by(true, 0.99),
  });
  return {
    headline: "A teacher that has seen the next step gives better labels than one of the past alone",
    outcome: allOf(
      outcomeOf(apart(found["teacher ahead"]!, found["teacher of the past"]!)),
      outcomeOf(apart(found["teacher ahead"]!, found["labels alone"]!)),
    ),
    figures,
    seeds,
  };
}

/** P287: features of four small networks against one as large, on classes that none has seen. */
async function rich(): Promise<Study> {
  const probe = (model: Model) => ({
    study: half(1)
      .limit({ train: 100 })
      .learn(model.freeze("**"))
      .with(adam({ lr: 1e-2 }))
      .train({ batch: 16, steps: 500 }),
  });
  const small = await Promise.all([0, 1, 2, 3].map((seed) => taught(half(0), [16], 300 + seed)));
  const large = await taught(half(0), [64], 304);
  const { found, figures } = await each({
    "one of 64": probe(from(large)),
    "one of 16": probe(from(small[0]!)),
    "four of 16, side by side": probe(concatenated(small)),
  });
  for (const one of [...small, large]) one.dispose();
  return {
    headline:
      "On classes that are new, a linear probe reads more out of four networks side by side than out of one as large",
    outcome: outcomeOf(apart(found["four of 16, side by side"]!, found["one of 64"]!)),
    figures,
    seeds,
  };
}

/** P314: what a network learns from one that has learnt nothing. */
async function nothing(): Promise<Study> {
  const model = mlp({ hidden: [64, 64, 64] });
  const weights = network(model, [8, 8, 1]).init(random(7), 10);
  const teacher = trained({ model, input: [8, 8, 1], weights, scale: 1 / 16, classes: all.classes });
  const learnt = await all
    .withhold("labels")
    .learn(model)
    .by(distil({ teacher, weight: 1, temperature: 0.05 }))
    .with(adam({ lr: 1e-3 }))
    .train({ batch: 32, epochs: 40 })
    .run({ seeds: [50], quiet: true, record: false })
    .then((run) => run.network());
  const probe = (one: TrainedNetwork) => ({
    study: all
      .learn(from(one).freeze("**"))
      .with(adam({ lr: 1e-2 }))
      .train({ batch: 32, steps: 1500 }),
  });
  const { found, figures } = await each({ "random teacher": probe(teacher), "its student": probe(learnt) });
  teacher.dispose();
  learnt.dispose();
  return {
    headline: "A linear probe reads more out of a student of a random network than out of that network",
    outcome: outcomeOf(apart(found["its student"]!, found["random teacher"]!)),
    figures,
    seeds,
  };
}

/** P387: pretraining, distillation and tuning, with and without each. */
async function stages(): Promise<Study> {
  const teacher = await taught(all, [64]);
  const unlabelled = all.withhold("labels");
  const small = mlp({ hidden: [16] });
  const tuned = (model: Model) => ({
    study: all
      .limit({ train: 60 })
      .learn(model)
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 10, steps: 300 }),
  });
  const stage = async (model: Model, strategy: Strategy): Promise<TrainedNetwork> =>
    (
      await unlabelled
        .learn(model)
        .by(strategy as never)
        .with(adam({ lr: 2e-3 }))
        .train({ batch: 16, epochs: 10 })
        .run({ seeds: [60], quiet: true, record: false })
    ).network();
  const said = distil({ teacher, weight: 1, temperature: 2 });
  const pretrained = await stage(small, autoencoder());
  const distilled = await stage(small, said);
  const both = await stage(from(pretrained), said);
  const { found, figures } = await each({
    tuned: tuned(small),
    "pretrained, tuned": tuned(from(pretrained)),
    "distilled, tuned": tuned(from(distilled, { head: "keep" })),
    "pretrained, distilled, tuned": tuned(from(both, { head: "keep" })),
  });
  for (const one of [teacher, pretrained, distilled, both]) one.dispose();
  return {
    headline: "Pretraining, then distillation without labels, then tuning is better than to leave out either",
    outcome: allOf(
      outcomeOf(apart(found["pretrained, distilled, tuned"]!, found["distilled, tuned"]!)),
      outcomeOf(apart(found["pretrained, distilled, tuned"]!, found["pretrained, tuned"]!)),
      outcomeOf(apart(found["pretrained, distilled, tuned"]!, found.tuned!)),
    ),
    figures,
    seeds,
  };
}

/** P395: a small transformer and stored answers. */
async function stored(): Promise<Study> {
  const teacher = await taught(all, [128]);
  const own = vit({ patch: 2, width: 16, depth: 1, heads: 2, widen: 2 });
  const base = all
    .limit({ train: 500 })
    .learn(own)
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 20, epochs: 16 });
  const ways = {
    "labels alone": base,
    "labels alone, moved": base.with(adam({ lr: 3e-3 }), views({ pad: 1 })),
    "a teacher in every step, moved": base
      .by(distil({ teacher, weight: 1, temperature: 1 }))
      .with(adam({ lr: 3e-3 }), views({ pad: 1 })),
    "three stored numbers of each of four views": base.by(distilStored({ teacher, top: 3, views: 4, pad: 1 })),
  };
  const figures: Figures = {};
  const found: Record<string, number[]> = {};
  for (const [name, study] of Object.entries(ways)) {
    const run = await study.evaluate({ every: "end", share: 0 }).run({ seeds, quiet: true, record: false });
    found[name] = run.logs.map((_, seed) => run.matrix({ seed }).values.at(-1)!.at(-1)!);
    figures[`accuracy, ${name}`] = band(found[name]!);
    figures[`GFLOPs, ${name}`] = Number((cost.flops(run.logs[0]!.events).value! / 1e9).toFixed(2));
  }
  teacher.dispose();
  const [labels, alone, , kept] = Object.values(found);
  return {
    headline: "A small transformer learns more from stored answers than from labels, at no teacher's cost in a step",
    outcome: allOf(outcomeOf(apart(kept!, labels!)), outcomeOf(apart(kept!, alone!))),
    figures,
    seeds,
  };
}

/** P059: specialists that each know half of the classes, heard for these alone. */
async function specialists(): Promise<Study> {
  const knows = (network: TrainedNetwork, met: number[]): TrainedNetwork => network.with({ scenario: "growing", met });
  const teachers = [
    knows(await taught(half(0), [64], 100), [0, 1, 2, 3, 4]),
    knows(await taught(half(1), [64], 101), [5, 6, 7, 8, 9]),
  ];
  const base = student(all.limit({ train: 150 }), [32], 400);
  const { found, figures } = await each({
    "labels alone": { study: base },
    "specialists, each for its own classes": {
      study: base.by(distilEnsemble({ teachers, weight: 0.7, combine: "own" })),
    },
  });
  for (const teacher of teachers) teacher.dispose();
  return {
    headline: "One network that several specialists teach is better than one that learns all classes from labels",
    outcome: outcomeOf(apart(found["specialists, each for its own classes"]!, found["labels alone"]!)),
    figures,
    seeds,
  };
}

/** P325: pretrained further on what is to be learnt, and once more with that as a teacher. */
async function further(): Promise<Study> {
  const begun = await taught(half(0), [32], 300, 15);
  const few = all.limit({ train: 60 });
  const learn = (model: Model, steps: number, stream: typeof all, by: Strategy[], seed: number) => {
    const study = stream
      .learn(model)
      .with(adam({ lr: 1e-3 }))
      .train({ batch: 16, steps });
    const own = by.length === 0 ? study : study.by(...(by as unknown as []));
    return (own as typeof study).run({ seeds: [seed], quiet: true, record: false });
  };
  const hidden = autoencoder({ hide: 0.5 });
  const found: Record<string, number[]> = {};
  for (let seed = 0; seed < 5; seed++) {
    const teacher = await (await learn(from(begun), 200, all, [hidden], seed)).network();
    const both = [hidden, distilFeatures({ teacher, objective: "mse" })];
    const student = await (await learn(from(begun), 200, all, both, seed)).network();
    for (const [name, network] of Object.entries({
      "as it was": begun,
      "pretrained further": teacher,
      "and taught by that": student,
    })) {
      const run = await learn(from(network), 120, few, [], seed);
      (found[name] ??= []).push(run.matrix({ seed }).values.at(-1)!.at(-1)!);
    }
  }
  begun.dispose();
  return {
    headline: "Pretraining further with the further pretrained network as a teacher of features is better than without",
    outcome: outcomeOf(apart(found["and taught by that"]!, found["pretrained further"]!)),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)])),
    seeds: 5,
  };
}

export const distilling: Readonly<Record<string, () => Promise<Study>>> = {
  P046: complementary,
  P059: specialists,
  P287: rich,
  P309: objectives,
  P314: nothing,
  P324: ahead,
  P325: further,
  P387: stages,
  P393: averaged,
  P395: stored,
  P451: fused,
};
