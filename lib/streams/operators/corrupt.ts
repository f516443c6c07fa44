/** Shows every experience through noise, blur, weather or a bad file. */

import type { Examples } from "../../data/dataset.ts";
import { mapped } from "../../data/dataset.ts";
import { withDefaults } from "../../data/options.ts";
import { operator } from "../operator.ts";
import { type CorruptionKind, corrupter, corruptions } from "../parts/corruptions/kinds.ts";
import { rngOf } from "../parts/seed.ts";
import { type Place, withTables } from "../parts/tables.ts";
import type { Changed, Seed } from "../stream.ts";

export type { CorruptionKind } from "../parts/corruptions/kinds.ts";

/** What `corrupt` can be told. */
export interface CorruptOptions {
  /** Which examples are corrupted; default "all". */
  readonly part?: "all" | "train" | "test";
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Corrupts the images of every experience: one of the fifteen corruptions of CIFAR-10-C, at a severity from 1 to 5. With lists of kinds or
 * severities (or `"all"`), each experience comes once for every kind and, within it, every severity, each time as a task of its own: a
 * stream for continual test-time adaptation; severities that rise and fall (1, 2, 3, 4, 5, 4, 3, 2, 1) make it gradual.
 *
 * Each image has noise of its own, the same whenever it is read. D. Hendrycks and T. Dietterich, arXiv:1903.12261, with the severities of
 * their CIFAR-10-C; images of other sizes are corrupted in proportion where the original is. Differs from the paper: frost is made, not
 * photographed; JPEG does not subsample colour; zooms are about the exact middle.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.corrupt(["fog", "contrast"], [1, 3, 5])(classes(digits())).length; // 6
 * ```
 */
export const corrupt = operator(
  "corrupt",
  (
    kind: CorruptionKind | readonly CorruptionKind[] | "all",
    severity: number | readonly number[] = 3,
    options: CorruptOptions = {},
  ) => {
    const o = withDefaults<Required<CorruptOptions>>("corrupt", options, { part: "all", seed: 0 });
    const names = Object.keys(corruptions) as CorruptionKind[];
    const kinds = kind === "all" ? names : typeof kind === "string" ? [kind] : kind;
    const severities = typeof severity === "number" ? [severity] : severity;
    for (const name of kinds)
      if (!names.includes(name)) throw new TypeError(`corrupt: one of ${names.join(", ")} is required, got ${name}`);
    for (const s of severities)
      if (![1, 2, 3, 4, 5].includes(s)) throw new RangeError(`corrupt: a severity from 1 to 5 is required, got ${s}`);
    const ways = kinds.flatMap((name) => severities.map((level) => [name, level] as const));
    if (ways.length === 0) throw new RangeError("corrupt: at least one kind and one severity are required, got none");
    const rng = rngOf(o.seed, "corrupt");
    return (stream): Changed => {
      if (stream.length === Infinity && ways.length > 1)
        throw new RangeError("corrupt: a stream that ends is required for several kinds or severities; slice it first");
      const view = (of: Examples, way: number, place: Place): Examples => {
        if (o.part !== "all" && (place.part === "test") !== (o.part === "test")) return of;
        const [name, level] = ways[way]!;
        const worsen = corrupter(name, level, of.shape, of.scale);
        const own = rng.at(name, level, place.part, place.part === "test" ? place.task : place.index);
        return mapped(of, (row, out, at) => worsen(row, out, own.at(at)));
      };
      const split = (at: number): readonly [inner: number, way: number] => [
        Math.floor(at / ways.length),
        at % ways.length,
      ];
      return {
        length: stream.length * ways.length,
        tasks: stream.tasks * ways.length,
        countOf: (index) => stream.countOf(split(index)[0]),
        taskOf: (index) => stream.taskOf(split(index)[0]) * ways.length + split(index)[1],
        classesOf: (task) => stream.classesOf(split(task)[0]),
        test(task) {
          const [inner, way] = split(task);
          const { examples, classes } = stream.test(inner);
          return { examples: view(examples, way, { part: "test", index: -1, task: inner }), classes };
        },
        experience(index) {
          const [inner, way] = split(index);
          const e = stream.experience(inner);
          return { ...withTables(e, (of, place) => view(of, way, place)), index, task: e.task * ways.length + way };
        },
      };
    };
  },
  { kinds: ["image"] },
);
