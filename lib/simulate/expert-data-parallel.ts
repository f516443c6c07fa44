import type { Process } from "./clock.ts";
import { concatenated, product } from "./parts/arrays.ts";
import { allToAll, onRanks, type Rank, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { addTo } from "./parts/vectors.ts";

/** A layer that all tokens go through, and linear experts of which each token has one. */
export interface ExpertDataInputs {
  /** `[tokens, width]`. */
  readonly x: Float32Array;
  readonly width: number;
  /** The number of each token's expert. */
  readonly expert: readonly number[];
  /** `[width, width]`. */
  readonly shared: Float32Array;
  /** Each `[width, width]`. */
  readonly experts: readonly Float32Array[];
  /** The gradient of the loss by what comes out, `[tokens, width]`. */
  readonly slope: Float32Array;
}

/** What ranks came to; `gradients` are those of the shared layer and of every expert. */
export interface ExpertDataRun extends Ranked {
  readonly gradients: { readonly shared: Float32Array; readonly experts: readonly Float32Array[] };
}

/**
 * Training of a mixture of experts in two dimensions at once: experts lie on different ranks of a group, and groups hold the same experts for
 * different tokens.
 *
 * Of P ranks, `experts: E` together hold each expert once; there are `D = P/E` such groups. Tokens go to their expert within the group and come back, forwards
 * and backwards. A gradient of an expert is summed over the D ranks that hold it (`2 (D − 1)/D` of it), that of the shared layer over all
 * (`2 (P − 1)/P`).
 *
 * Kim et al. 2021, arXiv:2109.10465 (DeepSpeed MoE), section 3 (expert with data parallelism).
 * Differs from the paper: no slicing within experts and no memory off the device; experts are linear.
 *
 * Implements: P048 DeepSpeed MoE multilingual
 *
 * @throws RangeError where ranks, experts and tokens do not divide each other.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const [one, two] = [Float32Array.of(1), Float32Array.of(2)];
 * const inputs = { x: Float32Array.of(1, 2, 3, 4), width: 1, expert: [1, 0, 1, 0], shared: one, experts: [one, two], slope: Float32Array.of(1, 1, 1, 1) };
 * [...(await simulate.expertDataParallel(inputs, { ranks: 4, experts: 2 })).output]; // [2, 2, 6, 4]
 * ```
 */
export async function expertDataParallel(
  { x, width, expert, shared, experts, slope }: ExpertDataInputs,
  { experts: size, ...options }: RankOptions & { readonly experts: number },
): Promise<ExpertDataRun> {
  const { ranks } = options;
  const where = "expertDataParallel";
  const groups = requireParts(where, "a number of ranks", ranks, size);
  const each = requireParts(where, "a number of experts", experts.length, size);
  const tokens = requireParts(where, "a number of tokens", x.length / width, ranks);
  const square = width * width;
  const rows = (of: Float32Array, at: readonly number[]): Float32Array =>
    concatenated(at.map((t) => of.subarray(t * width, (t + 1) * width)));
  /** The tokens of a rank, by their places there, whose expert lies at a place of the group. */
  const going = (rank: number, to: number): number[] =>
    Array.from({ length: tokens }, (_, i) => i).filter((i) => Math.floor(expert[rank * tokens + i]! / each) === to);
  const gradients = { shared: new Float32Array(square), experts: experts.map(() => new Float32Array(square)) };

  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const group = Math.floor(me.index / size);
    const members = Array.from({ length: size }, (_, k) => group * size + k);
    const place = me.index - group * size;
    const mine = x.subarray(me.index * tokens * width, (me.index + 1) * tokens * width);
    const hidden = yield* me.compute(tokens * square, "shared", () => product(mine, shared, tokens, width, width));
    const sends = members.map((_, to) => going(me.index, to));
    const came = yield* allToAll(
      me,
      members,
      "tokens",
      sends.map((at) => rows(hidden, at)),
    );
    /** The experts of the tokens that came from a rank. */
    const kinds = members.map((rank) => going(rank, place).map((i) => expert[rank * tokens + i]!));
    const load = came.reduce((sum, part) => sum + part.length / width, 0);
    const apply = (parts: readonly Float32Array[], kernelOf: (e: number) => Float32Array): Float32Array[] =>
      parts.map((part, k) =>
        concatenated(
          kinds[k]!.map((e, i) => product(part.subarray(i * width, (i + 1) * width), kernelOf(e), 1, width, width)),
        ),
      );
    const made = yield* me.compute(load * square, "experts", () => apply(came, (e) => experts[e]!));
    const out = placed(yield* allToAll(me, members, "answers", made), sends);

    // backwards: the same ways
    const down = slope.subarray(me.index * tokens * width, (me.index + 1) * tokens * width);
    const slopes = yield* allToAll(
      me,
      members,
      "slopes",
      sends.map((at) => rows(down, at)),
    );
    const own = Array.from({ length: each }, () => new Float32Array(square));
    const back = yield* me.compute(2 * load * square, "experts backwards", () => {
      for (const [k, part] of came.entries())
        for (const [i, e] of kinds[k]!.entries())
          outer(
            own[e - place * each]!,
            part.subarray(i * width, (i + 1) * width),
            slopes[k]!.subarray(i * width, (i + 1) * width),
          );
      return apply(slopes, (e) => flipped(experts[e]!, width));
    });
    const inner = placed(yield* allToAll(me, members, "slopes back", back), sends);
    const first = yield* me.compute(tokens * square, "shared backwards", () => {
      const sum = new Float32Array(square);
      for (let t = 0; t < tokens; t++)
        outer(sum, mine.subarray(t * width, (t + 1) * width), inner.subarray(t * width, (t + 1) * width));
      return sum;
    });
    const alike = Array.from({ length: groups }, (_, g) => g * size + place);
    for (const [i, gradient] of own.entries()) {
      const sum = yield* ring(me, alike, gradient, `expert ${i}`);
      gradients.experts[place * each + i]!.set(sum);
    }
    const everyone = Array.from({ length: ranks }, (_, k) => k);
    gradients.shared.set(yield* ring(me, everyone, first, "shared"));
    return out;
  });
  return { ...found, output: concatenated(found.parts), gradients };

  /** Rows back in the places that they came from. */
  function placed(parts: readonly Float32Array[], sends: readonly (readonly number[])[]): Float32Array {
    const out = new Float32Array(tokens * width);
    for (const [k, part] of parts.entries())
      for (const [i, at] of sends[k]!.entries()) out.set(part.subarray(i * width, (i + 1) * width), at * width);
    return out;
  }
}

/** The sum of some ranks' vectors around a ring of them. */
function* ring(me: Rank, members: readonly number[], vector: Float32Array, tag: string): Process<Float32Array> {
  const [n, own] = [members.length, members.indexOf(me.index)];
  const [next, before] = [members[(own + 1) % n]!, members[(own - 1 + n) % n]!];
  const piece = (k: number): Float32Array => {
    const at = ((k % n) + n) % n;
    return vector.subarray(Math.floor((at * vector.length) / n), Math.floor(((at + 1) * vector.length) / n));
  };
  for (let round = 0; round < n - 1; round++) {
    me.give(next, `${tag} ${round}`, piece(own - round).slice());
    addTo(piece(own - round - 1), yield* me.get(before, `${tag} ${round}`));
  }
  for (let round = 0; round < n - 1; round++) {
    me.give(next, `${tag} all ${round}`, piece(own + 1 - round).slice());
    piece(own - round).set(yield* me.get(before, `${tag} all ${round}`));
  }
  return vector;
}

/** Adds the outer product of two rows. */
function outer(to: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) to[i * b.length + j]! += a[i]! * b[j]!;
}

function flipped(a: Float32Array, n: number): Float32Array {
  return a.map((_, at) => a[(at % n) * n + Math.floor(at / n)]!);
}
