/**
 * The stability gap by its published protocol: `npm run bench -- stability`. Minutes for each seed.
 *
 * Images turned by 0°, 80° and 160°, incremental joint training: 500 steps after each arrival, batches of 128 for every task so far, plain
 * SGD at 0.1, two hidden layers of 400 (the example script of G. van de Ven's continual-learning repository, on MNIST). Here on
 * Fashion-MNIST where it is installed, else on digits; seed by seed the accuracy on the first task on 2000 test examples, every 2 steps within 100
 * steps of a switch and every 10 beyond. (The script evaluates after every step.)
 */
import {
  carriedOver,
  cumulative,
  digits,
  type Evaluated,
  fashionMnist,
  fit,
  mlp,
  type Place,
  type RunSpec,
  rotated,
  sgd,
} from "../../lib/index.ts";
import { record } from "../support/reference.ts";

const steps = 500;
/** Steps after a switch that are looked at closely. */
const near = 100;
const seeds = [0, 1, 2];
const data = await fashionMnist().catch(() => digits());
const base = rotated(data, [0, 80, 160])
  .learn(mlp({ hidden: [400, 400] }))
  .by(cumulative())
  .with(sgd({ lr: 0.1 }));

/** The run in pieces: batches grow with the tasks, and looks are dense after each switch. */
const pieces = [0, 1, 2].flatMap((experience): { readonly spec: RunSpec; readonly until: Place }[] => {
  const study = base.train({ batch: 128 * (experience + 1), steps });
  const looking = (everySteps: number): RunSpec =>
    study.evaluate({ everySteps, examples: 2000, tasks: "seen", share: 0 }).spec;
  return [
    { spec: looking(2), until: { experience, local: near } },
    { spec: looking(10), until: { experience: experience + 1, local: 0 } },
  ];
});

/** Accuracy on the first task over a run. */
async function firstTask(seed: number): Promise<Evaluated[]> {
  const curve: Evaluated[] = [];
  let from: Uint8Array | undefined;
  for (const [i, { spec, until }] of pieces.entries()) {
    const begun = from && carriedOver(from, pieces[i - 1]!.spec, spec, seed);
    const fitting = fit(spec, { seed, until, ...(begun && { from: begun }) });
    for await (const event of fitting) if (event.type === "evaluated" && event.on === 0) curve.push(event);
    from = fitting.save();
    fitting.dispose();
  }
  return curve;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share: number): number => Number((100 * share).toFixed(2));

/** Around a switch: the mean of the 50 steps before it, the lowest within 100 steps after it, the mean of the last 50 steps. */
function around(curve: readonly Evaluated[], at: number) {
  const within = (from: number, to: number) => curve.filter(({ step }) => step > from && step <= to);
  const level = (until: number): number => mean(within(until - 50, until).map(({ accuracy }) => accuracy));
  const lowest = within(at, at + near).reduce((least, look) => (look.accuracy < least.accuracy ? look : least));
  const before = level(at);
  return {
    before: points(before),
    lowest: points(lowest.accuracy),
    after: lowest.step - at,
    drop: points(before - lowest.accuracy),
    end: points(level(at + steps)),
  };
}

type Row = { readonly seed: number; readonly switch: number } & ReturnType<typeof around>;
const rows: Row[] = [];
for (const seed of seeds) {
  const curve = await firstTask(seed);
  for (const tasks of [1, 2]) rows.push({ seed, switch: tasks, ...around(curve, tasks * steps) });
  console.table(rows.slice(-2));
}
const of = (which: number) => {
  const own = rows.filter((row) => row.switch === which);
  return {
    drop: points(mean(own.map(({ drop }) => drop)) / 100),
    recovered: points(mean(own.map(({ end, before }) => end - before)) / 100),
  };
};
const unit = "percent of 2000 test examples of the first task; drop and recovered in points, mean over seeds";
record("stability gap", { data: data.name, unit, seeds: seeds.length, rows, first: of(1), second: of(2) });
