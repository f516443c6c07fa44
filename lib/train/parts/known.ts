/** What the frozen layers at the beginning of a network give, computed once for each example. */
import { type Shape, sizeOf } from "../../data/dataset.ts";
import { disposeTree, flopsDone, jit, random, type Tree, tf } from "../../engine/index.ts";
import type { Params } from "../../models/model.ts";
import type { Network, Weights } from "../../models/network.ts";
import { type Stem, stemOf } from "../../models/parts/stem.ts";
import type { Evaluator, Frozen, Judged } from "../evaluate.ts";
import type { RunSpec } from "../spec.ts";

/** The frozen beginning of a network, and what it gave for examples that came before. */
export interface Known {
  readonly stem: Stem;
  /** What the stem gives for rows as the model sees them, one after the other. */
  rows(x: Float32Array, weights: Weights, statistics: Params): Float32Array;
  /** The arithmetic that was saved so far: it counts as done, so that a run's record does not depend on what is known already. */
  readonly saved: number;
}

/** Rows per program: always as many, so that a row's numbers do not depend on those beside it. */
const together = 32;

/** The least share of the arithmetic that the stem must have, and numbers that may be kept (of 4 bytes): in all 256 MB. */
const [leastShare, mostNumbers] = [0.1, 2 ** 26];

/** The frozen beginning of a run's network, where it has one. */
export interface Knowing {
  /** What it gives for the rows of a batch. */
  readonly rows: { readonly shape: Shape; rows(x: Float32Array): Float32Array } | null;
  /** An evaluator that knows it where the weights are the run's own. */
  judge(of: Evaluator): Evaluator;
  /** The arithmetic of this process. */
  worked(): number;
}

/** What is known of a run's network; `now` are its weights and statistics. */
export function knowing(
  stem: Stem | null,
  network: Network,
  now: () => Pick<Frozen, "weights" | "statistics">,
): Knowing {
  if (stem === null) return { rows: null, judge: (of) => of, worked: flopsDone };
  const known = remembering(stem, network.input);
  const rows = (x: Float32Array): Float32Array => known.rows(x, now().weights, now().statistics);
  const judged = (frozen: Judged): Judged => (frozen.weights === now().weights ? { ...frozen, known } : frozen);
  return {
    rows: { shape: stem.shape, rows },
    judge: (of) => ({
      ...of,
      score: (frozen, ...rest) => of.score(judged(frozen), ...rest),
      predictions: (frozen, ...rest) => of.predictions(judged(frozen), ...rest),
      outputs: (frozen, ...rest) => of.outputs(judged(frozen), ...rest),
    }),
    worked: () => flopsDone() + known.saved,
  };
}

/**
 * The frozen beginning of the network of a run. Null where it is not worth it, and where examples or frozen weights may change within the
 * program: images of changing size, learning at test time, optimizers that look into layers.
 */
export function stemFor({ strategies, batching = [], optimizer }: RunSpec, network: Network): Stem | null {
  if (network.frozen === null || strategies.some(({ hooks }) => hooks.adapt !== undefined)) return null;
  if (batching.some(({ plan }) => plan.side !== undefined) || (optimizer.sees ?? []).length > 0) return null;
  const { model, head, input, width } = network;
  const begun = model.init(random(0), input);
  const weights: Weights = { model: begun, head: head.init(random(0), width.length === 2 ? width.slice(1) : width, 1) };
  const drawn = { weights, statistics: network.statistics() };
  const stem = stemOf(network, drawn.weights, drawn.statistics);
  disposeTree(drawn as Tree);
  return stem === null || stem.share < leastShare ? null : stem;
}

/** Rows that were computed, in two generations: the older is forgotten when the younger has half of the room. */
export function remembering(stem: Stem, input: Shape, most = mostNumbers): Known {
  const [wide, out] = [sizeOf(input), sizeOf(stem.shape)];
  const half = Math.max(1, Math.floor(most / 2 / out));
  type Row = { readonly check: number; readonly values: Float32Array };
  let [young, old] = [new Map<number, Row>(), new Map<number, Row>()];
  let saved = 0;
  let cost = 0;
  const program = jit((weights: Weights, statistics: Params, x: tf.Tensor) => stem.first(weights, statistics, x), {
    name: "frozen layers",
  });

  function keep(key: number, row: Row): void {
    if (young.size >= half) [young, old] = [new Map(), young];
    young.set(key, row);
  }

  function find(key: number, check: number): Float32Array | undefined {
    const row = young.get(key) ?? old.get(key);
    if (row === undefined || row.check !== check) return undefined;
    if (!young.has(key)) keep(key, row);
    return row.values;
  }

  function computed(x: Float32Array, at: readonly number[], weights: Weights, statistics: Params): Float32Array {
    const given = new Float32Array(together * wide);
    for (const [k, row] of at.entries()) given.set(x.subarray(row * wide, (row + 1) * wide), k * wide);
    const before = flopsDone();
    const rows = tf.tensor(given, [together, ...input]);
    const y = program(weights, statistics, rows);
    const values = (y.dataSync() as Float32Array).slice(0, at.length * out);
    disposeTree([rows, y]);
    const done = flopsDone() - before;
    cost = done / together;
    saved -= done;
    return values;
  }

  return {
    stem,
    get saved() {
      return saved;
    },
    rows(x, weights, statistics) {
      const n = x.length / wide;
      const result = new Float32Array(n * out);
      const words = new Uint32Array(x.buffer, x.byteOffset, x.length);
      /** Rows to compute, by what they are; the same may come several times. */
      const missing = new Map<string, { readonly key: number; readonly check: number; readonly at: number[] }>();
      for (let row = 0; row < n; row++) {
        const [key, check] = marksOf(words, row * wide, wide);
        const values = find(key, check);
        if (values !== undefined) result.set(values, row * out);
        else {
          const name = `${key} ${check}`;
          const had = missing.get(name);
          if (had === undefined) missing.set(name, { key, check, at: [row] });
          else had.at.push(row);
        }
      }
      const all = [...missing.values()];
      for (let from = 0; from < all.length; from += together) {
        const group = all.slice(from, from + together);
        const firsts = group.map(({ at }) => at[0]!);
        const values = computed(x, firsts, weights, statistics);
        for (const [k, { key, check, at }] of group.entries()) {
          const own = values.subarray(k * out, (k + 1) * out);
          for (const row of at) result.set(own, row * out);
          keep(key, { check, values: own });
        }
      }
      saved += n * cost;
      return result;
    },
  };
}

/** Two numbers that tell a row from others: of 53 and of 32 bits, so that two of a billion rows are hardly ever taken for one. */
function marksOf(words: Uint32Array, from: number, count: number): readonly [key: number, check: number] {
  let [a, b, c] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b];
  for (let i = from; i < from + count; i++) {
    const word = words[i]!;
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b ^ word, 0x5bd1e995);
    b ^= b >>> 13;
    c = Math.imul(c ^ word, 0x27d4eb2f);
    c ^= c >>> 16;
  }
  return [(a >>> 0) * 2 ** 21 + (b >>> 11), c >>> 0];
}
