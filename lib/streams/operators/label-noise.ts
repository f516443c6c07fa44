/** Makes some labels wrong. */
import { relabelled } from "../../data/dataset.ts";
import { needShare, withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { retrained } from "../parts/tables.ts";
import type { Seed } from "../stream.ts";

/** What `labelNoise` can be told. */
export interface LabelNoiseOptions {
  /** "symmetric" (default): any other class of the experience, all alike. "pair": the next class of the experience. */
  readonly kind?: "symmetric" | "pair";
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Gives each training example, with probability `rate`, the label of another class of its experience. Test labels stay right.
 *
 * B. Han et al., Co-teaching, arXiv:1804.06872, figure 2 (symmetric and pair flipping).
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.labelNoise(0.2)(classes(digits())).length; // 1
 * ```
 */
export const labelNoise = operator(
  "labelNoise",
  (rate: number, options: LabelNoiseOptions = {}) => {
    needShare("labelNoise", "rate", rate);
    const o = withDefaults<Required<LabelNoiseOptions>>("labelNoise", options, { kind: "symmetric", seed: 0 });
    if (o.kind !== "symmetric" && o.kind !== "pair")
      throw new TypeError(`labelNoise: the kind symmetric or pair is required, got ${o.kind}`);
    const rng = rngOf(o.seed, "labelNoise");
    return (stream) =>
      retrained(
        stream,
        (train, { index, classes }) => {
          if (classes.length < 2) return train;
          const place = new Map(classes.map((column, i) => [column, i]));
          const draw = rng.at(index);
          const labels = Int32Array.from(train.labels, (label) => {
            const [flips, step] = [draw.uniform() < rate, draw.int(classes.length - 1)]; // drawn for all, so that rates nest
            const own = place.get(label);
            if (!flips || own === undefined) return label;
            return classes[(own + 1 + (o.kind === "pair" ? 0 : step)) % classes.length]!;
          });
          return relabelled(train, labels);
        },
        (before) => before,
      );
  },
  { targets: ["class"] },
);
