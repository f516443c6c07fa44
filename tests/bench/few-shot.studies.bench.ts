/**
 * Studies of rows of the systems catalogue that learn online, without old examples, or new classes from few examples:
 * `npx tsx tests/bench/few-shot.studies.bench.ts`, or some of them alone, by their rows.
 */
import {
  adam,
  bagOfTricks,
  classes,
  digits,
  fractals,
  joint,
  limit,
  mambaFscil,
  mlp,
  net,
  replay,
  type Strategy,
  scr,
  sharp,
  siesta,
  tricksTable,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const data = classes(digits());
const seeds = 3;

/** The accuracies of several methods on one study without a method, by name. */
async function each(
  base: { by(strategy: never): unknown },
  ways: Record<string, Strategy>,
): Promise<Record<string, number[]>> {
  const found: Record<string, number[]> = {};
  for (const [name, strategy] of Object.entries(ways))
    found[name] = await accuracies(base.by(strategy as never) as never, seeds);
  return found;
}

const bands = (found: Record<string, number[]>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)]));

/** P146: four digits, then two at a time; asleep 2048 kept examples are rehearsed, offline all examples so far are gone through eight times. */
async function asleep(): Promise<Study> {
  const base = data
    // biome-ignore lint/suspicious/noThenProperty: the option is called so
    .split({ first: 4, then: 2 })
    .learn(mlp({ hidden: [128, 64] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 16, epochs: 8 });
  const found = await each(base, {
    "with sleep": siesta({ samples: 2048 }),
    "without sleep": siesta({ sleepEvery: 0 }),
    "offline, all examples so far": joint(),
  });
  return {
    headline:
      "Running means awake and budgeted rehearsal of latents asleep match the offline learner, here within 0.02",
    outcome: outcomeOf(apart(found["with sleep"]!, found["offline, all examples so far"]!), -0.02),
    figures: bands(found),
    seeds,
  };
}

/** Thirty classes of pictures: fifteen at first, then five at a time with three examples each. */
const few = () =>
  classes(fractals({ classes: 30, perClass: 30, testPerClass: 10, sizePixels: 12, points: 200 }))
    .fewShot({ base: 15, ways: 5, shots: 3 })
    .learn(mlp({ hidden: [96, 48] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 30, epochs: 12 })
    .evaluate({ atStart: false });

/** Without any trick: trained by cosines, frozen, and the mean features of each class. */
const none = {
  contrastive: false,
  assigned: false,
  pseudo: false,
  finetune: false,
  subnet: false,
  pretrain: false,
  signal: false,
};

/** P220: the calibration that was learnt on fake streams, against the same network with mean features alone. */
async function multiPhase(): Promise<Study> {
  const found = await each(few(), {
    LIMIT: limit({ phases: 3, ways: 3, shots: 3 }),
    "mean features": bagOfTricks(none),
  });
  return {
    headline:
      "Meta-training on fake streams makes few-shot class-incremental learning more accurate than mean features",
    outcome: outcomeOf(apart(found.LIMIT!, found["mean features"]!)),
    figures: bands(found),
    seeds,
  };
}

/** P382: the tricks one after the other. */
async function cumulative(): Promise<Study> {
  const { table, rows } = await tricksTable(few(), {
    larger: mlp({ hidden: [192, 96] }),
    seeds,
    quiet: true,
    record: false,
  });
  console.log(table.toText());
  const [plain, all] = [rows[0]!, rows.at(-1)!];
  return {
    headline: "All tricks together raise the accuracy of first and later classes and the average over experiences",
    outcome: allOf(
      outcomeOf(apart(all.base, plain.base)),
      outcomeOf(apart(all.later, plain.later)),
      outcomeOf(apart(all.average, plain.average)),
    ),
    figures: Object.fromEntries(
      rows.flatMap(({ name, base, later, average }) => [
        [`first classes, ${name}`, band(base)],
        [`later classes, ${name}`, band(later)],
        [`average, ${name}`, band(average)],
      ]),
    ),
    seeds,
  };
}

/** P216: two digits at a time; every method rehearses from a hundred examples, SHARP from hidden activations of the last two classes alone. */
async function recentOnly(): Promise<Study> {
  const base = data
    .split(5)
    .learn(mlp({ hidden: [128, 96, 64] }))
    .with(adam({ lr: 2e-3 }))
    .train({ batch: 32, epochs: 20 })
    .evaluate({ atStart: false });
  const found = await each(base, {
    SHARP: sharp({ shortTerm: 50, longTerm: 25, phases: 10 }),
    "replay, 100 examples": replay({ capacity: 100 }),
    "contrastive replay, 100 examples": scr({ capacity: 100 }),
  });
  const { SHARP, ...others } = found;
  return {
    headline:
      "Rehearsing hidden activations of recent classes in a rewired network is more accurate than replay of all",
    outcome: allOf(...Object.values(others).map((other) => outcomeOf(apart(SHARP!, other)))),
    figures: bands(found),
    seeds,
  };
}

/** P167: a second branch for later classes, against the mean features of the same network alone and with all of it fine-tuned; ten pictures, then five and five; as
 *  many steps for each, as in the program, because a branch whose gate begins at 0 has to grow before it says anything. */
async function secondBranch(): Promise<Study> {
  const base = classes(fractals({ classes: 20, perClass: 30, testPerClass: 10, sizePixels: 12, points: 200 }))
    .fewShot({ base: 10, ways: 5, shots: 3 })
    .learn(net().conv(12, 3).relu().pool(2).conv(32, 3).relu().pool(2).globalPool())
    .with(adam({ lr: 3e-3 }))
    .train({ batch: 30, steps: 200 })
    .evaluate({ atStart: false });
  const found = await each(base, {
    "Mamba-FSCIL": mambaFscil({ state: 8 }),
    "mean features": bagOfTricks(none),
    "mean features, fine-tuned": bagOfTricks({ ...none, finetune: true }),
  });
  const { "Mamba-FSCIL": own, ...others } = found;
  return {
    headline:
      "A selective-scan branch for later classes is more accurate than other few-shot class-incremental learning",
    outcome: allOf(...Object.values(others).map((other) => outcomeOf(apart(own!, other)))),
    figures: bands(found),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries({
  P146: asleep,
  P220: multiPhase,
  P382: cumulative,
  P216: recentOnly,
  P167: secondBranch,
}))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
