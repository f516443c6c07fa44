/** Keeps fewer examples. */
import { type Examples, select } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import { byClass } from "../../data/parts/stratified.ts";
import type { Rng } from "../../engine/random.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { retabled } from "../parts/tables.ts";
import { needTarget } from "../parts/target.ts";
import type { Seed } from "../stream.ts";

/** What `limit` can be told; what is not given is not limited. */
export interface LimitOptions {
  /** Training examples of an experience; default all. */
  readonly train?: number;
  /** Test examples of a task; default all. */
  readonly test?: number;
  /** Whether the numbers are those of each class of an experience, not of the experience; default false. */
  readonly perClass?: boolean;
  /** Draws which examples stay; default 0. */
  readonly seed?: Seed;
}

/**
 * Keeps at most so many examples of each experience, drawn at random, in their order. A number alone limits the training examples.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * const { limit, split } = operators;
 * limit({ train: 10, perClass: true })(split(5)(classes(digits()))).experience(0).train.length; // 20
 * ```
 */
export const limit = operator("limit", (to: number | LimitOptions) => {
  const o = withDefaults<Required<LimitOptions>>("limit", typeof to === "number" ? { train: to } : to, {
    train: Infinity,
    test: Infinity,
    perClass: false,
    seed: 0,
  });
  for (const part of ["train", "test"] as const) if (o[part] !== Infinity) needWhole("limit", part, o[part]);
  const rng = rngOf(o.seed, "limit");
  return (stream) => {
    if (o.perClass) needTarget("limit", stream, ["class", "labels"], "; leave out perClass");
    const parts = retabled(
      stream,
      (of, { part, index, task }) => {
        if (part === "validation") return of;
        return fewer(of, o[part], o.perClass, part === "test" ? rng.at("test", task) : rng.at("train", index));
      },
      undefined,
      (before) => Math.min(before, o.train),
    );
    if (!o.perClass) return parts;
    return { ...parts, countOf: (index) => parts.experience!(index).train.length };
  };
});

function fewer(of: Examples, most: number, perClass: boolean, rng: Rng): Examples {
  if (!perClass) return most >= of.length ? of : select(of, rng.sample(of.length, most).sort());
  const kept: number[] = [];
  for (const [label, at] of byClass(of.labels)) {
    const chosen =
      most >= at.length
        ? at
        : rng
            .at(label)
            .sample(at.length, most)
            .map((i) => at[i]!);
    for (const i of chosen) kept.push(i);
  }
  return kept.length === of.length ? of : select(of, Uint32Array.from(kept).sort());
}
