/** Pairs to be remembered, and one that is asked for. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `associativeRecall` can be told. */
export interface AssociativeRecallOptions {
  /** Pairs in an example; default 8. */
  readonly pairs?: number;
  /** How many keys there are; default 16. */
  readonly keys?: number;
  /** How many values there are, which are the classes; default 16. */
  readonly values?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Associative recall: an example is the tokens key, value, key, value, … and then one of the keys again; the class is the value that came
 * with it. Keys in an example differ. Tokens 0 … keys − 1 are keys, those after are values.
 *
 * J. Ba et al., Using fast weights to attend to the recent past, arXiv:1610.06258, section 4.1.
 *
 * @example
 * ```ts
 * import { associativeRecall } from "thalweg";
 * associativeRecall({ pairs: 4 }).shape; // [9]
 * ```
 */
export function associativeRecall(options: AssociativeRecallOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<AssociativeRecallOptions>>("associativeRecall", options, {
    pairs: 8,
    keys: 16,
    values: 16,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  for (const key of ["pairs", "keys", "values", "examples", "testExamples"] as const)
    needWhole("associativeRecall", key, o[key]);
  if (o.pairs > o.keys)
    throw new RangeError(`associativeRecall: at most ${o.keys} pairs are possible, got ${o.pairs}; take more keys`);
  const length = 2 * o.pairs + 1;
  const part = (count: number, name: string) => {
    const rng = random(o.seed).at("recall", name);
    const x = new Float32Array(count * length);
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const keys = rng.sample(o.keys, o.pairs);
      const asked = rng.int(o.pairs);
      keys.forEach((key, k) => {
        const value = rng.int(o.values);
        x.set([key, o.keys + value], i * length + 2 * k);
        if (k === asked) labels[i] = value;
      });
      x[(i + 1) * length - 1] = keys[asked]!;
    }
    return table(x, labels, [length], 1);
  };
  return makeDataset({
    name: "associative-recall",
    kind: "sequence",
    classes: Array.from({ length: o.values }, (_, i) => `value ${i}`),
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `associativeRecall(${JSON.stringify(options)}), made by the library`,
  });
}
