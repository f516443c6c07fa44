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
  stoppedAt,
  type TrainedNetwork,
  tape,
  tf,
} from "../../lib/index.ts";
import type { Within } from "../../lib/models/model.ts";
import { exitsOf } from "../../lib/strategies/parts/exits.ts";
import { type Halting, type HaltingParams, haltsAt } from "../../lib/strategies/parts/halting.ts";
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

const { examples } = classes(digits()).split(1).test(0);

/** What each exit of a trained network says of the test examples, and after how many blocks each is left by what is learned. */
function exitsWith(
  network: TrainedNetwork,
  halting: Halting,
): { readonly logits: tf.Tensor[]; readonly at: tf.Tensor } {
  const { structure, weights, statistics } = network;
  const own = weights.added!.depthAdaptive as HaltingParams;
  const exits = exitsOf("study", structure);
  const forward = (x: tf.Tensor, within: Within) =>
    structure.features(weights, x, tape(false, null, statistics, within).mode);
  const rows = new Float32Array(examples.length * tf.util.sizeFromShape([...network.input]));
  examples.read([...examples.labels.keys()], rows);
  const x = tf.tensor(
    rows.map((v) => v * network.scale),
    [examples.length, ...network.input],
  );
  const given = exits.pass({ forward, x } as never).map((each) => exits.features({ weights, statistics }, each));
  const logits = given.map((each, n) =>
    structure.head.apply(n === exits.count - 1 ? weights.head : own[n]!, each, weights.model),
  );
  return { logits, at: haltsAt(halting, given, own) };
}

/** P131: a transformer that stops where it is sure or where it has learned to, beside one that never does. */
async function early(): Promise<Study> {
  const count = 3;
  const found: Record<string, number[]> = {
    "all blocks, without exits": await accuracies(studyOf(fourBlocks()) as never, count),
  };
  const depths: Record<string, number[]> = {};
  const rightOf = (logits: tf.Tensor): number =>
    (tf.argMax(logits, -1).dataSync() as Int32Array).reduce((sum, y, i) => sum + +(y === examples.labels[i]), 0) /
    examples.length;
  const push = (name: string, logits: tf.Tensor, at?: tf.Tensor): void => {
    (found[name] ??= []).push(rightOf(logits));
    if (at !== undefined) (depths[name] ??= []).push(tf.mean(tf.add(tf.cast(at, "float32"), 1)).dataSync()[0]!);
  };
  for (const halting of ["geometric", "multinomial"] as const) {
    const run = await studyOf(fourBlocks(), depthAdaptive({ halting })).run({
      seeds: count,
      quiet: true,
      record: false,
    });
    for (let seed = 0; seed < count; seed++) {
      const network = await run.network({ seed });
      tf.tidy(() => {
        const { logits, at } = exitsWith(network, halting);
        push(`learned, ${halting}`, network.predict(examples), at);
        if (halting === "multinomial") return;
        push("with exits, all blocks", logits.at(-1)!);
        push("after the first block", logits[0]!);
        const sure = stoppedAt(logits, 0.9);
        push("sure to 0.9", sure.logits, sure.at);
      });
      network.dispose();
    }
  }
  const within = ["sure to 0.9", "learned, geometric", "learned, multinomial"].map((name) => {
    const less = apart(found[name]!, found["all blocks, without exits"]!);
    return allOf(outcomeOf(less, -0.02), outcomeOf(depths[name]!.map((depth) => 2 - depth)));
  });
  return {
    headline:
      "What stops where it is sure to 0.9 or has learned to is within two points of a network without exits, after less than half of its blocks",
    outcome: allOf(...within),
    figures: {
      ...figures(found),
      ...Object.fromEntries(Object.entries(depths).map(([name, each]) => [`blocks of 4, ${name}`, band(each)])),
    },
    seeds: count,
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
