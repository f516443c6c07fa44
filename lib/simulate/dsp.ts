import type { Process } from "./clock.ts";
import { columns, concatenated, joined } from "./parts/arrays.ts";
import { allToAll, onRanks, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { attention } from "./parts/softmax.ts";

/** A sequence in two dimensions, such as a film: `[rows, columns, heads, width]`, the times of it as rows. */
export interface FilmInputs {
  readonly rows: number;
  readonly columns: number;
  readonly heads: number;
  readonly width: number;
  readonly x: Float32Array;
}

/** What `dsp` can be told. */
export interface DspOptions extends RankOptions {
  /** How often attention goes along the rows and then along the columns. Default 1. */
  readonly blocks?: number;
}

/**
 * Attention of a sequence in two dimensions on several ranks that switch the dimension which is cut: dynamic sequence parallelism.
 *
 * A block is self-attention within each row and then within each column, each added to what came in (queries, keys and values are the input
 * itself). Within rows each rank has some rows; for the columns all ranks exchange, so that each has some columns. A rank sends
 * `2 n/P · (P − 1)/P` numbers for each block of `n` numbers, less one switch where the last block leaves columns as they are.
 *
 * Zhao et al. 2024, arXiv:2403.10266, section 3.
 *
 * Implements: P100 DSP
 *
 * @throws RangeError where the ranks do not divide rows and columns.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const x = Float32Array.from({ length: 4 * 4 * 2 }, (_, i) => Math.sin(i));
 * const run = await simulate.dsp({ rows: 4, columns: 4, heads: 1, width: 2, x }, { ranks: 2 });
 * run.bytes; // [32, 32]
 * ```
 */
export async function dsp(
  { rows, columns: wide, heads, width, x }: FilmInputs,
  { blocks = 1, ...options }: DspOptions,
): Promise<Ranked> {
  const { ranks } = options;
  const [high, broad] = [
    requireParts("dsp", "a number of rows", rows, ranks),
    requireParts("dsp", "a number of columns", wide, ranks),
  ];
  const row = heads * width;
  const everyone = Array.from({ length: ranks }, (_, k) => k);
  const along = (of: Float32Array, length: number): Float32Array =>
    concatenated(
      Array.from({ length: of.length / (length * row) }, (_, i) => {
        const own = of.subarray(i * length * row, (i + 1) * length * row);
        return attention(own, own, own, heads, width).map((y, at) => y + own[at]!);
      }),
    );
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    let own = x.subarray(me.index * high * wide * row, (me.index + 1) * high * wide * row);
    for (let block = 0; block < blocks; block++) {
      own = yield* me.compute(2 * high * wide * wide * row, "rows", () => along(own, wide));
      // rows of this rank, cut into the columns of each: [high, broad, …] to every rank, then [rows, broad, …] turned to [broad, rows, …]
      const cut = everyone.map((to) => columns(own, high, wide * row, to * broad * row, broad * row));
      const tall = concatenated(yield* allToAll(me, everyone, `switch${block}`, cut));
      const turned = turn(tall, rows, broad, row);
      const done = yield* me.compute(2 * broad * rows * rows * row, "columns", () => along(turned, rows));
      const back = turn(done, broad, rows, row);
      const parts = everyone.map((to) => back.subarray(to * high * broad * row, (to + 1) * high * broad * row));
      if (block === blocks - 1) return back;
      own = joined(yield* allToAll(me, everyone, `back${block}`, parts), high);
    }
    return own;
  });
  return { ...found, output: joined(found.parts, rows) };
}

/** `[a, b, row]` to `[b, a, row]`. */
function turn(of: Float32Array, a: number, b: number, row: number): Float32Array {
  const out = new Float32Array(of.length);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) out.set(of.subarray((i * b + j) * row, (i * b + j + 1) * row), (j * a + i) * row);
  return out;
}
