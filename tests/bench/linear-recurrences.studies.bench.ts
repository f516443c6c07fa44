/**
 * Studies of rows of the systems catalogue about what linear recurrences are: `npx tsx tests/bench/linear-recurrences.studies.bench.ts`, or some of them alone, by their rows. A minute
 * or two for all.
 */

import { adam, classes, digits, gather, implicitAttribution, net, type TrainedNetwork, tf } from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** P214: digits as 16 pieces of 2 × 2 pixels, read by two blocks of Mamba; pieces are blackened in the order of what explains the answer. */
async function explained(): Promise<Study> {
  const [seeds, side, pieces, count] = [3, 8, 16, 200];
  const own = classes(digits())
    .split(1)
    .learn(
      net()
        .patches(2)
        .dense(24)
        .residual((n) => n.layerNorm().mamba({ state: 4 }))
        .residual((n) => n.layerNorm().mamba({ state: 4 }))
        .layerNorm()
        .globalPool(),
    )
    .with(adam({ lr: 4e-3 }))
    .train({ batch: 64, epochs: 8 });
  const run = await own.run({ seeds, quiet: true, record: false });
  const found: Record<string, number[]> = {};
  const add = (name: string, value: number): void => void (found[name] ??= []).push(value);
  for (let seed = 0; seed < seeds; seed++) {
    const network: TrainedNetwork = await run.network({ seed });
    const x = tf.tensor(
      gather(
        digits().test,
        Array.from({ length: count }, (_, i) => i),
      ),
      [count, side, side, 1],
    );
    const first = [...tf.argMax(network.predict(x), 1).dataSync()];
    /** The share of answers that stay, averaged over how many pieces are blackened. */
    const kept = (scores: readonly (readonly number[])[], sign: 1 | -1): number => {
      const orders = scores.map((row) => row.map((_, i) => i).sort((a, b) => sign * (row[b]! - row[a]!)));
      const values = x.dataSync().slice();
      const shares: number[] = [];
      for (let gone = 0; gone < pieces - 1; gone++) {
        orders.forEach((order, i) => {
          const piece = order[gone]!;
          const [row, column] = [2 * Math.floor(piece / 4), 2 * (piece % 4)];
          for (const at of [0, 1, side, side + 1]) values[i * side * side + row * side + column + at] = 0;
        });
        const now = tf.argMax(network.predict(tf.tensor(values, [count, side, side, 1])), 1).dataSync();
        shares.push(mean(first.map((label, i) => Number(now[i] === label))));
      }
      return mean(shares);
    };
    add("accuracy", mean(run.matrix({ seed }).values.at(-1)!));
    for (const [name, of] of [
      ["the whole", "weights"],
      ["the recurrence alone", "core"],
    ] as const) {
      for (const gradients of [true, false]) {
        const scores = implicitAttribution(network, x, { of, gradients, from: "mean" });
        const way = gradients ? "with gradients" : "rolled out";
        add(`answers kept, what counts most blackened first: ${name}, ${way}`, kept(scores, 1));
        add(`answers kept, what counts least blackened first: ${name}, ${way}`, kept(scores, -1));
      }
    }
  }
  const of = (way: string, name: string, gradients: string): number[] =>
    found[`answers kept, what counts ${way} blackened first: ${name}, ${gradients}`]!;
  return {
    headline:
      "Attribution through the whole implicit attention (gates and convolutions in it) explains answers better than through the attention of Mamba's recurrence alone",
    outcome: allOf(
      outcomeOf(apart(of("most", "the recurrence alone", "with gradients"), of("most", "the whole", "with gradients"))),
      outcomeOf(
        apart(of("least", "the whole", "with gradients"), of("least", "the recurrence alone", "with gradients")),
      ),
    ),
    figures: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const all: Record<string, () => Promise<Study>> = { P214: explained };
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
