/**
 * Compact transformers from nothing on few images: `npm run bench -- compact`. A few minutes.
 *
 * The direction of the headline of Hassani et al. 2021 (P371): with a convolutional tokenizer and sequence pooling a transformer of a few
 * ten thousand parameters learns from little data what one of patches and a class token does not. Digits of 8×8, 1,000 of them; widths, depths
 * and places are the same.
 */

import { leaves } from "../../lib/engine/index.ts";
import { adam, cct, classes, digits, type Model, network, random, vit } from "../../lib/index.ts";
import { recordStudy } from "../support/reference.ts";

const seeds = 12;
const size = { width: 32, depth: 2, heads: 2, widen: 1 };
const models = {
  "compact: convolutions, sequence pooling": cct({ ...size, convolutions: 1 }),
  "patches, class token": vit({ ...size, patch: 2 }),
};

async function accuracies(model: Model<"image">): Promise<number[]> {
  const run = await classes(digits())
    .split(1)
    .limit({ train: 1000 })
    .learn(model)
    .with(adam({ lr: 1e-3 }))
    .train({ batch: 32, epochs: 20 })
    .run({ seeds, quiet: true, record: false });
  return Array.from({ length: seeds }, (_, seed) => run.matrix({ seed }).values[0]![0]!);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
/** Mean and its 95% interval by Student's t with eleven degrees of freedom. */
function band(values: readonly number[]) {
  const centre = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
  const half = (2.201 * deviation) / Math.sqrt(values.length);
  const round = (v: number): number => Number(v.toFixed(4));
  return { mean: round(centre), interval: [round(centre - half), round(centre + half)] as const };
}

const figures: Record<string, number | ReturnType<typeof band>> = {};
const found: number[][] = [];
for (const [name, model] of Object.entries(models)) {
  const values = await accuracies(model);
  found.push(values);
  figures[`accuracy, ${name}`] = band(values);
  const weights = network(model, [8, 8, 1]).init(random(0), 10);
  figures[`parameters, ${name}`] = leaves(weights).reduce((sum, { size }) => sum + size, 0);
}
const gain = band(found[0]!.map((value, i) => value - found[1]![i]!));
figures["gain in accuracy, seed by seed"] = gain;
const [low, high] = gain.interval;
const outcome = low > 0 ? "holds" : high < 0 ? "does not hold here" : "undecided";
console.log(figures, outcome);
recordStudy("P371", {
  headline:
    "From nothing on little data a compact convolutional transformer is more accurate than one of patches of its size",
  outcome,
  figures,
  seeds,
});
