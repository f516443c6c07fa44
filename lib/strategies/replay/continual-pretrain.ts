import { type Examples, gatherTargets, joined, select } from "../../data/dataset.ts";
import { asTable, type Buffer, emptyBuffer } from "../parts/buffer.ts";
import { offerTable } from "../parts/episodes.ts";
import { tasksByColumn } from "../parts/tasks.ts";
import { requireNumber, requireWhole, strategy } from "../strategy.ts";

/** What is kept: examples of the past, and what was chosen for the experience being learnt. */
interface Memory {
  readonly buffer: Buffer | null;
  /** Rows of the experience's table, the best first, and places in the memory; null where all is learnt as it is. */
  readonly chosen: { readonly rows: readonly number[]; readonly past: readonly number[] } | null;
}

/**
 * Continual pretraining without a stability gap: of new data only the best part is learnt, several times over, mixed with the past as it was.
 *
 * From the second experience on the table is the share `subset` of the experience's examples with the lowest losses before it is learnt, `epochs` times, and
 * as many examples of a memory of the past, by a reservoir, that they are the share `mixture` of all. Passes over one small table regain what the first steps
 * on new data lose, where one pass over much data goes on losing. Examples that the network finds likely stand for those of high quality.
 *
 * Train with as many epochs as before: the repetitions are in the table. Memory is `capacity` examples.
 *
 * Implements: P433 Mitigating the Stability Gap
 * Guo et al. 2024, "Efficient continual pre-training by mitigating the stability gap", arXiv:2406.14833, section 3.2.
 * Differs from the paper: quality is the network's own loss, not that of a language model of good texts; the mixture is drawn from a memory, not from
 * the corpus of before.
 *
 * @example
 * ```ts
 * import { classes, continualPretrain, digits, mlp } from "thalweg";
 * classes(digits()).split(2).learn(mlp({ hidden: [32] })).by(continualPretrain({ subset: 0.4, epochs: 4, mixture: 0.3 }));
 * ```
 */
export const continualPretrain = strategy(
  "continualPretrain",
  {
    /** The share of an experience's examples that is learnt, in (0, 1]. */
    subset: 0.5,
    /** How often. */
    epochs: 4,
    /** The share of examples of the past in what is learnt, in [0, 1). */
    mixture: 0.2,
    /** Examples of the past that are kept. */
    capacity: 500,
  },
  ({ subset, epochs, mixture, capacity }) => {
    requireNumber("continualPretrain", "subset", subset, 1e-6, 1);
    requireWhole("continualPretrain", "epochs", epochs, 1);
    requireNumber("continualPretrain", "mixture", mixture, 0, 0.99);
    requireWhole("continualPretrain", "capacity", capacity, 1);
    return {
      tokens: true,
      init: (): Memory => ({ buffer: null, chosen: null }),
      beforeExperience({ buffer }: Memory, { train, index }, context) {
        if (index === 0 || buffer === null) return { buffer, chosen: null };
        const losses = lossesOf(train, context.outputs(train).logits);
        const order = [...losses.keys()].sort((a, b) => losses[a]! - losses[b]! || a - b);
        const rows = order.slice(0, Math.max(1, Math.round(subset * train.length)));
        const count = Math.round((mixture / (1 - mixture)) * rows.length * epochs);
        const rng = context.rng.at("past", index);
        const past = buffer.size === 0 ? [] : Array.from({ length: count }, () => rng.int(buffer.size));
        return { buffer, chosen: { rows, past } };
      },
      data({ buffer, chosen }: Memory, { train }) {
        if (chosen === null || buffer === null) return train;
        const again = Array.from({ length: epochs }, () => chosen.rows).flat();
        const own = select(train, Uint32Array.from(again));
        return chosen.past.length === 0 ? own : joined([own, select(asTable(buffer), Uint32Array.from(chosen.past))]);
      },
      batch: tasksByColumn,
      afterExperience({ buffer: held }: Memory, { train, task, index }, context) {
        const buffer = held ?? emptyBuffer(capacity, train);
        offerTable(buffer, train, task, "reservoir", context.rng.at("keep", index));
        return { buffer, chosen: null };
      },
    };
  },
  ["boundary"],
);

/** The cross-entropy of each row over all columns, the mean over its places where tokens are asked for; infinite where nothing is. */
function lossesOf(examples: Examples, logits: Float32Array): number[] {
  const n = examples.length;
  const rows = Uint32Array.from({ length: n }, (_, i) => i);
  const wanted = examples.targets === undefined ? examples.labels : gatherTargets(examples, rows);
  const places = wanted.length / n;
  const columns = logits.length / wanted.length;
  return Array.from({ length: n }, (_, i) => {
    let [sum, asked] = [0, 0];
    for (let p = i * places; p < (i + 1) * places; p++) {
      const label = wanted[p]!;
      if (label < 0) continue;
      const own = logits.subarray(p * columns, (p + 1) * columns);
      const most = own.reduce((a, b) => Math.max(a, b));
      sum += most + Math.log(own.reduce((total, z) => total + Math.exp(z - most), 0)) - own[label]!;
      asked++;
    }
    return asked === 0 ? Number.POSITIVE_INFINITY : sum / asked;
  });
}
