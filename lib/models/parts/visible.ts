/** Which places of a sequence see which, and what is added to their scores. */
import { tf } from "../../engine/index.ts";

/** What decides it. */
export interface Sight {
  readonly heads: number;
  /** Whether a place sees none that comes later. */
  readonly causal: boolean;
  /** How many places back, itself included, a place sees, and as many onwards where it may; 0: all. */
  readonly window: number;
  /** Of keys further back each head sees those of every so manieth piece alone, other pieces than other heads; 0: all. */
  readonly shards: number;
  /** How many places are a piece. */
  readonly shardSize: number;
  /** Whether scores fall with the distance, in each head at a rate of its own. */
  readonly alibi: boolean;
}

/** What hides a place. */
const hidden = -1e9;

/**
 * What is added to scores: `[length, keys]`, or `[heads, length, keys]` where heads differ; undefined where it is nothing.
 *
 * The last `length` keys are the places' own, `past` ones before them are earlier places, and any before those, of prompts, are seen from everywhere.
 */
export function sightBias(sight: Sight, length: number, keys: number, past = 0): tf.Tensor | undefined {
  const { heads, causal, window, alibi, shards } = sight;
  const differ = alibi || shards > 0;
  if (!causal && !differ && (window === 0 || window >= length + past)) return undefined;
  const own = keys - length;
  const slopes = alibi ? alibiSlopes(heads) : [];
  const numbers = Float32Array.from({ length: (differ ? heads : 1) * length * keys }, (_, at) => {
    const head = Math.floor(at / keys / length);
    const back = (Math.floor(at / keys) % length) + own - (at % keys); // how many places before
    if (at % keys < own - past) return 0;
    if (causal && back < 0) return hidden;
    const place = (at % keys) - own + past;
    if (window > 0 && Math.abs(back) >= window && !(shards > 0 && inShard(place, head, sight))) return hidden;
    return alibi ? -slopes[head]! * Math.abs(back) : 0;
  });
  return tf.tensor(numbers, differ ? [heads, length, keys] : [length, keys]);
}

/** Whether a place is in the shard of a head: its piece's number, and the head's share of the way through the shards, make a multiple of how many there are. */
function inShard(place: number, head: number, { heads, shards, shardSize }: Sight): boolean {
  const step = Math.max(1, Math.floor(shards / heads));
  return (Math.floor(place / shardSize) + head * step + 1) % shards === 0;
}

/**
 * By how much a score falls for each place of distance, in each head: `2^(−8h/heads)` for h = 1 … heads. Where heads are no power of two the power below has its
 * own, and the others every second one of the power above.
 *
 * Press, Smith and Lewis 2022, "Train short, test long", arXiv:2108.12409, section 3 and the authors' program.
 */
export function alibiSlopes(heads: number): number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const of = (count: number): number[] => Array.from({ length: count }, (_, h) => 2 ** ((-8 * (h + 1)) / count));
  return [...of(power), ...of(2 * power).filter((_, h) => h % 2 === 0)].slice(0, heads);
}
