/**
 * Learning at test time at severity 5, on digits of 8×8 and on Fashion-MNIST: `npm run bench -- test-time`, or a part of it alone:
 * `npx tsx tests/bench/test-time.bench.ts digits P423`. A quarter of an hour for all.
 *
 * A small convolutional network with batch normalisation learns; corruptions come one after the other and nothing is reset between them
 * (continual); and the same with the examples of each class on end (correlated), for methods that are made for it. What is measured is the share
 * predicted wrong as it arrives. The orderings are those that the authors of RMT, ROID, LAME and RoTTA report for CIFAR-10-C.
 */

import { select } from "../../lib/data/dataset.ts";
import {
  adam,
  bnAdapt,
  classes,
  cotta,
  csfa,
  cumulative,
  digits,
  dynamicEvaluation,
  eata,
  ecotta,
  errorMemory,
  evaluation,
  experience,
  fashionMnist,
  fromText,
  gpt,
  lame,
  type Model,
  memo,
  metaDmoe,
  mlp,
  net,
  onlineError,
  rmt,
  rna,
  roid,
  rotated,
  rotta,
  type Strategy,
  sar,
  sea,
  sequence,
  sgd,
  tent,
} from "../../lib/index.ts";
import { record, recordStudy, reference } from "../support/reference.ts";
import { allOf, outcomeOf } from "./parts/studies.ts";

const seeds = 3;
const kinds = ["gaussianNoise", "impulseNoise", "defocusBlur", "contrast"] as const;
type Images = ReturnType<typeof digits>;
/** The test examples of each class on end. */
const byClass = ({ test, ...data }: Images): Images => {
  const order = [...test.labels.keys()].sort((a, b) => test.labels[a]! - test.labels[b]!);
  return { ...data, test: select(test, Uint32Array.from(order)) };
};
const corrupted = (data: Images, train: number, test: number) =>
  classes(data).split(1).corrupt(kinds, 5, { part: "test" }).limit({ train, test });
/** As many test examples of each class, so that a limit takes all classes. */
const evenly = ({ test, ...data }: Images, count: number): Images => {
  const met = new Map<number, number>();
  const rows = [...test.labels.keys()].filter((i) => {
    const label = test.labels[i]!;
    met.set(label, (met.get(label) ?? 0) + 1);
    return met.get(label)! <= count / 10;
  });
  return { ...data, test: select(test, Uint32Array.from(rows)) };
};
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
  memo: memo({ batch: 1, views: 4, shuffle }),
  ecotta: ecotta({ ...continual, parts: 2, shuffle }),
  csfa: csfa({ ...continual, shuffle }),
  rna: rna({ batch: 50, shuffle }),
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

const found: Record<string, number[]> = {};
const seconds: Record<string, number> = {};
async function table(name: string, data: Images, train: number, test: number): Promise<void> {
  const even = evenly(data, test);
  for (const [order, stream] of [
    ["continual", corrupted(even, train, test)],
    ["correlated", corrupted(byClass(even), train, test)],
  ] as const) {
    const base = stream
      .learn(model)
      .with(adam({ lr: 3e-3 }))
      .train({ epochs: 1, batch: 32 })
      .evaluate({ ...evaluation({}), every: "end", share: 0, atStart: false });
    for (const [method, own] of Object.entries(methods(order === "continual"))) {
      if (method === "memo" && (order === "correlated" || name !== "digits")) continue; // it looks at one example at a time, whatever came before
      const key = `${name}, ${order}, ${method}`;
      const started = performance.now();
      const run = await base.by(own as never).run({ seeds, quiet: true, record: false });
      seconds[key] = (performance.now() - started) / 1000;
      found[key] = Array.from({ length: seeds }, (_, seed) => onlineError(run.logs[seed]!.events).value!);
      console.log(key, band(found[key]!), `${seconds[key].toFixed(1)} s`);
    }
  }
}
const wanted = process.argv.slice(2);
const due = (part: string): boolean => wanted.length === 0 || wanted.includes(part);
const error = (name: string): number => mean(found[name]!);
/** Records what a table came to, with the orderings that the methods' authors report. */
function recorded(name: string): void {
  const of = (order: string, method: string): string => `${name}, ${order}, ${method}`;
  const orderings: readonly (readonly [better: string, worse: string])[] = [
    [of("continual", "bn-adapt"), of("continual", "source")],
    [of("continual", "tent"), of("continual", "bn-adapt")],
    [of("continual", "eata"), of("continual", "tent")],
    [of("continual", "cotta"), of("continual", "tent")],
    [of("continual", "roid"), of("continual", "cotta")],
    [of("continual", "rmt"), of("continual", "cotta")],
    [of("continual", "ecotta"), of("continual", "cotta")],
    [of("continual", "bn-adapt"), of("continual", "lame")],
    [of("correlated", "source"), of("correlated", "bn-adapt")],
    [of("correlated", "lame"), of("correlated", "source")],
    [of("correlated", "rotta"), of("correlated", "bn-adapt")],
    [of("correlated", "rotta"), of("correlated", "tent")],
  ];
  const held = orderings.map(([better, worse]) => ({ better, worse, met: error(better) < error(worse) }));
  console.log(held);
  const own = Object.entries(found).filter(([key]) => key.startsWith(`${name}, `));
  const before = reference().testTime as Record<string, unknown> | undefined;
  record("testTime", {
    ...Object.fromEntries(Object.entries(before ?? {}).filter(([key]) => ["digits", "fashion"].includes(key))),
    [name]: {
      seeds,
      kinds,
      severity: 5,
      onlineError: Object.fromEntries(own.map(([key, values]) => [key, band(values)])),
      orderings: held,
    },
  });
}

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
if (due("fashion")) {
  await table("fashion", await fashionMnist(), 800, 100);
  recorded("fashion");
}
if (due("digits")) {
  await table("digits", digits(), 800, 150);
  recorded("digits");
  decided(
    "P169",
    "A robust mean teacher errs less on corruptions that come one after the other than CoTTA",
    found["digits, continual, cotta"]!.map((value, seed) => value - found["digits, continual, rmt"]![seed]!),
    named("digits, continual, rmt", "digits, continual, cotta", "digits, continual, source"),
  );
  const gains = (better: string, worse: string): number[] =>
    found[worse]!.map((value, seed) => value - found[better]![seed]!);
  /** Numbers that a gradient needs of one example: inputs of kernels that are trained and of normalisations, for the network above on digits. */
  const kept = {
    // all weights: what comes into both convolutions, both normalisations and the head
    all: 64 + 8 * 64 + 8 * 64 + 16 * 16 + 16 * 16,
    // small networks beside two parts: what comes into the parts, and what both normalisations of each get
    beside: 64 + 2 * 8 * 64 + 8 * 64 + 2 * 16 * 16,
  };
  const ecottaGain = gains("digits, continual, ecotta", "digits, continual, cotta");
  recordStudy("P022", {
    headline: "Less than a fifth of CoTTA's activations are kept for the gradient, and it errs less",
    outcome: allOf(outcomeOf(ecottaGain), kept.beside < 0.2 * kept.all ? "holds" : "does not hold here"),
    figures: {
      ...named("digits, continual, ecotta", "digits, continual, cotta", "digits, continual, source"),
      "gain, seed by seed": band(ecottaGain),
      "numbers kept for one example, EcoTTA over all weights": Number((kept.beside / kept.all).toFixed(3)),
    },
    seeds,
  });

  // RNA against descending at test time: one pass against steps on each example
  const faster = Array.from(
    { length: seeds },
    () => seconds["digits, continual, memo"]! / seconds["digits, continual, rna"]!,
  );
  const rnaGain = gains("digits, continual, rna", "digits, continual, memo");
  recordStudy("P179", {
    headline: "One pass of a learned function adapts as well as descent on each example, at least ten times as fast",
    outcome: allOf(outcomeOf(rnaGain, -0.02), faster[0]! > 10 ? "holds" : "does not hold here"),
    figures: {
      ...named("digits, continual, rna", "digits, continual, memo", "digits, continual, source"),
      "gain in error over descent, seed by seed": band(rnaGain),
      "seconds of descent over seconds of the function, its training counted": Number(faster[0]!.toFixed(2)),
    },
    seeds,
  });
}

// CSFA: new classes of a few examples, met through corruption
if (due("P423")) {
  const open = classes(digits()).split(5).corrupt("gaussianNoise", 3, { part: "test" }).limit({ train: 300, test: 60 });
  const evolving = async (own: Strategy): Promise<number[]> => {
    const run = await open
      .learn(model)
      .with(adam({ lr: 3e-3 }))
      .train({ epochs: 3, batch: 32 })
      .by(own as never)
      .evaluate({ ...evaluation({}), every: "end", atStart: false })
      .run({ seeds, quiet: true, record: false });
    return Array.from({ length: seeds }, (_, seed) => mean(run.matrix({ seed }).values.at(-1)! as number[]));
  };
  const [calibrated, still, tuned] = [
    await evolving(csfa({ trained: 2 })),
    await evolving(csfa({ trained: 2, lr: 1e-12, fuse: 1 })),
    await evolving(tent({ reset: "task" })),
  ];
  const csfaGain = calibrated.map((value, seed) => value - Math.max(still[seed]!, tuned[seed]!));
  recordStudy("P423", {
    headline: "Best accuracy where new classes come and the distribution shifts",
    outcome: outcomeOf(csfaGain),
    figures: {
      "accuracy, calibrated prototypes and sharpened steps": band(calibrated),
      "accuracy, plain prototypes": band(still),
      "accuracy, trained throughout with tent": band(tuned),
      "gain over the better of the two, seed by seed": band(csfaGain),
    },
    seeds,
  });
  console.log("P423", csfaGain);
}

// Meta-DMoE: digits at angles that were trained, and then at others
if (due("P323")) {
  const turned = rotated(digits(), [0, 25, 50, 75]).limit({ train: 300, test: 100 });
  const corners = async (own: readonly Strategy[], tested: number): Promise<number[]> => {
    const all = turned.concat(rotated(digits(), [tested]).limit({ train: 1, test: 200 }) as never);
    const run = await all
      .learn(mlp({ hidden: [64] }))
      .with(adam({ lr: 3e-3 }))
      .train({ epochs: 4, batch: 32 })
      .by(...(own as never[]))
      .evaluate({ ...evaluation({}), atStart: false })
      .run({ seeds, quiet: true, record: false, until: experience(4).step(0) });
    return Array.from({ length: seeds }, (_, seed) => run.matrix({ seed }).values.at(-1)!.at(-1)!);
  };
  const between = 38;
  const [joined, adapted] = [
    await corners([cumulative()], between),
    await corners([cumulative(), metaDmoe({ rounds: 150, shuffle: true })], between),
  ];
  const dmoeGain = adapted.map((value, seed) => value - joined[seed]!);
  recordStudy("P323", {
    headline: "A step towards what experts of the source domains say makes predictions on an unseen domain better",
    outcome: outcomeOf(dmoeGain),
    figures: {
      "accuracy at an unseen angle, all domains learnt together": band(joined),
      "accuracy at an unseen angle, after a step": band(adapted),
      "gain, seed by seed": band(dmoeGain),
    },
    seeds,
  });
  console.log("P323", dmoeGain);
}

// Dynamic evaluation: a text whose second half repeats other words
if (due("P085")) {
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
}

// An error memory: concepts that change, predicted as they come
if (due("P000")) {
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
}
