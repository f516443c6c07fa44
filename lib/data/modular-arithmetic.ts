/** Sums that begin again at zero. */
import { random } from "../engine/random.ts";
import { type Dataset, makeDataset, select, table } from "./dataset.ts";
import { needShare, needWhole, withDefaults } from "./options.ts";

/** What `modularArithmetic` can be told. */
export interface ModularArithmeticOptions {
  /** Numbers go from 0 to one less; a prime for division; default 97. */
  readonly modulus?: number;
  /** Default "+". "/" leaves out division by 0. */
  readonly operation?: "+" | "-" | "*" | "/";
  /** The share of all sums that is set aside to test; default 0.5. */
  readonly test?: number;
  /** Draws which; default 0. */
  readonly seed?: number;
}

/**
 * All sums `a ∘ b = c` modulo a number: an example is the tokens a, ∘, b, =, of which there are `modulus + 5` (four signs, and =), and the
 * class is c. Half are trained on: a network that has learnt them by heart comes to understand them much later.
 *
 * A. Power et al., Grokking: generalization beyond overfitting on small algorithmic datasets, arXiv:2201.02177, section 2.
 *
 * @example
 * ```ts
 * import { modularArithmetic } from "thalweg";
 * modularArithmetic({ modulus: 11 }).train.length; // 61
 * ```
 */
export function modularArithmetic(options: ModularArithmeticOptions = {}): Dataset<"sequence"> {
  const o = withDefaults<Required<ModularArithmeticOptions>>("modularArithmetic", options, {
    modulus: 97,
    operation: "+",
    test: 0.5,
    seed: 0,
  });
  const p = needWhole("modularArithmetic", "modulus", o.modulus, 2);
  needShare("modularArithmetic", "test", o.test, "open");
  const sums: number[][] = []; // a, b, c
  for (let a = 0; a < p; a++) {
    for (let b = 0; b < p; b++) {
      if (o.operation === "/") {
        if (b !== 0) sums.push([(a * b) % p, b, a]); // the quotient of a·b and b is a
      } else sums.push([a, b, o.operation === "+" ? (a + b) % p : o.operation === "-" ? (a - b + p) % p : (a * b) % p]);
    }
  }
  const operation = p + ["+", "-", "*", "/"].indexOf(o.operation);
  const x = Float32Array.from(sums.flatMap(([a, b]) => [a!, operation, b!, p + 4]));
  const all = table(
    x,
    Int32Array.from(sums, (sum) => sum[2]!),
    [4],
    1,
  );
  const order = random(o.seed).at("modular").permutation(sums.length);
  const tested = Math.min(sums.length - 1, Math.max(1, Math.floor(sums.length * o.test)));
  return makeDataset({
    name: "modular-arithmetic",
    kind: "sequence",
    classes: Array.from({ length: p }, (_, i) => String(i)),
    train: select(all, order.slice(tested).sort()),
    test: select(all, order.slice(0, tested).sort()),
    source: `modularArithmetic(${JSON.stringify(options)}), made by the library`,
  });
}
