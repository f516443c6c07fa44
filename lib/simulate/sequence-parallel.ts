import type { Process } from "./clock.ts";
import { columns, concatenated, joined } from "./parts/arrays.ts";
import { allToAll, onRanks, type Rank, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { Softmax } from "./parts/softmax.ts";

/** Queries, keys and values of attention, each `[length, heads, width]`, row after row. */
export interface AttentionInputs {
  readonly length: number;
  readonly heads: number;
  readonly width: number;
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** What `sequenceParallel` can be told. */
export interface SequenceParallelOptions extends RankOptions {
  /** Ranks of a group that exchange heads for places; must divide the ranks and the heads. Default: as many as do. */
  readonly ulysses?: number;
  /** Whether a place looks only at those before it, and at itself. Default false. */
  readonly causal?: boolean;
}

/**
 * Attention over a sequence whose parts lie on different ranks: Ulysses within groups, a ring between them, and the two joined.
 *
 * Each rank has `L/P` places. Within a group of `U`, an exchange of all with all gives each rank the whole group's places for `1/U` of the
 * heads; between the `R = P/U` groups keys and values go round a ring, and each block's softmax is joined to those before it; another exchange
 * gives the places back. `ulysses: 1` is ring attention, `ulysses: P` DeepSpeed-Ulysses. With `n = L/P · heads · width` numbers of each of q,
 * k and v, a rank sends `4n (U − 1)/U + 2n (R − 1)` numbers.
 *
 * Fang and Zhao 2024, arXiv:2405.07719, algorithm 1 (USP); Liu et al. 2023, arXiv:2310.01889 (ring); Jacobs et al. 2023, arXiv:2309.14509.
 * Differs from the paper: causal attention keeps the places in order, so that early ranks work less; its load balance reorders them.
 *
 * Implements: P242 Unified sequence parallelism
 *
 * @throws RangeError where ranks, groups, heads and places do not divide each other.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const x = Float32Array.from({ length: 8 * 2 * 3 }, (_, i) => Math.sin(i));
 * const run = await simulate.sequenceParallel({ length: 8, heads: 2, width: 3, q: x, k: x, v: x }, { ranks: 4, ulysses: 2 });
 * run.bytes; // [192, 192, 192, 192]
 * ```
 */
export async function sequenceParallel(
  inputs: AttentionInputs,
  { ulysses, causal = false, ...options }: SequenceParallelOptions,
): Promise<Ranked> {
  const { length, heads, width } = inputs;
  const { ranks } = options;
  const where = "sequenceParallel";
  const places = requireParts(where, "a length", length, ranks);
  const group = ulysses ?? largestDivisor(ranks, heads);
  const rings = requireParts(where, "a number of ranks", ranks, group);
  const own = requireParts(where, "a number of heads", heads, group);
  const row = heads * width;
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const ring = Math.floor(me.index / group);
    const members = Array.from({ length: group }, (_, u) => ring * group + u);
    const part = (of: Float32Array): Float32Array =>
      of.subarray(me.index * places * row, (me.index + 1) * places * row);
    const [q, k, v] = [
      yield* gathered(me, members, "q", part(inputs.q)),
      yield* gathered(me, members, "k", part(inputs.k)),
      yield* gathered(me, members, "v", part(inputs.v)),
    ];
    const out = yield* ringed(me, ring, q, k, v);
    const back = Array.from({ length: group }, (_, u) =>
      out.subarray(u * places * own * width, (u + 1) * places * own * width),
    );
    return joined(yield* allToAll(me, members, "o", back), places);
  });
  return { ...found, output: concatenated(found.parts) };

  /** All places of the group for this rank's heads, `[places · U, own, width]`. */
  function* gathered(me: Rank, members: readonly number[], tag: string, mine: Float32Array): Process<Float32Array> {
    const parts = members.map((_, u) => columns(mine, places, row, u * own * width, own * width));
    return concatenated(yield* allToAll(me, members, tag, parts));
  }

  /** Attention with keys and values that go round. */
  function* ringed(me: Rank, ring: number, q: Float32Array, k: Float32Array, v: Float32Array): Process<Float32Array> {
    const rows = places * group;
    const next = (me.index + group) % ranks;
    const before = (me.index - group + ranks) % ranks;
    const sums = new Softmax(rows, own, width);
    let [keys, values] = [k, v];
    for (let step = 0; step < rings; step++) {
      const from = (ring - step + rings) % rings;
      if (step < rings - 1) {
        me.give(next, `k${step}`, keys);
        me.give(next, `v${step}`, values);
      }
      const seen = causal && from > ring ? 0 : causal && from === ring ? (rows + 1) / 2 : rows;
      yield* me.compute(2 * rows * seen * own * width, "attention", () => {
        if (seen > 0) sums.add(q, keys, values, causal && from === ring);
      });
      if (step < rings - 1) [keys, values] = [yield* me.get(before, `k${step}`), yield* me.get(before, `v${step}`)];
    }
    return sums.output();
  }
}

function largestDivisor(ranks: number, heads: number): number {
  for (let u = ranks; u > 1; u--) if (ranks % u === 0 && heads % u === 0) return u;
  return 1;
}
