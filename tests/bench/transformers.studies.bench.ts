/**
 * Studies of rows of the systems catalogue about how transformers are trained and left, on digits: `npx tsx
 * tests/bench/transformers.studies.bench.ts`, or some of them alone, by their rows. A few minutes for all.
 */
import {
  adamw,
  classes,
  depthAdaptive,
  digits,
  type Model,
  naive,
  net,
  randomLtd,
  type Strategy,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 4;

/** Accuracies on digits, seed by seed, of four blocks over the 16 patches of each. */
const ofDigits = (strategy: Strategy = naive(), residual: "add" | "orthogonal" = "add"): Promise<number[]> =>
  accuracies(
    classes(digits())
      .split(1)
      .learn(
        net()
          .patches(2)
          .dense(32)
          .positions()
          .repeat(4, (n) => n.transformer(4, { causal: false, widen: 2, residual }))
          .layerNorm()
          .globalPool() as unknown as Model,
      )
      .by(strategy as never)
      .with(adamw({ lr: 2e-3 }))
      .train({ batch: 50, epochs: 8 }) as never,
    seeds,
  );
const figures = (found: Readonly<Record<string, readonly number[]>>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [`accuracy, ${name}`, band(values)]));

/** P062: blocks that add everything, or what is at right angles. */
async function orthogonal(): Promise<Study> {
  const found = { add: await ofDigits(), orthogonal: await ofDigits(naive(), "orthogonal") };
  return {
    headline: "Blocks that add what is at right angles to what passes by are more accurate",
    outcome: outcomeOf(apart(found.orthogonal, found.add)),
    figures: figures(found),
    seeds,
  };
}

/** P131: a transformer that stops where it is sure, beside one that never does. */
async function early(): Promise<Study> {
  const found = {
    "all blocks": await ofDigits(),
    "with exits, all blocks": await ofDigits(depthAdaptive({ threshold: 1.1 })),
    "sure to 0.9": await ofDigits(depthAdaptive({ threshold: 0.9 })),
    "after the first block": await ofDigits(depthAdaptive({ threshold: 0 })),
  };
  return {
    headline: "What stops where it is sure to 0.9 is within two points of all blocks, and better than the first block",
    outcome: allOf(
      outcomeOf(apart(found["sure to 0.9"], found["all blocks"]).map((less) => less + 0.02)),
      outcomeOf(apart(found["sure to 0.9"], found["after the first block"])),
    ),
    figures: figures(found),
    seeds,
  };
}

/** P261: middle blocks that see half of the places at first. */
async function fewer(): Promise<Study> {
  const found = {
    "all places": await ofDigits(),
    "half at first, all in the end": await ofDigits(randomLtd({ first: 0.5, steps: 200, quantum: 2 })),
  };
  return {
    headline: "Middle blocks that see fewer places in training end within two points of accuracy",
    outcome: outcomeOf(apart(found["half at first, all in the end"], found["all places"]).map((less) => less + 0.02)),
    figures: figures(found),
    seeds,
  };
}

const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
const all: Record<string, () => Promise<Study>> = { P062: orthogonal, P131: early, P261: fewer };
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
