/** Makes some classes rare. */
import { type Examples, select } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { retrained } from "../parts/tables.ts";
import type { Seed } from "../stream.ts";

/** What `imbalance` can be told. */
export interface ImbalanceOptions {
  /** How many times rarer the rarest class is than the commonest; default 100. */
  readonly ratio?: number;
  /** "exponential" (default): a long tail. "step": the later half of the classes is rare, the others are not. */
  readonly shape?: "exponential" | "step";
  /** Whether it is drawn which classes are rare; default false: the later columns are. */
  readonly shuffle?: boolean;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Keeps of the class of rank `r` of `C` the share `ratio^(−r / (C − 1))` of its training examples, rounded, at least one: a long tail.
 * Test examples stay balanced.
 *
 * Y. Cui et al., Class-balanced loss based on effective number of samples, arXiv:1901.05555, section 5.1; "step" is M. Buda et al.,
 * arXiv:1710.05381, section 3.1. Ordered and shuffled long-tailed class-incremental streams: X. Liu et al., arXiv:2210.00266.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { imbalance, split } = operators;
 * split(5)(imbalance({ ratio: 10 })(classes(digits()))).experience(4).train.length; // 32
 * ```
 */
export const imbalance = operator(
  "imbalance",
  (options: ImbalanceOptions = {}) => {
    const o = withDefaults<Required<ImbalanceOptions>>("imbalance", options, {
      ratio: 100,
      shape: "exponential",
      shuffle: false,
      seed: 0,
    });
    if (!(o.ratio >= 1)) throw new RangeError(`imbalance: ratio must be a number from 1, got ${o.ratio}`);
    const rng = rngOf(o.seed, "imbalance");
    return (stream) => {
      const classes = stream.classes.length;
      if (classes === 0) throw new TypeError("imbalance: a stream whose classes are known in advance is required");
      const ranks = o.shuffle ? rng.at("ranks").permutation(classes) : Uint32Array.from(stream.classes.keys());
      const share = (label: number): number => {
        if (label < 0 || classes === 1) return 1;
        const rank = ranks[label]!;
        return o.shape === "step" ? (rank < classes / 2 ? 1 : 1 / o.ratio) : o.ratio ** (-rank / (classes - 1));
      };
      return retrained(stream, (train, { index }) =>
        rarer(train, share, (label, n, k) => rng.at(index, label).sample(n, k)),
      );
    };
  },
  { targets: ["class", "labels"] },
);

function rarer(
  of: Examples,
  share: (label: number) => number,
  draw: (label: number, n: number, k: number) => Uint32Array,
): Examples {
  const rows: number[] = [];
  for (const [label, group] of byClass(of.labels)) {
    const count = Math.max(1, Math.round(group.length * share(label)));
    for (const i of draw(label, group.length, count)) rows.push(group[i]!);
  }
  return select(of, Uint32Array.from(rows).sort());
}
