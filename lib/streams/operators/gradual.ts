/** Lets each experience pass over into the next. */
import { withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { dealt } from "../parts/pool.ts";
import { rngOf } from "../parts/seed.ts";
import type { Seed } from "../stream.ts";

/** What `gradual` can be told. */
export interface GradualOptions {
  /** How long a passage takes, as a share of the mean length of an experience; default 0.5. */
  readonly width?: number;
  /** How the share of the new grows; default "sigmoid". */
  readonly shape?: "sigmoid" | "linear";
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Makes every boundary a gradual passage: at distance `d` examples from it the share of the new is `1 / (1 + exp(−4d/w))` ("sigmoid"), or
 * grows linearly from `d = −w/2` to `w/2`. No example is lost or seen twice, the experiences keep their lengths, and the examples of each
 * are in the order in which they arrive: `online({ shuffle: false })` keeps it.
 *
 * Each example's moment is moved by random noise whose distribution function is that share. The sigmoid is that of concept drift streams
 * in MOA (Bifet et al., Journal of Machine Learning Research 2010).
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { gradual, split } = operators;
 * gradual({ width: 0.2 })(split(5)(classes(digits()))).experience(1).classes.length; // 6
 * ```
 */
export const gradual = operator(
  "gradual",
  (options: GradualOptions = {}) => {
    const o = withDefaults<Required<GradualOptions>>("gradual", options, { width: 0.5, shape: "sigmoid", seed: 0 });
    if (!(o.width >= 0)) throw new RangeError(`gradual: width must be a number from 0, got ${o.width}`);
    const rng = rngOf(o.seed, "gradual");
    return (stream) =>
      dealt("gradual", stream, ({ train, starts }) => {
        const width = (o.width * train.length) / stream.length;
        const moments = new Float64Array(train.length);
        const inside = rng.at("order");
        const noise = rng.at("noise");
        for (let e = 0; e < stream.length; e++) {
          const order = inside.permutation(starts[e + 1]! - starts[e]!);
          order.forEach((place, i) => {
            const u = Math.max(noise.uniform(), Number.EPSILON);
            const move = o.shape === "linear" ? u - 0.5 : Math.log(u / (1 - u)) / 4;
            moments[starts[e]! + i] = starts[e]! + place + width * move;
          });
        }
        const rows = Uint32Array.from(train.labels.keys()).sort((a, b) => moments[a]! - moments[b]! || a - b);
        return Array.from({ length: stream.length }, (_, e) => rows.slice(starts[e]!, starts[e + 1]!));
      });
  },
  { drops: ["boundary", "task"] },
);
