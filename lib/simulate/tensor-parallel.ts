import type { Process } from "./clock.ts";
import { columns, product } from "./parts/arrays.ts";
import { onRanks, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { ringSum } from "./parts/ring.ts";

/** Two dense layers without biases, with a rectifier between them. */
export interface MlpInputs {
  readonly rows: number;
  readonly width: number;
  readonly hidden: number;
  /** `[rows, width]`. */
  readonly x: Float32Array;
  /** `[width, hidden]`. */
  readonly first: Float32Array;
  /** `[hidden, width]`. */
  readonly second: Float32Array;
}

/**
 * Two dense layers cut over ranks: the first by columns, the second by rows, so that one sum at the end is all that goes over the lines.
 *
 * Each rank has the whole input and `1/P` of the hidden units; the sum goes around a ring and costs `2 (P − 1)/P` of the output.
 *
 * Shoeybi et al. 2019 (Megatron-LM), arXiv:1909.08053, section 3.
 *
 * @throws RangeError where the ranks do not divide the hidden units.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const one = Float32Array.of(1, 1, 1, 1);
 * const inputs = { rows: 2, width: 2, hidden: 2, x: Float32Array.of(1, 2, 3, 4), first: one, second: one };
 * [...(await simulate.tensorParallel(inputs, { ranks: 2 })).output]; // [6, 6, 14, 14]
 * ```
 */
export async function tensorParallel(
  { rows, width, hidden, x, first, second }: MlpInputs,
  options: RankOptions,
): Promise<Ranked> {
  const { ranks, numberBytes = 4 } = options;
  const own = requireParts("tensorParallel", "a number of hidden units", hidden, ranks);
  if (numberBytes !== 4) throw new RangeError(`tensorParallel: numbers of 4 bytes are required, got ${numberBytes}`);
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const part = yield* me.compute(2 * rows * width * own, "layers", () => {
      const between = product(x, columns(first, width, hidden, me.index * own, own), rows, width, own).map((h) =>
        Math.max(0, h),
      );
      return product(between, second.subarray(me.index * own * width, (me.index + 1) * own * width), rows, own, width);
    });
    return yield* ringSum(me, ranks, part, "sum");
  });
  return { ...found, output: found.parts[0]! };
}
