import { select } from "../../data/dataset.ts";
import { type AcquisitionName, acquisitions, highest, probabilitiesOf } from "../parts/acquisitions.ts";
import { requireOneOf, requireWhole, strategy } from "../strategy.ts";

interface Bought {
  /** Positions in the experience's table, in ascending order, and their labels; null where nothing has to be asked for. */
  readonly at: Uint32Array | null;
  readonly labels: Int32Array;
}

/**
 * Active learning: asks for the labels of the training examples that promise most, and trains on these alone.
 *
 * When an experience of an `active` stream arrives, the network as it is gives probabilities for all its examples over the columns that
 * compete; the labels of the most uncertain are asked for until the stream's budget, or `labels`, is used up. Cut the stream into smaller
 * experiences to ask more often. Streams that tell their labels are trained on as they are.
 *
 * Settles 2009, "Active learning literature survey", section 3.1: uncertainty sampling by entropy and by margin.
 * Differs from the paper: the whole of an experience's budget is spent at once, on its arrival.
 *
 * @example
 * ```ts
 * import { acquire, classes, digits, mlp } from "thalweg";
 * classes(digits()).split(5).active(40).learn(mlp()).by(acquire({ by: "margin" }));
 * ```
 */
export const acquire = strategy(
  "acquire",
  {
    /** What is asked for first: where the probabilities have the highest `entropy`, where the two best are nearest, or anything. */
    by: "entropy" as AcquisitionName,
    /** Labels asked for in each experience at most; 0 asks for as many as the stream allows. */
    labels: 0,
  },
  ({ by, labels }) => {
    requireOneOf("acquire", "by", by, Object.keys(acquisitions));
    requireWhole("acquire", "labels", labels, 0);
    return {
      tokens: "no stream of tokens sells its labels",
      init: (): Bought => ({ at: null, labels: new Int32Array(0) }),
      beforeExperience(_before: Bought, { train, task, index, oracle }, { columns, mask, outputs, rng }): Bought {
        if (oracle === undefined) return { at: null, labels: new Int32Array(0) };
        const open = mask(Int32Array.of(task))?.data ?? null;
        const logits = by === "random" ? new Float32Array(train.length * columns) : outputs(train).logits;
        const scores = acquisitions[by](probabilitiesOf(logits, columns, open), columns, rng.at("ask", index));
        const at = highest(scores, Math.min(labels || oracle.left, oracle.left)).sort();
        return { at, labels: oracle.ask(at) };
      },
      data: ({ at, labels: bought }: Bought, { train }) => (at === null ? train : select(train, at, bought)),
    };
  },
);
