import type { Process } from "./clock.ts";
import { concatenated } from "./parts/arrays.ts";
import { allToAll, onRanks, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";

/** Tokens and the expert of each. */
export interface ExpertInputs {
  /** `[tokens, width]`. */
  readonly x: Float32Array;
  readonly width: number;
  /** The number of each token's expert. */
  readonly expert: readonly number[];
  /** What an expert makes of a token. */
  readonly experts: readonly ((token: Float32Array) => Float32Array)[];
  /** Multiplications and additions of one token in an expert. */
  readonly flopsPerToken: number;
}

/**
 * A mixture of experts whose experts lie on different ranks: tokens go to the rank of their expert, and what it makes of them comes back.
 *
 * Each rank has `1/P` of the tokens and of the experts. Both ways are exchanges of all with all; uneven choices show in `work`.
 *
 * Lepikhin et al. 2020 (GShard), arXiv:2006.16668, section 3.2.
 *
 * @throws RangeError where the ranks do not divide tokens and experts, or an expert is none.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const twice = (token: Float32Array) => token.map((x) => 2 * x);
 * const same = (token: Float32Array) => token;
 * const x = Float32Array.of(1, 2, 3, 4);
 * const run = await simulate.expertParallel({ x, width: 1, expert: [1, 0, 1, 0], experts: [same, twice], flopsPerToken: 1 }, { ranks: 2 });
 * [...run.output]; // [2, 2, 6, 4]
 * ```
 */
export async function expertParallel(
  { x, width, expert, experts, flopsPerToken }: ExpertInputs,
  options: RankOptions,
): Promise<Ranked> {
  const { ranks } = options;
  const tokens = requireParts("expertParallel", "a number of tokens", x.length / width, ranks);
  const each = requireParts("expertParallel", "a number of experts", experts.length, ranks);
  const wrong = expert.find((e) => experts[e] === undefined);
  if (wrong !== undefined || expert.length !== x.length / width)
    throw new RangeError(
      `expertParallel: an expert from 0 to ${experts.length - 1} is required for each of ${x.length / width} tokens, got ${wrong ?? `${expert.length} of them`}`,
    );
  const everyone = Array.from({ length: ranks }, (_, k) => k);
  const token = (t: number): Float32Array => x.subarray(t * width, (t + 1) * width);
  /** The tokens of a rank that go to another, in order. */
  const going = (from: number, to: number): number[] =>
    Array.from({ length: tokens }, (_, i) => from * tokens + i).filter((t) => Math.floor(expert[t]! / each) === to);
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const sent = everyone.map((to) => concatenated(going(me.index, to).map(token)));
    const came = yield* allToAll(me, everyone, "tokens", sent);
    const load = came.reduce((sum, part) => sum + part.length / width, 0);
    const made = yield* me.compute(load * flopsPerToken, "experts", () =>
      came.map((part, from) =>
        concatenated(
          going(from, me.index).map((t, i) => experts[expert[t]!]!(part.subarray(i * width, (i + 1) * width))),
        ),
      ),
    );
    const back = yield* allToAll(me, everyone, "answers", made);
    const out = new Float32Array(tokens * width);
    for (const [from, part] of back.entries())
      for (const [i, t] of going(me.index, from).entries())
        out.set(part.subarray(i * width, (i + 1) * width), (t - me.index * tokens) * width);
    return out;
  });
  return { ...found, output: concatenated(found.parts) };
}
