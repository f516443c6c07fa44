/** Studies of denoisers that make coarse pictures fine. */
import {
  adam,
  type BiUnetOptions,
  biUnet,
  classes,
  cosine,
  diffusion,
  disposeTree,
  type Examples,
  network,
  parametersOf,
  random,
  sample,
  table,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { data, quiet, rowsOf } from "./drawing.ts";
import { apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const side = 2;
const low = 8 / side;
const common = { side, steps: 100, levels: 2, groups: 2, predicts: "start" } as const satisfies BiUnetOptions;

/** Where pixel i of rows of digits lies among the squares. */
const squareOf = (i: number): number =>
  Math.floor(i / 64) * low * low + Math.floor((i % 64) / 8 / side) * low + Math.floor((i % 8) / side);

/** Digits of which each square of pixels is one, its mean. */
function coarsely(rows: Float32Array): Float32Array {
  const means = new Float32Array((rows.length / 64) * low * low);
  rows.forEach((value, i) => {
    means[squareOf(i)] = means[squareOf(i)]! + value / side ** 2;
  });
  return means;
}

/** The mean over digits of the peak signal-to-noise ratio, in decibels. */
function psnr(drawn: Float32Array, real: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < real.length; i += 64) {
    let error = 0;
    for (let j = i; j < i + 64; j++) error += (drawn[j]! - real[j]!) ** 2 / 64;
    sum += 10 * Math.log10(1 / error);
  }
  return sum / (real.length / 64);
}

/** The bits of a network in which each number of a binary kernel takes one and all others 32. */
function bitsOf(options: BiUnetOptions): number {
  const weights = network(biUnet({ ...common, ...options }), [8, 8, 1]).init(random(0), 1);
  const all = parametersOf(weights.model);
  const binary = new Set(
    all.filter(({ path }) => path.endsWith("/threshold")).map(({ path }) => path.replace(/threshold$/, "kernel")),
  );
  const bits = all.map(({ path, shape }) => (binary.has(path) ? 1 : 32) * shape.reduce((a, b) => a * b, 1));
  disposeTree(weights as never);
  return bits.reduce((a, b) => a + b, 0);
}

/** How well networks of each seed make digits fine again. */
async function finest(options: BiUnetOptions, real: Float32Array, from: Examples): Promise<number[]> {
  const run = await classes(data)
    .learn(biUnet({ ...common, ...options }))
    .by(diffusion({ looks: 0 }))
    .with(adam({ lr: 4e-3 }), cosine())
    .train({ batch: 64, steps: 160 })
    .evaluate({ atStart: false, every: "end", share: 0 })
    .run({ ...quiet, seeds, together: true });
  const found: number[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const made = await run.network({ seed });
    found.push(psnr(rowsOf(sample(made, { from, steps: 10, seed: 1 })), real));
    made.dispose();
  }
  console.log(JSON.stringify(options), found);
  return found;
}

export const finer: Readonly<Record<string, () => Promise<Study>>> = {
  async P231() {
    const count = 200;
    const real = rowsOf(data.test).slice(0, 64 * count);
    const means = coarsely(real);
    const from = table(means, new Int32Array(count), [low, low, 1], 1);
    const parts: BiUnetOptions = { filters: 8 };
    const plain: BiUnetOptions = { filters: 14, consistent: false, shuffled: false, spans: 1 };
    const bits = { withParts: bitsOf(parts), plain: bitsOf(plain) };
    console.log(JSON.stringify(bits));
    const [withParts, without] = [await finest(parts, real, from), await finest(plain, real, from)];
    const repeated = psnr(
      real.map((_, i) => means[squareOf(i)]!),
      real,
    );
    return {
      headline:
        "A binary diffusion U-Net with the parts makes digits of 4×4 finer than one that is made binary as it is and has no fewer bits: peak signal-to-noise ratio, decibels",
      outcome: outcomeOf(apart(withParts, without)),
      figures: {
        withParts: band(withParts),
        plain: band(without),
        difference: band(apart(withParts, without)),
        pixelsRepeated: Number(repeated.toPrecision(4)),
        bitsWithParts: bits.withParts,
        bitsPlain: bits.plain,
      },
      seeds,
    };
  },
};
