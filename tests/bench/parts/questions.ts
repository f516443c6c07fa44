/** The studies of questions, coresets and teachers, by row. */
import {
  activeDistil,
  adam,
  cal,
  classes,
  cnn,
  coreset,
  cost,
  digits,
  distil,
  fromScratch,
  mlp,
  type Strategy,
  type TrainedNetwork,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf } from "./studies.ts";

const model = mlp({ hidden: [64] });
const all = classes(digits()).split(1);

/** P201: rounds of questions with replay against training anew on all that is labelled. */
async function continualQuestions(): Promise<Study> {
  const seeds = 5;
  const base = all
    .repeat(16)
    .active(20)
    .learn(model)
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 10, epochs: 25 })
    .evaluate({ every: "end", share: 0 });
  const ways: Record<string, readonly Strategy[]> = {
    "all labels again, from nothing": [cal({ pool: "one", by: "margin", past: "all" }), fromScratch()],
    "new labels alone": [cal({ pool: "one", by: "margin", past: "none" })],
    replay: [cal({ pool: "one", by: "margin", distil: 0 })],
    "replay and distillation": [cal({ pool: "one", by: "margin", distil: 0.5 })],
    "replay and distillation, diverse": [cal({ pool: "one", by: "margin", distil: 0.5, prefer: "diverse" })],
  };
  const figures: Record<string, Study["figures"][string]> = {};
  const found: Record<string, { accuracy: number[]; rows: number }> = {};
  for (const [name, strategies] of Object.entries(ways)) {
    const run = await base.by(...(strategies as never[])).run({ seeds, quiet: true, record: false });
    const logs = run.logs.map(({ events }) => events);
    const accuracy = Array.from({ length: seeds }, (_, seed) => run.matrix({ seed }).values.at(-1)!.at(-1)!);
    // A step of replay has as many rows of the past again.
    const rows = cost.steps(logs[0]!).value! * (name.startsWith("replay") ? 20 : 10);
    found[name] = { accuracy, rows };
    figures[`rows trained on, ${name}`] = rows;
    figures[`accuracy, ${name}`] = band(accuracy);
    figures[`GFLOPs, ${name}, questions included`] = Number((cost.flops(logs[0]!).value! / 1e9).toFixed(3));
  }
  const [anew, none, , best] = Object.values(found) as { accuracy: number[]; rows: number }[];
  figures["times fewer rows than from nothing"] = Number((anew!.rows / best!.rows).toFixed(2));
  return {
    headline: "Replay with distillation keeps the accuracy of training anew on all labels at a third of the cost",
    outcome: allOf(
      outcomeOf(apart(best!.accuracy, anew!.accuracy), -0.01),
      outcomeOf(apart(best!.accuracy, none!.accuracy)),
      anew!.rows > 3 * best!.rows ? "holds" : "does not hold here",
    ),
    figures,
    seeds,
  };
}

/** A perceptron that has learnt all data, as the teacher of a run. */
async function taught(hidden: readonly number[] = [64], labels = 0): Promise<TrainedNetwork> {
  const stream = labels === 0 ? all : all.limit({ train: labels });
  const run = await stream
    .learn(mlp({ hidden: [...hidden] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, epochs: labels === 0 ? 25 : 80 })
    .run({ seeds: [100], quiet: true, record: false });
  return run.network();
}

/** P390: 60 % of the data, chosen by quantisation with a trained network's features, for that architecture and another. */
async function quantised(): Promise<Study> {
  const seeds = 6;
  const using = await taught();
  const figures: Record<string, Study["figures"][string]> = {};
  const outcomes: Study["outcome"][] = [];
  for (const [name, own] of [
    ["perceptron", model],
    ["convolutions", cnn({ filters: [8, 16], units: 64 })],
  ] as const) {
    const base = all
      .learn(own as never)
      .with(adam({ lr: 2e-3 }))
      .train({ batch: 16, steps: 1200 });
    const whole = await accuracies(base as never, seeds);
    const of: Record<string, number[]> = {};
    for (const [share, by] of [
      [0.6, "quantised"],
      [0.6, "random"],
      [0.1, "quantised"],
      [0.1, "random"],
    ] as const) {
      of[`${by} ${share}`] = await accuracies(base.by(coreset({ share, by, using }) as never) as never, seeds);
      figures[`accuracy, ${name}, ${share * 100} % ${by}`] = band(of[`${by} ${share}`]!);
    }
    figures[`accuracy, ${name}, all data`] = band(whole);
    outcomes.push(outcomeOf(apart(of["quantised 0.6"]!, whole), -0.01));
  }
  using.dispose();
  return {
    headline:
      "60 % of the data, taken evenly from the bins of a quantisation, trains to within a point of all, other architectures too",
    outcome: allOf(...outcomes),
    figures,
    seeds,
  };
}

/** P354: pruned data with and without a teacher that has seen all of it. */
async function prunedWithTeacher(): Promise<Study> {
  const seeds = 5;
  const teacher = await taught();
  const figures: Record<string, Study["figures"][string]> = {};
  const outcomes: Study["outcome"][] = [];
  const base = all
    .learn(model)
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, steps: 800 });
  for (const share of [0.05, 0.2]) {
    const found: Record<string, number[]> = {};
    for (const by of ["random", "herding", "error"] as const)
      for (const weight of [0, 0.9]) {
        const study = base.by(coreset({ share, by, using: teacher }), distil({ teacher, weight, temperature: 4 }));
        found[`${by} ${weight}`] = await accuracies(study as never, seeds);
        const name = `${share * 100} %, ${by}, ${weight === 0 ? "labels alone" : "with the teacher"}`;
        figures[`accuracy, ${name}`] = band(found[`${by} ${weight}`]!);
      }
    outcomes.push(outcomeOf(apart(found["random 0.9"]!, found["random 0"]!)));
    for (const by of ["herding", "error"])
      outcomes.push(outcomeOf(apart(found["random 0.9"]!, found[`${by} 0.9`]!), -0.01));
  }
  teacher.dispose();
  return {
    headline:
      "With a teacher that has seen all data, random pruning is as good as choosing, and better than without it",
    outcome: allOf(...outcomes),
    figures,
    seeds,
  };
}

/** P458: few questions to a teacher that errs. */
async function fewQuestions(): Promise<Study> {
  const seeds = 6;
  const teacher = await taught([64], 150);
  const base = all
    .unlabel(0.95)
    .repeat(4)
    .learn(mlp({ hidden: [16] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, steps: 300 })
    .evaluate({ every: "end", share: 0 });
  const found: Record<string, number[]> = {};
  for (const by of ["robust", "random", "margin", "entropy"] as const)
    found[by] = await accuracies(
      base.by(activeDistil({ teacher, questions: 40, by, pool: "one" }) as never) as never,
      seeds,
    );
  teacher.dispose();
  return {
    headline:
      "At as many questions a draw that allows for the teacher's mistakes gives a better student than active learning",
    outcome: allOf(...["random", "margin", "entropy"].map((by) => outcomeOf(apart(found.robust!, found[by]!)))),
    figures: Object.fromEntries(Object.entries(found).map(([by, values]) => [`accuracy, ${by}`, band(values)])),
    seeds,
  };
}

export const questions: Readonly<Record<string, () => Promise<Study>>> = {
  P201: continualQuestions,
  P354: prunedWithTeacher,
  P390: quantised,
  P458: fewQuestions,
};
