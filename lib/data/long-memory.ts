/** What came first, after many other things. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `longMemory` can be told. */
export interface LongMemoryOptions {
  /** Tokens in an example; at least 2; default 100. */
  readonly length?: number;
  /** How many different first tokens there are, which are the classes; default 8. */
  readonly symbols?: number;
  /** How many different tokens come after; default 4. */
  readonly noise?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Long memory: the class of an example is its first token, and all others mean nothing. Tokens 0 … symbols − 1 come first, those after come later.
 *
 * After the long time lags of Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, section 5.2.
 *
 * @example
 * ```ts
 * import { longMemory } from "thalweg";
 * longMemory({ length: 50 }).shape; // [50]
 * ```
 */
export function longMemory(options: LongMemoryOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<LongMemoryOptions>>("longMemory", options, {
    length: 100,
    symbols: 8,
    noise: 4,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  needWhole("longMemory", "length", o.length, 2);
  for (const key of ["symbols", "noise", "examples", "testExamples"] as const) needWhole("longMemory", key, o[key]);
  const part = (count: number, name: string) => {
    const rng = random(o.seed).at("memory", name);
    const labels = Int32Array.from({ length: count }, () => rng.int(o.symbols));
    const x = Float32Array.from({ length: count * o.length }, (_, i) =>
      i % o.length === 0 ? labels[i / o.length]! : o.symbols + rng.int(o.noise),
    );
    return table(x, labels, [o.length], 1);
  };
  return makeDataset({
    name: "long-memory",
    kind: "sequence",
    classes: Array.from({ length: o.symbols }, (_, i) => `${i}`),
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `longMemory(${JSON.stringify(options)}), made by the library`,
  });
}
