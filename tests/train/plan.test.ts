import {
  blobs,
  classes,
  constant,
  evaluation,
  evaluator,
  fit,
  mlp,
  type RunSpec,
  sgd,
  strategy,
  tf,
  training,
} from "thalweg";
import { describe, expect, test } from "vitest";

const data = blobs({ classes: 4, dimensions: 6, perClass: 35 });
const base: RunSpec = {
  stream: classes(data).split(2),
  model: mlp({ hidden: [8] }),
  strategies: [],
  optimizer: sgd({ lr: 0.1 }),
  schedule: constant(),
  training: training({ batch: 5 }),
  evaluation: evaluation({ share: 0 }),
};

const sum = (n: number, of: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < n; i++) total += of(i);
  return total;
};

describe("evaluation", () => {
  /** Logits whose mean over the batch is taken away: what a row gets depends on its neighbours. */
  const centred = (rows: number[]) =>
    strategy("centred", {}, () => ({
      predict(_state, { x, logits }) {
        rows.push(x.shape[0]!);
        return tf.sub(logits, tf.mean(logits, 0, true));
      },
    }))();

  test("a predict that reads the batch sees the examples alone: the mean over a test table is the one by hand", async () => {
    const rows: number[] = [];
    const spec = { ...base, strategies: [centred(rows)] };
    const run = fit(spec, { until: { experience: 0, local: 0 } });
    let loss = 0;
    for await (const event of run) if (event.type === "evaluated" && event.on === 1) loss = event.loss;
    const { network, learner } = run.session;
    const { examples } = spec.stream.seeded(0).test(1);
    const { weights, statistics } = learner;
    const { logits } = evaluator(network, []).outputs({ weights, statistics, states: {} }, examples, null);
    const [n, columns] = [examples.length, data.classes.length];
    const mean = Array.from({ length: columns }, (_, c) => sum(n, (i) => logits[i * columns + c]!) / n);
    const of = (i: number, c: number): number => logits[i * columns + c]! - mean[c]!;
    const wanted = sum(n, (i) => Math.log(sum(columns, (c) => Math.exp(of(i, c)))) - of(i, examples.labels[i]!)) / n;
    expect(n % 32).not.toBe(0);
    expect(loss).toBeCloseTo(wanted, 5);
    expect(new Set(rows)).toEqual(new Set([n]));
    run.dispose();
  });

  test("a forward that reads the batch sees no other rows either, and one that says it is rowwise runs in few sizes", async () => {
    const seen = async (rowwise: boolean) => {
      const rows = new Set<number>();
      const counted = strategy("counted", {}, () => ({
        rowwise,
        forward(_state, { plain, x, training }) {
          if (!training) rows.add(x.shape[0]!);
          return plain();
        },
      }))();
      for await (const _ of fit({ ...base, strategies: [counted] }, { until: { experience: 0, local: 0 } }));
      return rows;
    };
    const { length } = base.stream.seeded(0).test(0).examples;
    expect(await seen(false)).toEqual(new Set([length]));
    expect(await seen(true)).toEqual(new Set([128]));
  });
});
