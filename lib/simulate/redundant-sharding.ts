import { withDefaults } from "../data/options.ts";
import type { Process } from "./clock.ts";
import { onRanks, type Rank, type Ranked, type RankOptions, requireParts } from "./parts/ranks.ts";
import { addTo } from "./parts/vectors.ts";

/** How many ranks share one copy of what training holds. */
export interface Sharding {
  readonly weights: number;
  readonly gradients: number;
  readonly states: number;
}

/** A step of training on several ranks. */
export interface ShardedStep {
  readonly weights: Float32Array;
  /** The gradient of each rank's examples; their mean is followed. */
  readonly gradients: readonly Float32Array[];
  /** The update of some of the weights from their gradient, given where they begin. */
  readonly update: (weights: Float32Array, gradient: Float32Array, from: number) => Float32Array;
}

/**
 * A step of data-parallel training in which weights and the optimizer's states are shared by groups of ranks of different sizes, and the groups hold
 * the same.
 *
 * The weights are whole on every `weights` ranks together, the states on every `states`, which that divides: each rank updates `1/states` of them. A
 * rank gathers the weights (`(w − 1)/w` of them), takes part in the scattered sum of the gradient within its group of states (`(s − 1)/s`), in
 * the sum of its part over the `R = P/s` groups (`2 (R − 1)/R` of `1/s`), and gathers what it holds of the new weights (`1/w − 1/s`). With
 * `weights: 1, states: 1` that is plain data parallelism, with both P it is full sharding.
 *
 * Chen et al. 2024, arXiv:2401.09149 (InternEvo), section 4. Written from the abstract and from what full sharding (Rajbhandari et al. 2020, ZeRO) costs.
 *
 * Implements: P084 InternEvo
 *
 * @throws RangeError where groups do not divide ranks, states and numbers.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const step = { weights: Float32Array.of(1, 2), gradients: [Float32Array.of(1, 1), Float32Array.of(3, 1)], update: (w: Float32Array, g: Float32Array) => w.map((x, i) => x - 0.5 * g[i]!) };
 * [...(await simulate.redundantSharding(step, { ranks: 2, sharding: { weights: 1, gradients: 2, states: 2 } })).output]; // [0, 1.5]
 * ```
 */
export async function redundantSharding(
  { weights, gradients, update }: ShardedStep,
  { sharding, ...options }: RankOptions & { readonly sharding: Sharding },
): Promise<Ranked> {
  const { ranks } = options;
  const where = "redundantSharding";
  if (gradients.length !== ranks)
    throw new RangeError(`${where}: a gradient of each of ${ranks} ranks is required, got ${gradients.length}`);
  const groups = requireParts(where, "a number of ranks", ranks, sharding.states);
  requireParts(where, "a number of ranks that share states", sharding.states, sharding.weights);
  const part = requireParts(where, "a number of weights", weights.length, sharding.states);
  const held = weights.length / sharding.weights;
  const found = await onRanks(options, function* (me): Process<Float32Array> {
    const group = Math.floor(me.index / sharding.states) * sharding.states;
    const place = me.index - group;
    // a rank holds the stretch of the weights of which it updates a part
    const holds = Math.floor((place * part) / held);
    const sharers = Array.from(
      { length: sharding.weights },
      (_, k) => group + (k * sharding.states) / sharding.weights + (place % (sharding.states / sharding.weights)),
    );
    const whole = yield* gathered(me, sharers, "weights", weights.slice(holds * held, (holds + 1) * held));
    const gradient = yield* me.compute(2 * whole.length, "gradient", () => gradients[me.index]!.slice());
    const members = Array.from({ length: sharding.states }, (_, k) => group + k);
    const own = yield* scattered(me, members, "gradient", gradient, part);
    const alike = Array.from({ length: groups }, (_, k) => k * sharding.states + place);
    const sum = yield* summed(me, alike, "between", own);
    const from = place * part;
    const next = update(
      whole.slice(from, from + part),
      sum.map((x) => x / ranks),
      from,
    );
    const near = members.filter((k) => Math.floor(((k - group) * part) / held) === holds);
    const kept = yield* gathered(me, near, "updated", next);
    // what the output needs is only where every stretch is held once
    return place % (sharding.states / sharding.weights) === 0 && group === 0 ? kept : new Float32Array(0);
  });
  return { ...found, output: Float32Array.from(found.parts.flatMap((own) => [...own])) };
}

/** The parts of some ranks one after the other, at each of them. */
function* gathered(me: Rank, members: readonly number[], tag: string, own: Float32Array): Process<Float32Array> {
  for (const to of members) if (to !== me.index) me.give(to, tag, own);
  const out = new Float32Array(own.length * members.length);
  for (const [k, from] of members.entries())
    out.set(from === me.index ? own : yield* me.get(from, tag), k * own.length);
  return out;
}

/** The sum of one part of some ranks' vectors at each. */
function* scattered(
  me: Rank,
  members: readonly number[],
  tag: string,
  vector: Float32Array,
  part: number,
): Process<Float32Array> {
  for (const [k, to] of members.entries())
    if (to !== me.index) me.give(to, tag, vector.slice(k * part, (k + 1) * part));
  const mine = members.indexOf(me.index);
  const own = vector.slice(mine * part, (mine + 1) * part);
  for (const from of members) if (from !== me.index) addTo(own, yield* me.get(from, tag));
  return own;
}

/** The sum of some ranks' vectors at each: scattered, then gathered. */
function* summed(me: Rank, members: readonly number[], tag: string, vector: Float32Array): Process<Float32Array> {
  if (members.length === 1) return vector;
  const part = Math.ceil(vector.length / members.length);
  const padded = new Float32Array(part * members.length);
  padded.set(vector);
  const own = yield* scattered(me, members, `${tag} sum`, padded, part);
  return (yield* gathered(me, members, `${tag} all`, own)).subarray(0, vector.length);
}

/** What a plan of sharding is made for. */
export interface ShardingPlanOptions {
  readonly ranks: number;
  /** Ranks that are on one machine. Default 8. */
  readonly perMachine?: number;
  /** Weights of the network. */
  readonly numbers: number;
  /** Bytes that a rank has room for. */
  readonly room: number;
  /** Bytes a second within a machine and between machines. Default 3e11 and 2.5e10. */
  readonly within?: number;
  readonly between?: number;
}

/** A sharding, its bytes on a rank, and the seconds that its exchanges take. */
export interface ShardingPlan extends Sharding {
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * The sharding with the shortest exchanges that fits: all sizes of groups, powers of two, `weights ≤ gradients ≤ states`.
 *
 * A rank holds `2/w + 2/g + 12/s` bytes for each weight (half precision, and Adam in single). It gathers the weights for the pass forwards and
 * backwards, sums the gradient, and gathers what it has updated, 2 bytes for each number; a group within a machine has the fast lines.
 *
 * @throws RangeError where nothing fits.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const { weights, states } = simulate.shardingPlan({ ranks: 64, numbers: 7e9, room: 8e10 });
 * [weights, states]; // [1, 8]
 * ```
 */
export function shardingPlan(options: ShardingPlanOptions): ShardingPlan {
  const o = withDefaults<Required<ShardingPlanOptions>>("shardingPlan", options, {
    ranks: 0,
    perMachine: 8,
    numbers: 0,
    room: 0,
    within: 3e11,
    between: 2.5e10,
  });
  const sizes = Array.from({ length: Math.floor(Math.log2(o.ranks)) + 1 }, (_, k) => 2 ** k).filter(
    (size) => o.ranks % size === 0,
  );
  const line = (group: number): number => (group <= o.perMachine ? o.within : o.between);
  const share = (group: number): number => (group - 1) / group;
  let best: ShardingPlan | null = null;
  for (const weights of sizes)
    for (const gradients of sizes.filter((size) => size >= weights))
      for (const states of sizes.filter((size) => size >= gradients)) {
        const bytes = o.numbers * (2 / weights + 2 / gradients + 12 / states);
        if (bytes > o.room) continue;
        const groups = o.ranks / states;
        const sent = 2 * o.numbers;
        const seconds =
          (2 * sent * share(weights)) / line(weights) +
          (sent * share(states)) / line(states) +
          (2 * sent * share(groups)) / states / line(groups === 1 ? 1 : o.ranks) +
          (sent * (1 / weights - 1 / states)) / line(states);
        if (best === null || seconds < best.seconds) best = { weights, gradients, states, bytes, seconds };
      }
  if (best === null)
    throw new RangeError(
      `shardingPlan: room for ${Math.ceil((16 * o.numbers) / o.ranks)} bytes on a rank is required, got ${o.room}; take more ranks`,
    );
  return best;
}
