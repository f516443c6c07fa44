/** Puts several examples into one, which then has several classes. */
import { type Examples, mapped, type Raw, sizeOf } from "../../data/dataset.ts";
import { needWhole, withDefaults } from "../../data/options.ts";
import type { Rng } from "../../engine/random.ts";
import { operator } from "../operator.ts";
import { rngOf } from "../parts/seed.ts";
import { retabled } from "../parts/tables.ts";
import type { Seed } from "../stream.ts";

/** What `multiLabel` can be told. */
export interface MultiLabelOptions {
  /** How many examples are put into one; default 2. */
  readonly labels?: number;
  /** Default 0. */
  readonly seed?: Seed;
}

/**
 * Puts each example together with others of its experience, drawn at random: every number is the largest of theirs. Its targets are a 1
 * for each column whose class is there, else 0; its label stays the class of the first, by which
 * `split` and the like choose. The learner gives several classes at once.
 *
 * @example
 * ```ts
 * import { classes, digits, operators } from "thalweg";
 * operators.multiLabel({ labels: 2 })(classes(digits())).target; // "labels"
 * ```
 */
export const multiLabel = operator(
  "multiLabel",
  (options: MultiLabelOptions = {}) => {
    const o = withDefaults<Required<MultiLabelOptions>>("multiLabel", options, { labels: 2, seed: 0 });
    needWhole("multiLabel", "labels", o.labels);
    const rng = rngOf(o.seed, "multiLabel");
    return (stream) => {
      const width = stream.classes.length;
      if (width === 0) throw new TypeError("multiLabel: a stream whose classes are known in advance is required");
      if (stream.head === "growing")
        throw new TypeError('multiLabel: a head of fixed size is required, got a growing one; use scenario("class")');
      return {
        ...retabled(stream, (of, { part, index, task }) => together(of, o.labels, width, rng.at(part, index, task))),
        target: "labels",
      };
    };
  },
  { targets: ["class"] },
);

function together(of: Examples, count: number, width: number, rng: Rng): Examples {
  const partners = new Uint32Array(of.length * (count - 1));
  for (let i = 0; i < partners.length; i++) partners[i] = rng.int(of.length);
  const other: Raw = of.bytes ? new Uint8Array(sizeOf(of.shape)) : new Float32Array(sizeOf(of.shape));
  const view = mapped(of, (row, out, at) => {
    out.set(row);
    for (let k = 0; k < count - 1; k++) {
      of.read([partners[at * (count - 1) + k]!], other);
      for (let j = 0; j < other.length; j++) if (other[j]! > out[j]!) out[j] = other[j]!;
    }
  });
  return {
    ...view,
    targets: {
      width,
      read(at, out, offset = 0) {
        for (let i = 0; i < at.length; i++) {
          const start = offset + i * width;
          out.fill(0, start, start + width);
          const rows = [at[i]!, ...partners.subarray(at[i]! * (count - 1), (at[i]! + 1) * (count - 1))];
          for (const row of rows) if (of.labels[row]! >= 0) out[start + of.labels[row]!] = 1;
        }
      },
    },
  };
}
