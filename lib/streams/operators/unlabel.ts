/** Takes labels away. */
import { relabelled } from "../../data/dataset.ts";
import { needShare, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { retrained } from "../parts/tables.ts";
import type { Seed } from "../stream.ts";

/**
 * Takes the label from a share of the training examples of every class of each experience, rounded: they get the label −1. One example of
 * each class keeps its label unless `share` is 1.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.unlabel(0.9)(classes(digits())).facts; // ["boundary", "length"]
 * ```
 */
export const unlabel = operator(
  "unlabel",
  (share: number, options: { readonly seed?: Seed } = {}) => {
    needShare("unlabel", "share", share);
    const { seed } = withDefaults<{ seed: Seed }>("unlabel", options, { seed: 0 });
    const rng = rngOf(seed, "unlabel");
    return (stream) =>
      retrained(
        stream,
        (train, { index }) => {
          const labels = Int32Array.from(train.labels);
          for (const [label, at] of byClass(train.labels)) {
            const wanted = Math.round(at.length * share);
            const count = share === 1 ? at.length : Math.min(wanted, at.length - 1);
            for (const i of rng.at(index, label).sample(at.length, count)) labels[at[i]!] = -1;
          }
          return relabelled(train, labels);
        },
        (before) => before,
      );
  },
  { drops: ["labels"], targets: ["class"] },
);
