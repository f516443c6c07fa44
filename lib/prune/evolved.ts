import type { Examples, Json } from "../data/dataset.ts";
import { checked, needOneOf, needShare, needWhole, type Options } from "../data/options.ts";
import { disposeTree, type Rng, random, type Tree, tf } from "../engine/index.ts";
import {
  changedInTurn,
  kernelAt,
  kernelPlaces,
  type Matrix,
  rowsInto,
  sampleOf,
  tappedLogits,
  withTensors,
} from "../models/parts/kernel-layers.ts";
import type { TrainedNetwork } from "../models/trained.ts";
import { magnitude } from "./magnitude.ts";
import { kept, masked } from "./parts/masks.ts";
import { type How, type Pruned, type PruneOptions, pruned } from "./pruning.ts";
import { sparseGpt } from "./sparse-gpt.ts";
import { wanda } from "./wanda.ts";

const rules = { magnitude, wanda, sparseGpt } as const;

const defaults = {
  /** The share of zeros in all. */
  sparsity: 0.7,
  /** Steps between no zeros and the whole of the smallest layer: levels are as many numbers apart in each layer. */
  levels: 16,
  /** How far layers may be from the common share at first: levels from it that are made. */
  reach: 5,
  /** Generations, and children in each. */
  generations: 40,
  children: 8,
  /** By which rule each layer is pruned: "magnitude", "wanda" (which rounds zeros down for each unit) or "sparseGpt". */
  rule: "sparseGpt" as string,
  /** Where mutations are drawn. */
  seed: 0,
};

/**
 * EvoPress: how many zeros each layer gets is searched for by evolution, the total being fixed: a child gives one layer more and another as many fewer, and
 * of parent and children that stays which answers most as the whole network does.
 *
 * Every layer is pruned to each of its levels beforehand, with what comes in in the whole network. A child has one or two such exchanges (the lesser of two draws). Children are compared
 * by the divergence of their predictions on few examples, the best of them with their parent on all (a quarter, then all `samples`).
 *
 * Implements: P266 EvoPress
 *
 * Sieberling et al. 2024, "EvoPress: towards optimal dynamic model compression via evolutionary search", arXiv:2410.14649, section 3 and algorithm 1
 * (level-switch mutation, multi-step selection, Kullback–Leibler fitness).
 * Differs from the paper: for shares of zeros alone, not for bits or dropped blocks.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, prune, random, trained } from "thalweg";
 * const model = mlp({ hidden: [16, 16] });
 * const data = blobs({ classes: 3, dimensions: 8 }).train;
 * const big = trained({ model, input: [8], weights: network(model, [8]).init(random(0), 3) });
 * Math.round(100 * prune.evolved(big, data, { sparsity: 0.5, generations: 3, rule: "magnitude" }).report.sparsity); // 50
 * ```
 */
export function evolved(
  network: TrainedNetwork,
  data: Examples,
  given: Partial<typeof defaults> & PruneOptions = {},
): Pruned {
  const where = "prune.evolved";
  const { filter, samples = 128, ...own } = given;
  const options = checked(where, defaults as Options, own) as typeof defaults;
  const { sparsity, levels, reach, generations, children, rule, seed } = options;
  needShare(where, "sparsity", sparsity);
  needOneOf(where, "rule", rule, Object.keys(rules));
  for (const [what, value] of Object.entries({ levels, reach, generations, children, samples }))
    needWhole(where, what, value);
  const places = kernelPlaces(where, network, filter);
  const x = sampleOf(data, samples);
  try {
    const rows = rowsInto(network, network.weights, x, new Set(places.map(({ path }) => path)));
    const step = Math.max(1, Math.round(Math.min(...places.map(({ inputs, units }) => inputs * units)) / levels));
    const made = places.map((place) => {
      const kernel = kernelAt(network.weights, place);
      const size = kernel.length;
      const cache = new Map<number, Matrix>();
      return (level: number): Matrix | null => {
        const zeros = Math.round(sparsity * size) + level * step;
        if (Math.abs(level) > reach || zeros < 0 || zeros > size) return null;
        let found = cache.get(level);
        if (found === undefined) {
          found = pruneTo(rule as keyof typeof rules, kernel, rows.get(place.path)!, place, zeros / size);
          cache.set(level, found);
        }
        return found;
      };
    });
    const wanted = probabilities(network, network.weights, x);
    const fitness = (genome: readonly number[], count: number): number => {
      const kernels = new Map(places.map(({ path }, i) => [`${path}/kernel`, made[i]!(genome[i]!)!]));
      const weights = withTensors(network.weights, kernels);
      const some = tf.tidy(() => tf.slice(x, [0], [count]));
      const found = probabilities(network, weights, some);
      disposeTree([weights, some] as unknown as Tree);
      return divergence(wanted, found);
    };
    const genome = search(
      places.map(() => 0),
      (now, i, by) => made[i]!(now[i]! + by) !== null,
      fitness,
      { generations, children, most: x.shape[0]!, rng: random(seed).at(where) },
    );
    const { weights, changes } = changedInTurn(where, network, places, x, (_, i) => ({
      kernel: made[i]!(genome[i]!)!,
    }));
    return pruned("evolved", options as unknown as Json, network, weights, changes, data);
  } finally {
    x.dispose();
  }
}

/** A search by exchanges: the genome with the least fitness that was met. */
export function search(
  first: readonly number[],
  fits: (genome: readonly number[], at: number, by: 1 | -1) => boolean,
  fitness: (genome: readonly number[], examples: number) => number,
  how: { readonly generations: number; readonly children: number; readonly most: number; readonly rng: Rng },
): readonly number[] {
  const { generations, children, most, rng } = how;
  const few = Math.max(1, Math.ceil(most / 4));
  let parent = first;
  let least = fitness(parent, most);
  for (let generation = 0; generation < generations; generation++) {
    const born = Array.from({ length: children }, (_, k) => mutated(parent, fits, rng.at(generation, k)));
    const scored = born.map((genome) => ({ genome, score: few === most ? 0 : fitness(genome, few) }));
    const best = scored
      .sort((a, b) => a.score - b.score)
      .slice(0, Math.max(1, few === most ? children : Math.ceil(children / 4)));
    for (const { genome } of best) {
      const score = fitness(genome, most);
      if (score < least) [parent, least] = [genome, score];
    }
  }
  return parent;
}

function mutated(
  parent: readonly number[],
  fits: (genome: readonly number[], at: number, by: 1 | -1) => boolean,
  rng: Rng,
): readonly number[] {
  const genome = [...parent];
  const draw = (count: number): number => Math.floor(rng.uniform() * count);
  const exchanges = 1 + Math.min(draw(2), draw(2));
  for (let k = 0; k < exchanges; k++)
    for (let tried = 0; tried < 8; tried++) {
      const [up, down] = [draw(genome.length), draw(genome.length)];
      if (up === down || !fits(genome, up, 1) || !fits(genome, down, -1)) continue;
      genome[up]!++;
      genome[down]!--;
      break;
    }
  return genome;
}

function pruneTo(
  rule: keyof typeof rules,
  kernel: Matrix,
  rows: Matrix,
  place: { readonly path: string; readonly inputs: number; readonly units: number },
  sparsity: number,
): Matrix {
  const amount = { sparsity, pattern: "" };
  if (rule === "magnitude") return masked(kernel, kept("prune.evolved", kernel.map(Math.abs), place, amount, "layer"));
  const { how, defaults: rest } = rules[rule];
  return (how as How<object>).layer!({ ...place, kernel, rows: () => rows }, { ...rest, ...amount });
}

function probabilities(network: TrainedNetwork, weights: TrainedNetwork["weights"], x: tf.Tensor): Float32Array {
  const found = tf.tidy(() => tf.softmax(tappedLogits(network, weights, x)));
  const numbers = found.dataSync() as Float32Array;
  found.dispose();
  return numbers;
}

/** The mean Kullback–Leibler divergence, as far as there are rows of the second. */
function divergence(p: Float32Array, q: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < q.length; i++) if (p[i]! > 0) sum += p[i]! * Math.log(p[i]! / Math.max(q[i]!, 1e-12));
  return sum / q.length;
}
