/** The same examples again and again, each time with the names of the classes exchanged. */
import { type Dataset, type Kind, relabelled } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { needLength, repeatedTask } from "../parts/domains.ts";
import { rngOf, waiting } from "../parts/seed.ts";
import { relabelOf } from "../parts/tables.ts";
import { needClasses } from "../parts/target.ts";
import { dataSpec, type Seed, type Stream, source } from "../stream.ts";

/**
 * A stream of `n` tasks over all examples, each with its own random permutation of the labels; `Infinity` for a stream that never ends.
 * Nothing can be kept from one task to the next but the features: a test of plasticity (C. Lyle et al., arXiv:2303.01486).
 *
 * @example
 * ```ts
 * import { digits, labelPermuted } from "thalweg";
 * labelPermuted(digits(), 5).length; // 5
 * ```
 */
export const labelPermuted = source("labelPermuted", "one", function labelPermuted<
  K extends Kind,
>(data: Dataset<K>, n: number, options: { readonly seed?: Seed } = {}): Stream<"boundary" | "labels" | "length", K> {
  const { seed } = withDefaults<{ seed: Seed }>("labelPermuted", options, { seed: 0 });
  needLength("labelPermuted", n);
  needClasses("labelPermuted", data, "permuted(data, n) permutes the inputs of any");
  const rng = rngOf(seed, "labelPermuted");
  return repeatedTask(data, {
    spec: { name: "labelPermuted", args: [n, options as never], data: dataSpec(data) },
    length: n,
    transform(task) {
      const to = rng.at(task).permutation(data.classes.length);
      return (of) =>
        relabelled(
          of,
          relabelOf(of, (label) => to[label]!),
        );
    },
    ...waiting(seed, (settled) => labelPermuted(data, n, { ...options, seed: settled })),
  });
});
