import { select } from "../../data/dataset.ts";
import type { Rng } from "../../engine/index.ts";
import type { TrainedNetwork } from "../../models/trained.ts";
import { acquisitions, highest, probabilitiesOf } from "../parts/acquisitions.ts";
import { herded, unitRows } from "../parts/exemplars.ts";
import { binned, evenly } from "../parts/quantised.ts";
import { type Reading, readingOf } from "../parts/teacher.ts";
import { requireNumber, requireOneOf, requireWhole, strategy } from "../strategy.ts";

/** Positions in the experience's table, ascending; null before the first. */
interface Chosen {
  readonly at: Uint32Array | null;
}

const ways = ["random", "quantised", "herding", "error", "entropy", "margin"] as const;

/**
 * Trains on a part of each experience alone, chosen when it arrives: data pruning.
 *
 * - `random`: drawn at random.
 * - `quantised`: the examples of each class are divided into `bins`, filled one after the other with what is typical of the rest and unlike what
 *   the bin has, and as many are drawn from each bin: easy and rare ones have their share. From iCaRL and others the same is had as
 *   `choose: "quantised"`.
 * - `herding`: in each class those whose mean comes nearest to its mean.
 * - `error`: those where the probabilities are farthest from the label, `‖p − y‖₂` (EL2N); `entropy` and `margin`: the most uncertain, whose labels
 *   are not read.
 *
 * Features and probabilities are those of the network `using`, or of the network that is trained as it is on the experience's arrival.
 *
 * Beside `distil({ teacher })` it is what a teacher that has seen all data is worth to a network that sees a part: with it a random part is about as good as
 * a chosen one, and the smaller the part, the larger the teacher's weight should be.
 *
 * Implements: P354 KD in Data Pruning
 * Ben-Baruch et al. 2024, "Distilling the knowledge in data pruning", arXiv:2403.07854, section 3: `coreset` and `distil` in one run.
 *
 * Implements: P390 Dataset Quantization
 * Zhou et al. 2023, "Dataset quantization", arXiv:2308.10524, section 3.2 and eq. 3: `quantised`. Paul, Ganguli and Dziugaite 2021,
 * arXiv:2107.07075: `error`.
 * Differs from the paper: the features are those that the head gets; images are kept whole, where theirs lose patches that an
 * autoencoder fills in.
 *
 * @example
 * ```ts
 * import { classes, coreset, digits, mlp } from "thalweg";
 * classes(digits()).split(1).learn(mlp()).by(coreset({ share: 0.2, by: "quantised" })).name; // "coreset"
 * ```
 */
export const coreset = strategy(
  "coreset",
  {
    /** The share of the examples that is trained on, in (0, 1]. */
    share: 0.3,
    /** How they are chosen. */
    by: "quantised" as (typeof ways)[number],
    /** Bins of each class. */
    bins: 10,
    /** The network whose features and probabilities decide; null stands for the network that is trained. */
    using: null as TrainedNetwork | null,
  },
  ({ share, by, bins, using }) => {
    requireNumber("coreset", "share", share, 1e-9, 1);
    requireOneOf("coreset", "by", by, ways);
    requireWhole("coreset", "bins", bins, 1);
    return {
      tokens: "its examples are chosen by their class, and a sequence has one at each place",
      classes: true,
      init: (): Chosen => ({ at: null }),
      beforeExperience(_before: Chosen, { train, index }, { outputs, columns, rng }): Chosen {
        const noise = rng.at("coreset", index);
        const count = Math.min(train.length, Math.max(1, Math.round(share * train.length)));
        if (by === "random") return { at: noise.sample(train.length, count).sort() };
        const own = (): Reading => ({ ...outputs(train), columns: Array.from({ length: columns }, (_, c) => c) });
        const read = using === null ? own() : readingOf(using, train);
        const found =
          by === "quantised" || by === "herding"
            ? ofEachClass(read.features, train.labels, count, (vectors, width, most) =>
                by === "herding" ? herded(vectors, width, most) : evenly(binned(vectors, width, bins), noise),
              )
            : highest(scoresOf(by, read, train.labels, noise), count);
        return { at: found.sort() };
      },
      data: ({ at }: Chosen, { train }) => (at === null ? train : select(train, at)),
    };
  },
);

/** `count` rows in all, of each class its share, in the order that `ordered` gives the class's features of length 1. */
function ofEachClass(
  features: Float32Array,
  labels: Int32Array,
  count: number,
  ordered: (vectors: Float32Array, width: number, most: number) => Uint32Array,
): Uint32Array {
  const vectors = unitRows(features, labels.length);
  const width = vectors.length / labels.length;
  const kept = [...new Set(labels)].sort((a, b) => a - b);
  let [seen, taken] = [0, 0];
  return Uint32Array.from(
    kept.flatMap((label) => {
      const rows = [...labels.keys()].filter((i) => labels[i] === label);
      // Shares are rounded so that they add up.
      seen += rows.length;
      const most = Math.round((count * seen) / labels.length) - taken;
      taken += most;
      const own = Float32Array.from(rows.flatMap((i) => [...vectors.subarray(i * width, (i + 1) * width)]));
      return [...ordered(own, width, most).subarray(0, most)].map((k) => rows[k]!);
    }),
  );
}

/** How much each example promises. */
function scoresOf(
  by: "error" | "entropy" | "margin",
  { logits, columns }: Reading,
  labels: Int32Array,
  rng: Rng,
): Float64Array {
  const width = columns.length;
  const p = probabilitiesOf(logits, width, null);
  if (by !== "error") return acquisitions[by](p, width, rng);
  return Float64Array.from(labels, (label, i) =>
    Math.hypot(...columns.map((column, c) => p[i * width + c]! - (column === label ? 1 : 0))),
  );
}
