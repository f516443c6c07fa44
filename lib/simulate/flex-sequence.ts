import { needWhole, withDefaults } from "../data/options.ts";

/** What a group of ranks does on, and how it is counted. */
export interface FlexSequenceOptions {
  readonly ranks: number;
  /** Tokens that a rank has room for. */
  readonly room: number;
  /** Seconds of a sequence for each token, and for each pair of tokens, on one rank. Default 1e-6 and 1e-9. */
  readonly perToken?: number;
  readonly perPair?: number;
  /** Seconds of exchange for each token on a rank, where several ranks share a sequence, by their number. Default 2e-7 within 8 ranks, 2e-6 beyond. */
  readonly exchange?: (ranks: number) => number;
  /** Seconds of a batch whatever is in it. Default 0. */
  readonly perBatch?: number;
  /** "flexible", or as many ranks in every group. Default "flexible". */
  readonly degree?: "flexible" | number;
}

/** Sequences that ranks of a group share. */
export interface SequenceGroup {
  readonly ranks: number;
  /** Which sequences, by their number. */
  readonly sequences: readonly number[];
  readonly seconds: number;
}

/** A step's plan: batches one after the other, each on groups side by side. */
export interface SequencePlan {
  readonly batches: readonly (readonly SequenceGroup[])[];
  readonly seconds: number;
}

/**
 * Sequence parallelism whose groups fit the lengths: long sequences are shared by many ranks, short ones by few or none, who then send little.
 *
 * A group of `d` ranks takes `Σ (perToken l + perPair l²) / d` seconds for its sequences and, where d is above 1, `exchange(d) l / d` for what goes over its
 * lines; it has room for `room · d` tokens. A batch takes as long as its slowest group and `perBatch` more. Groups have 1, 2, 4, … ranks. All ways to divide the ranks are tried, sequences going longest first to the group
 * that is then done first, and the sorted sequences are cut into more and more batches while that is faster or needed for room.
 *
 * Wang et al. 2024, arXiv:2412.01523 (FlexSP), and the authors' program (AFDWang/Hetu-Galvatron, branch flexsp), whose costs of sequences, of exchange and of room these are.
 * Differs from the program: longest first over all divisions in place of a mixed-integer program over buckets of lengths.
 *
 * Implements: P121 Heterogeneity-adaptive seq. parallelism
 *
 * @throws RangeError where a sequence does not fit on all ranks together.
 *
 * @example
 * ```ts
 * import { simulate } from "thalweg";
 * const plan = simulate.flexSequence([12000, 3000, 1000, 1000, 1000, 1000], { ranks: 16, room: 2000 });
 * plan.batches.map((groups) => groups.map(({ ranks }) => ranks)); // [[16], [8, 8]]
 * ```
 */
export function flexSequence(lengths: readonly number[], options: FlexSequenceOptions): SequencePlan {
  const o = withDefaults<Required<FlexSequenceOptions>>("flexSequence", options, {
    ranks: 0,
    room: 0,
    perToken: 1e-6,
    perPair: 1e-9,
    exchange: (ranks) => (ranks <= 8 ? 2e-7 : 2e-6),
    perBatch: 0,
    degree: "flexible",
  });
  needWhole("flexSequence", "ranks", o.ranks);
  const longest = Math.max(0, ...lengths);
  if (longest > o.room * (o.degree === "flexible" ? largest(o.ranks) : o.degree))
    throw new RangeError(
      `flexSequence: room for a sequence of ${longest} tokens is required, got ${o.room} on each of ${o.degree === "flexible" ? o.ranks : o.degree} ranks`,
    );
  const divisions =
    o.degree === "flexible"
      ? [...divided(o.ranks, largest(o.ranks))]
      : [Array.from({ length: Math.floor(o.ranks / o.degree) }, () => o.degree as number)];
  const sorted = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]!);
  let best: SequencePlan | null = null;
  for (let count = 1; count <= Math.max(1, sorted.length); count++) {
    const batches: SequenceGroup[][] = [];
    for (const part of cut(sorted, lengths, count)) {
      const made = divisions
        .map((division) => assigned(part, lengths, division, o))
        .filter((groups) => groups !== null)
        .sort((a, b) => span(a) - span(b))[0];
      if (made === undefined) break;
      batches.push(made);
    }
    if (batches.length < count) continue;
    const seconds = batches.reduce((sum, groups) => sum + span(groups) + o.perBatch, 0);
    if (best !== null && seconds >= best.seconds) break;
    best = { batches, seconds };
  }
  if (best === null) throw new RangeError("flexSequence: room for the sequences is required; raise room");
  return best;
}

/** Seconds that a group takes for sequences. */
function groupSeconds(
  sequences: readonly number[],
  lengths: readonly number[],
  ranks: number,
  { perToken, perPair, exchange }: Required<FlexSequenceOptions>,
): number {
  return sequences.reduce((sum, at) => {
    const l = lengths[at]!;
    return sum + (perToken * l + perPair * l * l + (ranks > 1 ? exchange(ranks) * l : 0)) / ranks;
  }, 0);
}

/** Sequences on groups, the longest first to the group that is then done first; null where there is no room. */
function assigned(
  part: readonly number[],
  lengths: readonly number[],
  division: readonly number[],
  o: Required<FlexSequenceOptions>,
): SequenceGroup[] | null {
  const groups = division.map((ranks) => ({ ranks, sequences: [] as number[], tokens: 0, seconds: 0 }));
  for (const at of part) {
    const open = groups.filter(({ ranks, tokens }) => tokens + lengths[at]! <= o.room * ranks);
    if (open.length === 0) return null;
    const after = (group: (typeof groups)[number]): number =>
      group.seconds + groupSeconds([at], lengths, group.ranks, o);
    const group = open.reduce((a, b) => (after(b) < after(a) ? b : a));
    group.seconds = after(group);
    group.sequences.push(at);
    group.tokens += lengths[at]!;
  }
  return groups.map(({ ranks, sequences, seconds }) => ({ ranks, sequences, seconds }));
}

function span(groups: readonly SequenceGroup[]): number {
  return Math.max(0, ...groups.map(({ seconds }) => seconds));
}

/** Sorted sequences in so many runs of about as many tokens. */
function cut(sorted: readonly number[], lengths: readonly number[], count: number): number[][] {
  const total = sorted.reduce((sum, at) => sum + lengths[at]!, 0);
  const parts: number[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const at of sorted) {
    parts[Math.min(count - 1, Math.floor((before * count) / Math.max(1, total)))]!.push(at);
    before += lengths[at]!;
  }
  return parts;
}

function largest(ranks: number): number {
  return 2 ** Math.floor(Math.log2(ranks));
}

/** All ways to divide ranks into powers of two up to one, the larger first. */
function* divided(ranks: number, most: number): Generator<number[]> {
  if (ranks === 0) yield [];
  for (let own = most; own >= 1 && ranks > 0; own /= 2)
    if (own <= ranks) for (const rest of divided(ranks - own, own)) yield [own, ...rest];
}
