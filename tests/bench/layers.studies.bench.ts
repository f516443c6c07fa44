/**
 * Studies of hedge backpropagation, BatchFormer, micro-batch normalisation, scalable kernels, multigrid operators and autoencoders of bytes:
 * `npx tsx tests/bench/layers.studies.bench.ts`, or some of them alone, by their rows.
 */
import {
  batchFormer,
  classes,
  digits,
  type Study as Experiment,
  hedge,
  hyperplane,
  type Model,
  mlp,
  net,
  prequential,
  type Rng,
  random,
  sea,
  sgd,
  tf,
} from "../../lib/index.ts";
import type { Study } from "../support/reference.ts";
import { type Drawn, entropy, fit, given, type Loss, right } from "./parts/fitting.ts";
import { accuracies, allOf, apart, band, outcomeOf, study } from "./parts/studies.ts";

const bands = (found: Readonly<Record<string, readonly number[]>>): Study["figures"] =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, band(values)]));

interface Measured {
  measure(metric: typeof prequential.accuracy): readonly { readonly value: number }[];
}

/** P284: streams of single examples whose concept drifts, by networks of one depth and by one whose depth follows. */
async function depths(): Promise<Study> {
  const seeds = 3;
  const streams: Record<string, unknown> = {
    hyperplane: hyperplane({ experiences: 12, examples: 100, testExamples: 10, change: 0.3, dimensions: 8 }),
    sea: sea({ examples: 300, testExamples: 10, concepts: [0, 1, 2, 3] } as never),
  };
  const found: Record<string, number[]> = {};
  const best: number[] = [];
  for (const [name, stream] of Object.entries(streams)) {
    const run = async (way: string, model: Model, own?: unknown): Promise<number[]> => {
      const base = (stream as { learn(model: Model): Experiment<never> })
        .learn(model)
        .with(sgd({ lr: 0.05 }) as never)
        .train({ batch: 1, epochs: 1 } as never);
      const made = await (
        (own === undefined ? base : base.by(own as never)) as unknown as { run(options: object): Promise<Measured> }
      ).run({ seeds, quiet: true, record: false });
      const values = made.measure(prequential.accuracy).map(({ value }) => value);
      found[`${name}, ${way}`] = values;
      return values;
    };
    const hidden = (depth: number): Model => mlp({ hidden: new Array(depth).fill(24) });
    const own = await run("hedge over 6 layers", hidden(6), hedge());
    for (const depth of [1, 3, 6]) {
      const other = await run(`${depth} layers`, hidden(depth));
      if (depth > 1) best.push(...apart(own, other));
    }
  }
  return {
    headline: "A depth that follows how well each classifier does errs less, on drifting streams, than fixed depths",
    outcome: outcomeOf(best),
    figures: bands(found),
    seeds,
  };
}

/** P344: digits of which some are rare. */
async function rare(): Promise<Study> {
  const seeds = 5;
  const base = classes(digits())
    .imbalance({ ratio: 20 })
    .learn(mlp({ hidden: [64, 32] }) as never)
    .with(sgd({ lr: 0.1 }) as never)
    .train({ batch: 32, epochs: 20 } as never);
  const found = {
    "accuracy, as it is": await accuracies(base as never, seeds),
    "accuracy, BatchFormer": await accuracies(base.by(batchFormer({ heads: 4 }) as never) as never, seeds),
  };
  const [plain, own] = Object.values(found) as [number[], number[]];
  return {
    headline: "Examples that look at each other in training are classified better where classes are rare",
    outcome: outcomeOf(apart(own, plain)),
    figures: bands(found),
    seeds,
  };
}

/** P364: digits in batches of two. */
async function micro(): Promise<Study> {
  const seeds = 3;
  const run = (model: unknown, batch: number, lr: number): Promise<number[]> =>
    accuracies(
      classes(digits())
        .learn(model as never)
        .with(sgd({ lr }) as never)
        .train({ batch, epochs: 2 } as never) as never,
      seeds,
    );
  const plain = net()
    .conv(8, 3, { bias: false })
    .batchNorm()
    .relu()
    .pool(2)
    .conv(16, 3, { bias: false })
    .batchNorm()
    .relu()
    .globalPool();
  const own = net()
    .conv(8, 3, { bias: false, standardise: true })
    .batchChannelNorm(4)
    .relu()
    .pool(2)
    .conv(16, 3, { bias: false, standardise: true })
    .batchChannelNorm(4)
    .relu()
    .globalPool();
  const found = {
    "accuracy in batches of 2, batch-channel and standardised": await run(own, 2, 0.02),
    "accuracy in batches of 2, batch normalisation": await run(plain, 2, 0.02),
    "accuracy in batches of 32, batch normalisation": await run(plain, 32, 0.32),
  };
  const [small, same, large] = Object.values(found) as [number[], number[], number[]];
  return {
    headline:
      "In batches of two, standardised filters with batch-channel normalisation match or beat batch normalisation in large ones",
    outcome: allOf(outcomeOf(apart(small, same)), outcomeOf(apart(small, large), -0.01)),
    figures: bands(found),
    seeds,
  };
}

/** P380: digits by a hidden layer and by a kernel of a fifth of its trained numbers. */
async function fewer(): Promise<Study> {
  const seeds = 5;
  const run = (model: unknown): Promise<number[]> =>
    accuracies(
      classes(digits())
        .learn(model as never)
        .with(sgd({ lr: 0.1 }) as never)
        .train({ batch: 16, epochs: 10 } as never) as never,
      seeds,
    );
  const found = {
    "accuracy, 64 units of 4,160 numbers": await run(net().flatten().dense(64).relu()),
    "accuracy, a kernel of 768 numbers": await run(net().flatten().snnk(64, { features: 12 })),
    "accuracy, 12 units of 780 numbers": await run(net().flatten().dense(12).relu()),
  };
  const [large, own] = Object.values(found) as [number[], number[]];
  return {
    headline: "A kernel of a fifth of the trained numbers is as accurate as the layer: within two points",
    outcome: outcomeOf(apart(own, large), -0.02),
    figures: bands(found),
    seeds,
  };
}

/** P391: Poisson's equation on 16×16 points, from the charges to the potential. */
function poisson(): Study {
  const size = 16;
  // in waves, where the equation is a division
  const draw =
    (count: number) =>
    (rng: Rng): Drawn => {
      const [f, u] = [new Float32Array(count * size * size), new Float32Array(count * size * size)];
      for (let n = 0; n < count; n++)
        for (let i = 1; i <= 4; i++)
          for (let j = 1; j <= 4; j++) {
            const a = rng.normal();
            for (let y = 0; y < size; y++)
              for (let x = 0; x < size; x++) {
                const wave =
                  a * Math.sin((Math.PI * i * (y + 1)) / (size + 1)) * Math.sin((Math.PI * j * (x + 1)) / (size + 1));
                f[(n * size + y) * size + x]! += wave / 2;
                u[(n * size + y) * size + x]! += (2 * wave) / (i * i + j * j);
              }
          }
      const shape: [number, number, number, number] = [count, size, size, 1];
      return { x: tf.tensor4d(f, shape), y: tf.tensor4d(u, shape) };
    };
  const relative: Loss = (out, y) => tf.div(tf.sum(tf.square(tf.sub(out, y))), tf.sum(tf.square(y)));
  const grids = net().multigrid(5, { levels: 4 }).gelu().multigrid(5, { levels: 4 }).conv(1, 1) as unknown as Model;
  const plain = net()
    .conv(16, 3)
    .gelu()
    .conv(16, 3)
    .gelu()
    .conv(16, 3)
    .gelu()
    .conv(16, 3)
    .gelu()
    .conv(1, 3) as unknown as Model;
  const count = (model: Model): number =>
    model.summary([size, size, 1]).reduce((sum, { parameters }) => sum + parameters, 0);
  const found: Record<string, number[]> = {};
  for (const seed of [1, 2, 3])
    for (const [name, model] of [
      ["multigrid", grids],
      ["convolutions", plain],
    ] as const) {
      const { params } = fit(model, [size, size, 1], draw(16), relative, { steps: 250, seed, lr: 3e-3 });
      const { x, y } = draw(64)(random(400 + seed));
      const error = Math.sqrt(relative(given(model, params, x), y).dataSync()[0]!);
      const title = `relative error, ${name} of ${count(model)} numbers`;
      found[title] = [...(found[title] ?? []), error];
    }
  const [own, other] = Object.values(found) as [number[], number[]];
  return {
    headline: "Multigrid operators err less on a partial differential equation than networks of convolutions",
    outcome: outcomeOf(apart(other, own)),
    figures: bands(found),
    seeds: 3,
  };
}

/** P217: texts of 32 bytes through 32 numbers, said at once by convolutions and place by place by long short-term memories. */
function texts(): Study {
  const [length, letters] = [32, 27];
  const words = random(5).at("words");
  const known = Array.from({ length: 30 }, () => Array.from({ length: 3 + words.int(5) }, () => 1 + words.int(26)));
  const draw =
    (count: number) =>
    (rng: Rng): Drawn => {
      const rows = Array.from({ length: count }, () => {
        const row: number[] = [];
        while (row.length < length) row.push(...known[rng.int(known.length)]!, 0);
        return row.slice(0, length);
      });
      return { x: tf.tensor2d(rows), y: tf.tensor2d(rows) };
    };
  const begun = () => net().embedding(letters, 32, { positions: false });
  const nets = {
    "recursive convolutions": begun()
      .recursiveEncoder({ times: 3 })
      .flatten()
      .dense(32)
      .dense(4 * 32)
      .relu()
      .reshape([4, 32])
      .recursiveDecoder({ times: 3 })
      .dense(letters),
    "long short-term memory": begun()
      .lstm(40)
      .last()
      .dense(32)
      .dense(length * 12)
      .relu()
      .reshape([length, 12])
      .lstm(40)
      .dense(letters),
  } as unknown as Record<string, Model>;
  const found: Record<string, number[]> = {};
  for (const seed of [1, 2, 3])
    for (const [name, model] of Object.entries(nets)) {
      const { params } = fit(model, [length], draw(32), entropy, { steps: 300, seed, lr: 4e-3 });
      const { x, y } = draw(100)(random(800 + seed));
      const title = `bytes right, ${name}`;
      found[title] = [...(found[title] ?? []), right(given(model, params, x), y)];
    }
  const [own, other] = Object.values(found) as [number[], number[]];
  return {
    headline: "Recursive convolutions that say a text at once restore more of its bytes than recurrent networks",
    outcome: outcomeOf(apart(own, other)),
    figures: bands(found),
    seeds: 3,
  };
}

const studies: Record<string, () => Study | Promise<Study>> = {
  P284: depths,
  P344: rare,
  P364: micro,
  P380: fewer,
  P391: poisson,
  P217: texts,
};
const wanted = process.argv.slice(2).filter((word) => /^P\d{3}$/.test(word));
for (const [id, make] of Object.entries(studies))
  if (wanted.length === 0 || wanted.includes(id)) study(id, await make());
