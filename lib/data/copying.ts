/** Tokens to be written down once more. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `copying` can be told. */
export interface CopyingOptions {
  /** Tokens to be copied; default 8. */
  readonly length?: number;
  /** How many different tokens there are; default 8. */
  readonly symbols?: number;
  /** Places with nothing between them and their copy; default 0. */
  readonly delay?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Copying: an example is random tokens, nothing for `delay` places, a sign, and the tokens once more; the targets are the tokens that come next. Only the last
 * `length` of them can be known. Tokens 0 … symbols − 1 are the symbols, then comes nothing and then the sign.
 *
 * Hochreiter and Schmidhuber 1997 and Arjovsky, Shah and Bengio 2016, arXiv:1511.06464, section 5.1, in the form of a language model.
 *
 * @example
 * ```ts
 * import { copying } from "thalweg";
 * copying({ length: 4, delay: 2 }).shape; // [10]
 * ```
 */
export function copying(options: CopyingOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<CopyingOptions>>("copying", options, {
    length: 8,
    symbols: 8,
    delay: 0,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  for (const key of ["length", "symbols", "examples", "testExamples"] as const) needWhole("copying", key, o[key]);
  needWhole("copying", "delay", o.delay, 0);
  const places = 2 * o.length + o.delay;
  const part = (count: number, name: string) => {
    const rng = random(o.seed).at("copying", name);
    const x = new Float32Array(count * places);
    const next = new Float32Array(count * places);
    for (let i = 0; i < count; i++) {
      const symbols = Array.from({ length: o.length }, () => rng.int(o.symbols));
      const nothing = new Array<number>(o.delay).fill(o.symbols);
      const all = [...symbols, ...nothing, o.symbols + 1, ...symbols];
      x.set(all.slice(0, -1), i * places);
      next.set(all.slice(1), i * places);
    }
    return table(x, new Int32Array(count).fill(-1), [places], 1, {
      width: places,
      read(at, out, offset = 0) {
        for (let i = 0; i < at.length; i++)
          out.set(next.subarray(at[i]! * places, (at[i]! + 1) * places), offset + i * places);
      },
    });
  };
  return makeDataset({
    name: "copying",
    kind: "sequence",
    target: "tokens",
    classes: [...Array.from({ length: o.symbols }, (_, i) => `${i}`), "nothing", "copy"],
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `copying(${JSON.stringify(options)}), made by the library`,
  });
}
