/** Studies of what denoisers have learnt by heart. */
import {
  type Dataset,
  type Examples,
  makeDataset,
  prune,
  random,
  sample,
  type TrainedNetwork,
  table,
} from "../../../lib/index.ts";
import type { Study } from "../../support/reference.ts";
import { data, denoiserOf, dense, nearest, rightly, rowsOf } from "./drawing.ts";
import { allOf, apart, band, outcomeOf } from "./studies.ts";

const seeds = 3;
const byHeart = [10, 11, 12, 13, 14, 15];

/** Digits, among them six examples under labels of their own that come forty times each. */
function withRepeats(seed: number): { readonly all: Dataset<"image">; readonly images: Float32Array } {
  const [own, rng] = [rowsOf(data.train), random(seed).at("by heart")];
  const chosen = rng.sample(data.train.length, byHeart.length);
  const images = new Float32Array(64 * byHeart.length);
  chosen.forEach((at, i) => {
    images.set(own.subarray(64 * at, 64 * at + 64), 64 * i);
  });
  const times = 40;
  const x = new Float32Array(own.length + times * images.length);
  x.set(own);
  for (let i = 0; i < times; i++) x.set(images, own.length + i * images.length);
  const more = Array.from({ length: times }, () => byHeart).flat();
  const train = table(x, Int32Array.from([...data.train.labels, ...more]), [8, 8, 1], 1);
  const test = table(rowsOf(data.test), data.test.labels, [8, 8, 1], 1);
  const names = [...data.classes, ...byHeart.map((c) => `by heart ${c}`)];
  return {
    all: makeDataset({ name: "digits by heart", kind: "image", classes: names, train, test, source: "a study" }),
    images,
  };
}

/** The share of examples drawn for memorised labels that are copies: nearer to their image than most digits are to any other. */
function copied(network: TrainedNetwork, labels: readonly number[], images: Float32Array): number {
  const drawn: Examples = sample(network, {
    labels: labels.flatMap((c) => new Array<number>(20).fill(c)),
    steps: 25,
    seed: 1,
  });
  const rows = rowsOf(drawn);
  const far = Array.from(drawn.labels, (c, i) => {
    const image = images.subarray(64 * (c - 10), 64 * (c - 9));
    return nearest(rows.subarray(64 * i, 64 * i + 64), image)[0]!.far;
  });
  return far.filter((v) => v < 1).length / far.length;
}

export const memorising: Readonly<Record<string, () => Promise<Study>>> = {
  async P341() {
    const found = { before: [], known: [], unknown: [], random: [], quality: [], qualityAfter: [], gone: [] } as Record<
      string,
      number[]
    >;
    const digits = Array.from({ length: 10 }, (_, c) => c);
    const drawnOf = (network: TrainedNetwork) =>
      rightly(sample(network, { labels: digits.flatMap((c) => new Array<number>(20).fill(c)), steps: 25, seed: 2 }));
    for (let seed = 0; seed < seeds; seed++) {
      const { all, images } = withRepeats(seed);
      const whole = await denoiserOf(all, dense(128, 16, { predicts: "start" }), { seed, steps: 600, lr: 3e-3 });
      const filter = ["6-dense", "9-dense", "12-dense"];
      const [known, unknown] = [byHeart.slice(0, 3), byHeart.slice(3)];
      const cut = prune.memorised(whole, { labels: known, others: digits, filter, share: 0.01, steps: 25, looks: 5 });
      found.before!.push(copied(whole, byHeart, images));
      found.known!.push(copied(cut.network, known, images));
      found.unknown!.push(copied(cut.network, unknown, images));
      found.quality!.push(drawnOf(whole));
      found.qualityAfter!.push(drawnOf(cut.network));
      found.gone!.push(cut.report.sparsity);
      console.log(seed, JSON.stringify(Object.fromEntries(Object.entries(found).map(([k, v]) => [k, v.at(-1)]))));
    }
    const { before, known, unknown, quality, qualityAfter, gone } = found as Record<string, number[]>;
    return {
      headline:
        "Memorised prompts share a subspace; pruning it mitigates memorisation without retraining, also of prompts that were not looked at",
      outcome: allOf(
        outcomeOf(apart(before!, known!)),
        outcomeOf(apart(before!, unknown!)),
        outcomeOf(apart(qualityAfter!, quality!), -0.1),
      ),
      figures: {
        copies: band(before!),
        copiesAfter: band(known!),
        copiesAfterNotLookedAt: band(unknown!),
        rightDigits: band(quality!),
        rightDigitsAfter: band(qualityAfter!),
        zeros: band(gone!),
      },
      seeds,
    };
  },
};
