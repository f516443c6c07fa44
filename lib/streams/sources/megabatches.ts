/** All data in large chunks, one after another, all drawn alike. */
import type { Dataset, Kind } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { chunks } from "../parts/chunks.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { dataSpec, type Seed, type Stream, source } from "../stream.ts";

/**
 * A stream of `n` chunks of one data set, each drawn at random from all classes: nothing drifts, the question is what to do with data that
 * arrives late. Each example is in one chunk; evaluated is one task, all classes.
 *
 * L. Caccia et al., On anytime learning at macroscale, arXiv:2106.09563, section 3.
 *
 * @example
 * ```ts
 * import { digits, megabatches } from "thalweg";
 * megabatches(digits(), 4).experience(0).train.length; // 359
 * ```
 */
export const megabatches = source("megabatches", "one", function megabatches<
  K extends Kind,
>(data: Dataset<K>, n: number, options: { readonly seed?: Seed } = {}): Stream<"boundary" | "labels" | "length", K> {
  const { seed } = withDefaults<{ seed: Seed }>("megabatches", options, { seed: 0 });
  const rng = rngOf(seed, "megabatches");
  return chunks(data, n, () => rng.permutation(data.train.length), {
    spec: { name: "megabatches", args: [n, options as never], data: dataSpec(data) },
    facts: ["boundary", "labels", "length"],
    ...waiting(seed, (settled) => megabatches(data, n, { ...options, seed: settled })),
  });
});
