import type { Process } from "./clock.ts";
import { concatenated } from "./parts/arrays.ts";
import { onRanks, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import type { AttentionInputs } from "./sequence-parallel.ts";

/** What `lasp2` can be told. */
export interface Lasp2Options extends RankOptions {
  /** Whether a place looks only at those before it, and at itself. Default true. */
  readonly causal?: boolean;
}

/**
 * Linear attention over a sequence whose parts lie on different ranks, with one gathering of states: `o = Σⱼ (q · kⱼ) vⱼ` without a softmax.
 *
 * Rank `t` makes the state `Mₜ = Kₜᵀ Vₜ` of its places, all ranks gather all states, and `Oₜ = (Qₜ Kₜᵀ ⊙ causal) Vₜ + Qₜ Σ_{s<t} Mₛ`. What a
 * rank sends, `heads · width² · (P − 1)` numbers, does not grow with the sequence.
 *
 * Sun et al. 2025, arXiv:2502.07563, algorithms 1 and 2.
 * Differs from the paper: the states go to each other rank one by one.
 *
 * Implements: P198 LASP-2
 *
 * @throws RangeError where the ranks do not divide the length.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const x = Float32Array.from({ length: 8 * 2 * 3 }, (_, i) => Math.sin(i));
 * const run = await simulate.lasp2({ length: 8, heads: 2, width: 3, q: x, k: x, v: x }, { ranks: 4 });
 * run.bytes[0]; // 216
 * ```
 */
export async function lasp2(inputs: AttentionInputs, { causal = true, ...options }: Lasp2Options): Promise<Ranked> {
  const { length, heads, width } = inputs;
  const { ranks } = options;
  const places = requireParts("lasp2", "a length", length, ranks);
  const row = heads * width;
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const part = (of: Float32Array): Float32Array =>
      of.subarray(me.index * places * row, (me.index + 1) * places * row);
    const [q, k, v] = [part(inputs.q), part(inputs.k), part(inputs.v)];
    const own = yield* me.compute(places * row * width, "state", () => stateOf(k, v, places, heads, width));
    for (let to = 1; to < ranks; to++) me.give((me.index + to) % ranks, "state", own);
    const inside = yield* me.compute(places * places * row, "within", () =>
      within(q, k, v, places, heads, width, causal),
    );
    const sum = new Float32Array(own.length);
    for (let from = 0; from < ranks; from++) {
      const state = from === me.index ? own : yield* me.get(from, "state");
      const counts = causal ? from < me.index : from !== me.index;
      if (counts) for (const [i, x] of state.entries()) sum[i]! += x;
    }
    return yield* me.compute(places * row * width, "across", () => across(inside, q, sum, places, heads, width));
  });
  return { ...found, output: concatenated(found.parts) };
}

/** `Kᵀ V` of each head. */
function stateOf(k: Float32Array, v: Float32Array, places: number, heads: number, width: number): Float32Array {
  const out = new Float32Array(heads * width * width);
  for (let i = 0; i < places; i++)
    for (let h = 0; h < heads; h++)
      for (let a = 0; a < width; a++)
        for (let b = 0; b < width; b++)
          out[(h * width + a) * width + b]! += k[(i * heads + h) * width + a]! * v[(i * heads + h) * width + b]!;
  return out;
}

/** Linear attention among the places of one rank. */
function within(
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  places: number,
  heads: number,
  width: number,
  causal: boolean,
): Float32Array {
  const out = new Float32Array(places * heads * width);
  for (let i = 0; i < places; i++)
    for (let h = 0; h < heads; h++)
      for (let j = 0; j < (causal ? i + 1 : places); j++) {
        const [at, other] = [(i * heads + h) * width, (j * heads + h) * width];
        let score = 0;
        for (let d = 0; d < width; d++) score += q[at + d]! * k[other + d]!;
        for (let d = 0; d < width; d++) out[at + d]! += score * v[other + d]!;
      }
  return out;
}

/** What the states of other ranks add. */
function across(
  inside: Float32Array,
  q: Float32Array,
  state: Float32Array,
  places: number,
  heads: number,
  width: number,
): Float32Array {
  const out = inside.slice();
  for (let i = 0; i < places; i++)
    for (let h = 0; h < heads; h++)
      for (let a = 0; a < width; a++)
        for (let b = 0; b < width; b++)
          out[(i * heads + h) * width + b]! += q[(i * heads + h) * width + a]! * state[(h * width + a) * width + b]!;
  return out;
}
