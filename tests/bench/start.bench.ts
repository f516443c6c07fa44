/** The first program's accuracies over more seeds: what `notebooks/start.ts` is expected to reach, with the spread over seeds. */
import { adam, averageAccuracy, classes, compare, digits, ewc, joint, mlp, naive, replay } from "thalweg";
import { record } from "../support/reference.ts";

const seeds = 10;
const study = classes(digits())
  .split(5)
  .scenario("class")
  .learn(mlp({ hidden: [100, 100] }))
  .with(adam({ lr: 1e-3 }))
  .train({ batch: 10, epochs: 10 });
const methods = [naive(), replay({ capacity: 200 }), ewc({ lambda: 100 }), joint()];
const results = await compare(...methods.map((method) => study.by(method)), { seeds, quiet: true });

const figures = Object.fromEntries(
  results.runs.map((run) => {
    const values = run.measure(averageAccuracy).map(({ value }) => value!);
    const mean = values.reduce((a, b) => a + b) / seeds;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (seeds - 1));
    return [run.name, { averageAccuracy: Number(mean.toFixed(4)), deviation: Number(deviation.toFixed(4)) }];
  }),
);
console.table(figures);
record("start", { program: "notebooks/start.ts", seeds, figures });
