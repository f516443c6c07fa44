/** The same classes again and again, each time with the pixels in another order. */
import { type Dataset, type Kind, rearranged, sizeOf } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { needLength, repeatedTask } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { dataSpec, type Seed, type Stream, source } from "../stream.ts";

/** What `permuted` can be told. */
export interface PermutedOptions {
  /** Draws the permutations; "run" for the run's own seed; default 0. */
  readonly seed?: Seed;
  /** Whether the first task keeps the pixels as they are; default false. */
  readonly identityFirst?: boolean;
}

/**
 * A stream of `n` tasks over all classes, each with its own fixed random permutation of the numbers of an example; `Infinity` for a
 * stream that never ends. Labels are those of the data set in every task.
 *
 * I. Goodfellow et al., An empirical investigation of catastrophic forgetting, arXiv:1312.6211; J. Kirkpatrick et al. 2017.
 *
 * @example
 * ```ts
 * import { digits, permuted } from "thalweg";
 * permuted(digits(), 10).length; // 10
 * ```
 */
export const permuted = source("permuted", "one", function permuted<
  K extends Kind,
>(data: Dataset<K>, n: number, options: PermutedOptions = {}): Stream<"boundary" | "labels" | "length", K> {
  const o = withDefaults<Required<PermutedOptions>>("permuted", options, { seed: 0, identityFirst: false });
  needLength("permuted", n);
  const rng = rngOf(o.seed, "permuted");
  const size = sizeOf(data.shape);
  return repeatedTask(data, {
    spec: { name: "permuted", args: [n, options as never], data: dataSpec(data) },
    length: n,
    transform(task) {
      if (task === 0 && o.identityFirst) return (of) => of;
      const from = rng.at(task).permutation(size);
      return (of) => rearranged(of, from);
    },
    ...waiting(o.seed, (seed) => permuted(data, n, { ...options, seed })),
  });
});
