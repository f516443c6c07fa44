/**
 * Learning at test time on corrupted digits at severity 5: `npm run bench -- test-time`. A few minutes.
 *
 * A small convolutional network with batch normalisation learns digits of 8×8; four corruptions come one after the other, 150 test digits each,
 * and nothing is reset between them (continual); and the same with the digits in the order of their table. What is measured is the share predicted
 * wrong as it arrives. The orderings are those that the authors of RMT and ROID report for CIFAR-10-C.
 */

import {
  adam,
  bnAdapt,
  classes,
  cotta,
  digits,
  dynamicEvaluation,
  eata,
  errorMemory,
  evaluation,
  fromText,
  gpt,
  lame,
  type Model,
  mlp,
  net,
  onlineError,
  rmt,
  roid,
  rotta,
  type Strategy,
  sar,
  sea,
  sequence,
  sgd,
  tent,
} from "../../lib/index.ts";
import { record, recordStudy } from "../support/reference.ts";

const seeds = 3;
const kinds = ["gaussianNoise", "impulseNoise", "defocusBlur", "contrast"] as const;
const stream = classes(digits()).split(1).corrupt(kinds, 5, { part: "test" }).limit({ train: 800, test: 150 });
const model = net()
  .conv(8, 3)
  .batchNorm()
  .relu()
  .conv(16, 3, { stride: 2 })
  .batchNorm()
  .relu()
  .flatten() as Model<"image">;
const views = { shiftPixels: 0, noise: 0.05 } as const;
const continual = { reset: "round", batch: 50 } as const;
const methods = (shuffle: boolean): Readonly<Record<string, Strategy>> => ({
  source: bnAdapt({ prior: 1e9, batch: 50, shuffle }),
  "bn-adapt": bnAdapt({ prior: 0, batch: 50, shuffle }),
  tent: tent({ ...continual, shuffle }),
  eata: eata({ ...continual, shuffle }),
  sar: sar({ ...continual, shuffle }),
  cotta: cotta({ ...continual, ...views, shuffle }),
  roid: roid({ ...continual, ...views, shuffle }),
  rmt: rmt({ ...continual, ...views, shuffle }),
  rotta: rotta({ ...continual, ...views, shuffle, follow: 0.2 }),
  lame: lame({ batch: 50, shuffle }),
});
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
/** Mean and its 95% interval by Student's t with two degrees of freedom. */
function band(values: readonly number[]) {
  const centre = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
  const half = (4.303 * deviation) / Math.sqrt(values.length);
  const round = (v: number): number => Number(v.toFixed(4));
  return { mean: round(centre), interval: [round(centre - half), round(centre + half)] as const };
}

const base = stream
  .learn(model)
  .with(adam({ lr: 3e-3 }))
  .train({ epochs: 1, batch: 32 })
  .evaluate({ ...evaluation({}), every: "end", share: 0, atStart: false });
const found: Record<string, number[]> = {};
for (const shuffle of [true, false])
  for (const [name, own] of Object.entries(methods(shuffle))) {
    const key = `${shuffle ? "continual" : "in the order of the table"}, ${name}`;
    const started = performance.now();
    const run = await base.by(own as never).run({ seeds, quiet: true, record: false });
    found[key] = Array.from({ length: seeds }, (_, seed) => onlineError(run.logs[seed]!.events).value!);
    console.log(key, band(found[key]!), `${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
const error = (name: string): number => mean(found[name]!);
const orderings: readonly (readonly [better: string, worse: string])[] = [
  ["continual, bn-adapt", "continual, source"],
  ["continual, tent", "continual, bn-adapt"],
  ["continual, eata", "continual, tent"],
  ["continual, cotta", "continual, tent"],
  ["continual, roid", "continual, cotta"],
  ["continual, rmt", "continual, cotta"],
  ["continual, bn-adapt", "continual, lame"],
];
const held = orderings.map(([better, worse]) => ({ better, worse, met: error(better) < error(worse) }));
console.log(held);
record("testTime", {
  seeds,
  kinds,
  severity: 5,
  onlineError: Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)])),
  orderings: held,
});

function decided(
  id: string,
  headline: string,
  gains: readonly number[],
  more: Record<string, ReturnType<typeof band>>,
): void {
  const gain = band(gains);
  const [low, high] = gain.interval;
  const outcome = low > 0 ? "holds" : high < 0 ? "does not hold here" : "undecided";
  recordStudy(id, { headline, outcome, figures: { ...more, "gain, seed by seed": gain }, seeds });
  console.log(id, outcome, gain);
}
const named = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [`online error, ${name}`, band(found[name]!)]));
decided(
  "P169",
  "A robust mean teacher errs less on corruptions that come one after the other than CoTTA",
  found["continual, cotta"]!.map((value, seed) => value - found["continual, rmt"]![seed]!),
  named("continual, rmt", "continual, cotta", "continual, source"),
);

// Dynamic evaluation: a text whose second half repeats other words
const words = (list: readonly string[], count: number, step: number): string =>
  Array.from({ length: count }, (_, i) => list[(i * step + Math.floor(i / 7)) % list.length]).join(" ");
const text = fromText(
  `${words(["red", "green", "blue", "black"], 300, 3)} ${words(["tern", "heron", "egret", "crane"], 300, 5)}`,
  { length: 24 },
);
const losses = async (own: readonly Strategy[]): Promise<number[]> => {
  const run = await sequence(text, 1)
    .learn(gpt({ tokens: text.classes.length, width: 24, depth: 1, heads: 2 }))
    .with(adam({ lr: 5e-3 }))
    .train({ epochs: 4, batch: 8 })
    .by(...(own as never[]))
    .evaluate({ atStart: false })
    .run({ seeds, quiet: true, record: false });
  return Array.from(
    { length: seeds },
    (_, seed) =>
      [...run.logs[seed]!.events].flatMap((event) => (event.type === "evaluated" ? [event.loss] : [])).at(-1)!,
  );
};
const [fixed, dynamic] = [await losses([]), await losses([dynamicEvaluation({ lr: 2e-3 })])];
decided(
  "P085",
  "Learning from what it has read makes a sequence model's next predictions better",
  fixed.map((value, seed) => value - dynamic[seed]!),
  { "loss, static": band(fixed), "loss, dynamic": band(dynamic) },
);

// An error memory: concepts that change, predicted as they come
const accuracies = async (own: readonly Strategy[]): Promise<number[]> => {
  const run = await sea({ concepts: [0, 1, 2, 3, 0], examples: 400 })
    .learn(mlp({ hidden: [32] }))
    .with(sgd({ lr: 0.01 }))
    .train({ epochs: 1, batch: 10 })
    .by(...(own as never[]))
    .run({ seeds, quiet: true, record: false });
  return Array.from({ length: seeds }, (_, seed) =>
    mean(run.matrix({ seed }).values.map((row, i) => row[Math.min(i, row.length - 1)]!)),
  );
};
const [slow, compensated] = [await accuracies([]), await accuracies([errorMemory({ slots: 200 })])];
decided(
  "P000",
  "An error memory makes a slow model more accurate where concepts drift",
  compensated.map((value, seed) => value - slow[seed]!),
  { "accuracy, slow model": band(slow), "accuracy, with its errors remembered": band(compensated) },
);
