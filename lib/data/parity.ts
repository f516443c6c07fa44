/** Whether the ones so far are odd in number. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `parity` can be told. */
export interface ParityOptions {
  /** Bits in an example; default 16. */
  readonly length?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Parity: an example is random bits, the target at each place is 1 where the ones so far are odd in number. A state must be tracked that every one turns, which
 * recurrences whose transitions are positive numbers cannot do for any length.
 *
 * Hahn 2020, arXiv:1906.06755; Grazzi et al. 2024, arXiv:2411.12537, section 3.
 *
 * @example
 * ```ts
 * import { parity } from "thalweg";
 * parity({ length: 12 }).classes; // ["0", "1"]
 * ```
 */
export function parity(options: ParityOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<ParityOptions>>("parity", options, {
    length: 16,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  for (const key of ["length", "examples", "testExamples"] as const) needWhole("parity", key, o[key]);
  const part = (count: number, name: string) => {
    const rng = random(o.seed).at("parity", name);
    const x = Float32Array.from({ length: count * o.length }, () => rng.int(2));
    return table(x, new Int32Array(count).fill(-1), [o.length], 1, {
      width: o.length,
      read(at, out, offset = 0) {
        for (let i = 0; i < at.length; i++)
          for (let j = 0, odd = 0; j < o.length; j++) {
            odd ^= x[at[i]! * o.length + j]!;
            out[offset + i * o.length + j] = odd;
          }
      },
    });
  };
  return makeDataset({
    name: "parity",
    kind: "sequence",
    target: "tokens",
    classes: ["0", "1"],
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `parity(${JSON.stringify(options)}), made by the library`,
  });
}
