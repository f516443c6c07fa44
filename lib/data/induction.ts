/** A sign that comes twice: what came after it? */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, table } from "./dataset.ts";
import { needWhole, withDefaults } from "./options.ts";

/** What `induction` can be told. */
export interface InductionOptions {
  /** Tokens in an example, the sign at its end among them; at least 3; default 32. */
  readonly length?: number;
  /** How many different tokens there are beside the sign, which are the classes; default 8. */
  readonly symbols?: number;
  /** Default 2000. */
  readonly examples?: number;
  /** Default 500. */
  readonly testExamples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Induction: an example is random tokens with a sign somewhere among them and once more at the end; the class is the token that came after the first. The
 * sign is the last token.
 *
 * Olsson et al. 2022, arXiv:2209.11895; in this form Fu et al. 2023 (H3), arXiv:2212.14052, section 3.1, and Gu and Dao 2023 (Mamba), arXiv:2312.00752, section 4.1.
 *
 * @example
 * ```ts
 * import { induction } from "thalweg";
 * induction({ symbols: 4 }).classes.length; // 4
 * ```
 */
export function induction(options: InductionOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<InductionOptions>>("induction", options, {
    length: 32,
    symbols: 8,
    examples: 2000,
    testExamples: 500,
    seed: 0,
  });
  needWhole("induction", "length", o.length, 3);
  for (const key of ["symbols", "examples", "testExamples"] as const) needWhole("induction", key, o[key]);
  const part = (count: number, name: string) => {
    const rng = random(o.seed).at("induction", name);
    const x = new Float32Array(count * o.length);
    const labels = Int32Array.from({ length: count }, (_, i) => {
      const tokens = Array.from({ length: o.length }, () => rng.int(o.symbols));
      const at = rng.int(o.length - 2);
      tokens[at] = tokens[o.length - 1] = o.symbols;
      x.set(tokens, i * o.length);
      return tokens[at + 1]!;
    });
    return table(x, labels, [o.length], 1);
  };
  return makeDataset({
    name: "induction",
    kind: "sequence",
    classes: Array.from({ length: o.symbols }, (_, i) => `${i}`),
    train: part(o.examples, "train"),
    test: part(o.testExamples, "test"),
    source: `induction(${JSON.stringify(options)}), made by the library`,
  });
}
