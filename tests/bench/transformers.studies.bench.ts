/**
 * Studies of rows of the systems catalogue about how transformers are trained and left, on digits: `npx tsx
 * tests/bench/transformers.studies.bench.ts`, or some of them alone, by their rows. A few minutes for all.
 */
import {
  adamw,
  classes,
  depthAdaptive,
  digits,
  type Study as Experiment,
  jit,
  type Model,
  naive,
  net,
  random,
  randomLtd,
  type Strategy,
  tape,
  tf,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const seeds = 4;

type Builder = ReturnType<typeof stem>;
const stem = () => net().patches(2).dense(32).positions();
const fourBlocks = (residual: "add" | "orthogonal" = "add"): Builder =>
  stem()
    .repeat(4, (n) => n.transformer(4, { causal: false, widen: 2, residual }))
    .layerNorm()
    .globalPool() as never;

/** A study of digits, by the 16 patches of each. */
const studyOf = (model: Builder, strategy: Strategy = naive()): Experiment =>
  classes(digits())
    .split(1)
    .learn(model as unknown as Model)
    .by(strategy as never)
    .with(adamw({ lr: 2e-3 }))
    .train({ batch: 50, epochs: 8 }) as never;

/** Accuracies on digits, seed by seed, of four blocks. */
const ofDigits = (strategy: Strategy = naive(), residual: "add" | "orthogonal" = "add"): Promise<number[]> =>
  accuracies(studyOf(fourBlocks(residual), strategy) as never, seeds);
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

/** P257: linear attention and normalisation that becomes a product and a sum, beside what they take the place of. */
async function simplified(): Promise<Study> {
  type Norm = (n: Builder) => Builder;
  const layer: Norm = (n) => n.layerNorm() as never;
  const model = (linear: boolean, norm: Norm, side = 4): Builder => {
    const mixing = (n: Builder): Builder =>
      (linear ? norm(n).simplifiedAttention(4, { grid: [side, side] }) : norm(n).attention(4)) as never;
    const blocks = stem().repeat(4, (n) =>
      n
        .residual((inner) => mixing(inner as never) as never)
        .residual(
          (inner) =>
            norm(inner as never)
              .dense(64)
              .gelu()
              .dense(32) as never,
        ),
    );
    return norm(blocks as never).globalPool() as never;
  };
  const progressive: Norm = (n) => n.progressiveNorm({ steps: 160 }) as never;
  const own = 3;
  const accuracy = (made: Builder): Promise<number[]> => accuracies(studyOf(made) as never, own);
  const found = {
    "softmax, layer normalisation": await accuracy(model(false, layer)),
    "linear, layer normalisation": await accuracy(model(true, layer)),
    "linear, progressive": await accuracy(model(true, progressive)),
    "linear, batch normalisation": await accuracy(model(true, (n) => n.batchNorm() as never)),
  };
  // a pass over images of 32² patches at test time, the kinds in turn
  const passes = Object.entries({
    "softmax, layer normalisation": model(false, layer),
    "linear, progressive": model(true, progressive, 32),
  }).map(([name, made]) => {
    const own = made as unknown as Model;
    const input = [64, 64, 1];
    const params = own.init(random(1), input);
    const statistics = own.statistics(input);
    const pass = jit((x: tf.Tensor) => own.apply(params, x, tape(false, null, statistics).mode));
    return { name, pass, times: [] as number[] };
  });
  const x = random(2).normals([2, 64, 64, 1], 0, 1);
  for (let round = 0; round <= 6; round++)
    for (const { pass, times } of passes) {
      const began = process.cpuUsage();
      tf.tidy(() => void pass(x).dataSync());
      const { user, system } = process.cpuUsage(began);
      if (round > 0) times.push((user + system) / 1000);
    }
  return {
    headline:
      "Simplified linear attention with progressive batch normalisation is within a point of softmax attention with layer normalisation, and takes less time",
    outcome: allOf(
      outcomeOf(apart(found["linear, progressive"], found["softmax, layer normalisation"]), -0.01),
      outcomeOf(apart(passes[0]!.times, passes[1]!.times)),
    ),
    figures: {
      ...figures(found),
      ...Object.fromEntries(
        passes.map(({ name, times }) => [`processor milliseconds, 1024 places, ${name}`, band(times)]),
      ),
    },
    seeds: own,
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
const all: Record<string, () => Promise<Study>> = { P062: orthogonal, P131: early, P257: simplified, P261: fewer };
for (const [id, make] of Object.entries(all)) if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
