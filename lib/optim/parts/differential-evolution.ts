/** A minimum is searched for by a population of vectors, of which the differences say where to look. */
import { kMeans, nearestCentres } from "../../data/parts/k-means.ts";
import type { Rng } from "../../engine/index.ts";

/** How a population evolves. */
export interface Evolving {
  /** Rounds, in each of which every vector may be replaced by a child of its. */
  readonly generations: number;
  /** What a difference of two vectors is multiplied by. */
  readonly scale: number;
  /** The chance of each number of a child to be that of the mutant. */
  readonly crossover: number;
  /** In how many rounds clusters are looked at once; 0 never, which is plain differential evolution. */
  readonly period: number;
}

/** A vector of a population, and what it is worth. */
export interface Individual {
  readonly at: Float32Array;
  readonly loss: number;
}

/**
 * Evolves a population by differential evolution: each vector's child mixes it with `a + scale · (b − c)` of three others, and takes its place where its loss is
 * not larger. Every `period` rounds the population is divided into clusters, a number of them drawn from 2 to √n; of the one with the least mean loss the best
 * vector w gives as many more as there are clusters, `w + scale · (b − c)`; these and as many that are drawn from the population are put together, and the better
 * half is put back.
 *
 * Storn and Price 1997 (rand/1/bin); clusters: Mousavirad et al. 2021, arXiv:2109.09351 (Clu-DE).
 */
export function differentialEvolution(
  first: readonly Float32Array[],
  lossOf: (at: Float32Array) => number,
  { generations, scale, crossover, period }: Evolving,
  rng: Rng,
): readonly Individual[] {
  const population: Individual[] = first.map((at) => ({ at, loss: lossOf(at) }));
  const n = population.length;
  const width = first[0]!.length;
  for (let round = 1; round <= generations; round++) {
    for (let i = 0; i < n; i++) {
      const draw = rng.at("child", round, i);
      const [a, b, c] = others(draw, n, 3, i).map((k) => population[k]!.at);
      const always = draw.int(width);
      const own = population[i]!;
      const child = Float32Array.from({ length: width }, (_, j) =>
        draw.uniform() < crossover || j === always ? a![j]! + scale * (b![j]! - c![j]!) : own.at[j]!,
      );
      const loss = lossOf(child);
      if (loss <= own.loss) population[i] = { at: child, loss };
    }
    if (period > 0 && round % period === 0) clustered(population, lossOf, scale, rng.at("clusters", round));
  }
  return [...population].sort((x, y) => x.loss - y.loss);
}

/** Puts better vectors from around the best of the best cluster in place of some. */
function clustered(population: Individual[], lossOf: (at: Float32Array) => number, scale: number, rng: Rng): void {
  const n = population.length;
  const width = population[0]!.at.length;
  const count = 2 + rng.int(Math.max(1, Math.floor(Math.sqrt(n)) - 1));
  const rows = new Float32Array(n * width);
  for (const [i, { at }] of population.entries()) rows.set(at, i * width);
  const winner = winnerOf(population, nearestCentres(rows, kMeans(rows, width, count, rng.at("centres")), width));
  const made = Array.from({ length: count }, (_, i): Individual => {
    const [b, c] = others(rng.at("made", i), n, 2).map((k) => population[k]!.at);
    const at = winner.at.map((value, j) => value + scale * (b![j]! - c![j]!));
    return { at, loss: lossOf(at) };
  });
  const places = others(rng.at("replaced"), n, count);
  const better = [...places.map((k) => population[k]!), ...made].sort((x, y) => x.loss - y.loss);
  for (const [i, place] of places.entries()) population[place] = better[i]!;
}

/** The best vector of the cluster whose mean loss is least. */
export function winnerOf(population: readonly Individual[], clusters: readonly number[]): Individual {
  const members = [...new Set(clusters)].map((cluster) => population.filter((_, i) => clusters[i] === cluster));
  const mean = (of: readonly Individual[]): number => of.reduce((sum, { loss }) => sum + loss, 0) / of.length;
  const best = members.reduce((a, b) => (mean(b) < mean(a) ? b : a));
  return best.reduce((a, b) => (b.loss < a.loss ? b : a));
}

/** Different numbers below n, none of them one that is left out. */
function others(rng: Rng, n: number, count: number, without = -1): number[] {
  const left = Array.from({ length: n }, (_, k) => k).filter((k) => k !== without);
  return Array.from({ length: count }, () => left.splice(rng.int(left.length), 1)[0]!);
}
