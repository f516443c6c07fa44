/** How small the images, the depth and the width of a network are made for what it may cost. */
import { needShare, withDefaults } from "../data/options.ts";
import { fronts } from "../data/parts/fronts.ts";
import { gaussianProcess } from "./parts/gaussian-process.ts";

/** How many times as large a network is as another one: the side of its images, its layers, its units. */
export interface Multipliers {
  readonly resolution: number;
  readonly depth: number;
  readonly width: number;
}

/** A network that was made of another by multipliers and trained. */
export interface Sampled extends Omit<Multipliers, "width"> {
  /** What it costs as a share of the other one. */
  readonly cost: number;
  readonly accuracy: number;
}

/** What `tinyFormula` can be told. */
export interface TinyFormulaOptions {
  /** The share of networks that are looked at, best fronts first; at least the first front is. Default 0.2. */
  readonly share?: number;
  /** How far costs may be apart and still say something of one another. Default 0.25. */
  readonly length?: number;
  /** The variance of the noise of what is observed, as a share of that of the observations. Default 0.1. */
  readonly noise?: number;
}

/**
 * A rule for making a network smaller, learnt from some that were drawn by chance and trained: of those of which none was both cheaper and better, resolution and
 * depth are read as smooth functions of the cost, and the width is what is left of it, `width = √(cost / (depth · resolution²))`.
 *
 * What it gives is a function from a cost, as a share of that of the network one begins with, to multipliers. `giantFormula` is the rule that it is meant to
 * improve on where networks are small, `tinyNets` are five networks that its authors found.
 *
 * Implements: P401 TinyNet
 * Han et al. 2020, "Model Rubik's cube: twisting resolution, depth and width for TinyNets", arXiv:2010.14819: Gaussian process regression on frontier
 * models.
 * Differs from the paper: written from its summary; the length of the kernel and the noise are options, and costs and observations are taken less their mean.
 *
 * @throws RangeError for fewer than two networks, or a cost, resolution or depth that is not above 0.
 *
 * @example
 * ```ts
 * import { tinyFormula } from "thalweg";
 * const networks = [0.2, 0.4, 0.8].map((cost) => ({ cost, resolution: 0.8, depth: 1, accuracy: cost }));
 * const { resolution, depth, width } = tinyFormula(networks, { share: 1 })(0.4);
 * [resolution, depth, width].map((value) => Number(value.toFixed(4))); // [0.8, 1, 0.7906]
 * ```
 */
export function tinyFormula(
  networks: readonly Sampled[],
  options: TinyFormulaOptions = {},
): (cost: number) => Multipliers {
  const { share, length, noise } = withDefaults<Required<TinyFormulaOptions>>("tinyFormula", options, {
    share: 0.2,
    length: 0.25,
    noise: 0.1,
  });
  needShare("tinyFormula", "share", share);
  if (!(length > 0 && noise > 0))
    throw new RangeError(`tinyFormula: a length and a noise above 0 are required, got ${length} and ${noise}`);
  if (networks.length < 2)
    throw new RangeError(`tinyFormula: at least two networks are required, got ${networks.length}; train more`);
  for (const { cost, resolution, depth } of networks)
    for (const value of [cost, resolution, depth])
      if (!(value > 0))
        throw new RangeError(`tinyFormula: costs, resolutions and depths above 0 are required, got ${value}`);
  const looked: Sampled[] = [];
  for (const front of fronts(networks, ({ cost, accuracy }) => [-cost, accuracy])) {
    if (looked.length > 0 && looked.length + front.length > share * networks.length) break;
    looked.push(...front);
  }
  const smooth = (of: (network: Sampled) => number): ((cost: number) => number) => {
    const values = looked.map(of);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
    const expected = gaussianProcess(
      looked.map(({ cost }) => cost),
      values.map((value) => (value - mean) / spread),
      { length, noise },
    );
    return (cost) => mean + spread * expected(cost).mean;
  };
  const [resolutionOf, depthOf] = [smooth(({ resolution }) => resolution), smooth(({ depth }) => depth)];
  return (cost) => {
    needCost("tinyFormula", cost);
    const [resolution, depth] = [resolutionOf(cost), depthOf(cost)];
    return { resolution, depth, width: Math.sqrt(cost / (depth * resolution ** 2)) };
  };
}

/** The five networks that the tiny formula's authors made of EfficientNet-B0, from large to small. */
export const tinyNets: Readonly<Record<"a" | "b" | "c" | "d" | "e", Multipliers>> = Object.freeze({
  a: { resolution: 0.86, width: 1, depth: 1.2 },
  b: { resolution: 0.84, width: 0.75, depth: 1.1 },
  c: { resolution: 0.825, width: 0.54, depth: 0.85 },
  d: { resolution: 0.68, width: 0.54, depth: 0.695 },
  e: { resolution: 0.475, width: 0.51, depth: 0.6 },
});

/** Throws unless a cost is a number above 0. */
export function needCost(where: string, cost: number): void {
  if (!(cost > 0 && Number.isFinite(cost)))
    throw new RangeError(`${where}: a cost above 0 is required, got ${cost}; it is a share of the first network's`);
}
