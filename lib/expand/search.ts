import { type Examples, gather, gatherTargets } from "../data/dataset.ts";
import { needShare, needWhole, withDefaults } from "../data/options.ts";
import { fronts } from "../data/parts/fronts.ts";
import { disposeTree, jit, type Rng, random, type Tree, tf } from "../engine/index.ts";
import { type Params, tape } from "../models/model.ts";
import type { Weights } from "../models/network.ts";
import { gatesOf, maskOf, type Subnet } from "../models/parts/elastic.ts";
import { withinPart } from "../models/parts/masked-pass.ts";
import { tidied } from "../models/parts/pieces.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { type Whole, wholeOf } from "./parts/sliced.ts";

/** What `search` can be told. */
export interface SearchOptions {
  /** Shares of units that an inner layer may have; default 0.25, 0.5, 0.75 and 1. */
  readonly widths?: readonly number[];
  /** Numbers of blocks that a part may have; default all of them. */
  readonly depths?: readonly number[];
  /** Parts in each generation, at least 4; default 16. */
  readonly population?: number;
  /** Generations after the first; default 8. */
  readonly generations?: number;
  /** The chance that a width or the depth of a child is drawn anew; default 0.2. */
  readonly mutation?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** A part of a network, and what it comes to. */
export interface SearchedPart extends Subnet {
  readonly accuracy: number;
  readonly parameters: number;
}

/** What a search came to. */
export interface Searched {
  /** The parts of which none is both smaller and better, from small to large: `expand.slice` cuts them out. */
  readonly front: readonly SearchedPart[];
  /** How many different parts were looked at. */
  readonly tried: number;
}

/**
 * Looks for small parts of a trained network that answer well, by evolution: parts of which no other is both smaller and better go on, and of those the ones in sparse
 * regions; children mix the widths and depths of two and change some.
 *
 * The network should have learnt to be cut, as by `supernet`. Nothing is trained.
 *
 * Implements: P040 LLaMA-NAS
 * Sarah et al. 2024, "LLaMA-NAS: efficient neural architecture search for large language models", arXiv:2405.18377, section 3; the evolution is that of Deb et al.
 * 2002 (NSGA-II).
 * Differs from the paper: no predictor stands for the accuracy of parts, as they are small enough to be asked; nothing is quantised after it.
 *
 * @throws RangeError for an empty table or a population below 4; TypeError for a network of which nothing can be left out.
 *
 * @example
 * ```ts
 * import { blobs, expand, mlp, network, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const made = trained({ model, input: [3], weights: network(model, [3]).init(random(0), 2) });
 * const data = blobs({ classes: 2, dimensions: 3 });
 * expand.search(made, data.test, { widths: [0.5, 1], generations: 1, population: 4 }).tried; // 2
 * ```
 */
export function search(network: TrainedNetwork, data: Examples, options: SearchOptions = {}): Searched {
  const { widths, depths, population, generations, mutation, seed } = withDefaults<Required<SearchOptions>>(
    "expand.search",
    options,
    { widths: [0.25, 0.5, 0.75, 1], depths: [], population: 16, generations: 8, mutation: 0.2, seed: 0 },
  );
  for (const share of widths) needShare("expand.search", "a width", share);
  needWhole("expand.search", "population", population, 4);
  needWhole("expand.search", "generations", generations, 0);
  needShare("expand.search", "mutation", mutation);
  if (data.length === 0) throw new RangeError("expand.search: at least one example is required, got an empty table");
  const rng = random(seed).at("search");
  return tidied(() => {
    const whole = wholeOf("expand.search", network);
    const { elastic } = whole;
    const numbers = depths.length === 0 ? [elastic.blocks.length] : depths;
    const asked = judge(whole, data);
    const known = new Map<string, SearchedPart>();
    const look = (part: Subnet): SearchedPart => {
      const key = JSON.stringify(part);
      const found = known.get(key) ?? { ...part, ...asked(part) };
      known.set(key, found);
      return found;
    };
    const pick = <T>(from: readonly T[], at: Rng): T => from[at.int(from.length)]!;
    const drawn = (at: Rng): Subnet => ({
      widths: elastic.sites.map((_, i) => pick(widths, at.at("width", i))),
      depth: pick(numbers, at.at("depth")),
    });
    const ends = [Math.min, Math.max].map((end) =>
      look({ widths: elastic.sites.map(() => end(...widths)), depth: end(...numbers) }),
    );
    let now = [...ends, ...Array.from({ length: population - 2 }, (_, i) => look(drawn(rng.at("first", i))))];
    for (let generation = 0; generation < generations; generation++) {
      const order = ranked(now);
      const children = Array.from({ length: population }, (_, i) => {
        const at = rng.at(generation, i);
        // of two that are drawn the one that stands before the other
        const parent = (name: string): SearchedPart =>
          order[Math.min(...[0, 1].map((k) => at.at(name, k).int(order.length)))]!;
        const [a, b, fresh] = [parent("a"), parent("b"), drawn(at.at("fresh"))];
        const gene = <T>(k: number, x: T, y: T, z: T): T =>
          at.at("change", k).uniform() < mutation ? z : at.at("mix", k).uniform() < 0.5 ? x : y;
        return look({
          widths: a.widths.map((share, k) => gene(k, share, b.widths[k]!, fresh.widths[k]!)),
          depth: gene(a.widths.length, a.depth, b.depth, fresh.depth),
        });
      });
      now = ranked([...new Set([...now, ...children])]).slice(0, population);
    }
    whole.flat.dispose();
    const all = [...known.values()];
    const [best] = fronts(all, worth);
    return { front: [...best!].sort((a, b) => a.parameters - b.parameters), tried: all.length };
  });
}

/** What is asked of parts: to be small, and to answer well. */
const worth = ({ parameters, accuracy }: SearchedPart): readonly number[] => [-parameters, accuracy];

/** Parts front by front, within each those first that have most room around them. */
function ranked(parts: readonly SearchedPart[]): SearchedPart[] {
  return [...fronts(parts, worth)].flatMap((front) => {
    const room = new Map(front.map((part) => [part, 0]));
    for (const of of ["accuracy", "parameters"] as const) {
      const sorted = [...front].sort((a, b) => a[of] - b[of]);
      const span = sorted.at(-1)![of] - sorted[0]![of] || 1;
      sorted.forEach((part, i) => {
        const [before, after] = [sorted[i - 1], sorted[i + 1]];
        const gap = before === undefined || after === undefined ? Infinity : (after[of] - before[of]) / span;
        room.set(part, room.get(part)! + gap);
      });
    }
    return [...front].sort((a, b) => (room.get(a) === room.get(b) ? 0 : room.get(b)! - room.get(a)!));
  });
}

/** How well a part answers and how large it is, without being cut out. */
function judge(
  { flat, elastic, part: cut }: Whole,
  data: Examples,
): (part: Subnet) => Pick<SearchedPart, "accuracy" | "parameters"> {
  const at = Uint32Array.from({ length: data.length }, (_, i) => i);
  const wanted: ArrayLike<number> = data.targets === undefined ? data.labels : gatherTargets(data, at);
  const x = tf.tensor(gather(data, at), [data.length, ...data.shape]);
  const answer = jit(
    (weights: Weights, statistics: Params, rows: tf.Tensor, mask: tf.Tensor, gates: tf.Tensor) => {
      const { mode } = tape(false, null, statistics, withinPart(elastic, mask, gates));
      return tf.argMax(flat.structure.logits(weights, flat.structure.features(weights, rows, mode)), -1);
    },
    { name: "search" },
  );
  return (part) => {
    const [mask, gates] = [tf.tensor1d(maskOf(elastic, part)), tf.tensor1d(gatesOf(elastic, part))];
    const given = answer(flat.weights, flat.statistics, x, mask, gates);
    const answers = given.dataSync() as Int32Array;
    const made = cut(part);
    const { parameters } = made;
    made.dispose();
    disposeTree([mask, gates, given] as unknown as Tree);
    return { accuracy: answers.reduce((sum, a, i) => sum + +(a === wanted[i]), 0) / answers.length, parameters };
  };
}
