import type { Examples } from "../data/dataset.ts";
import { needWhole } from "../data/options.ts";
import { kernelPlaces, type Matrix, rangesOf, rowsInto, sampleOf } from "../models/parts/kernel-layers.ts";
import type { RuleOptions } from "../models/parts/kernel-rules.ts";
import type { TrainedNetwork } from "../models/trained.ts";

/** Options of `outliers`. */
export interface OutlierOptions extends RuleOptions {
  /** How many standard deviations of all that comes in a value is an outlier from. Default 6. */
  readonly deviations?: number;
}

/** What comes into one layer. */
export interface LayerOutliers {
  readonly path: string;
  /** The largest size of each channel. */
  readonly ranges: readonly number[];
  /** The channels in which a value lies that many deviations from the mean of all, ascending. */
  readonly outliers: readonly number[];
  /** The largest size over the median one of channels: 1 where all range alike. */
  readonly spread: number;
  /** The fourth moment over the squared second one: 3 for normal numbers, more where few lie far out. */
  readonly kurtosis: number;
}

/**
 * Which channels of what comes into a network's layers have outliers, on some examples: what makes rounding of activations hard.
 *
 * A value is an outlier that lies more than `deviations` standard deviations from the mean of all that comes into its layer; a channel that has one is an outlier
 * channel. Layers within blocks are seen too: the products of attention, of feed-forward layers, of Mamba.
 *
 * Implements: P166 Mamba-PTQ
 *
 * Pierro and Abreu 2024, "Mamba-PTQ: outlier channels in recurrent large language models", arXiv:2407.12397; the bound of six deviations is that of Bondarenko et al.
 * 2023, arXiv:2306.12929. Written from the abstract: which products are rounded follows from the layers here; the outlier-aware rule is `quantise.smoothQuant`, plain rounding
 * of both is that with `alpha: 0`.
 *
 * @throws TypeError for an empty table.
 *
 * @example
 * ```ts
 * import { blobs, mlp, network, quantise, random, trained } from "thalweg";
 * const model = mlp({ hidden: [8] });
 * const data = blobs({ classes: 3, dimensions: 6 }).train;
 * const big = trained({ model, input: [6], weights: network(model, [6]).init(random(0), 3) });
 * quantise.outliers(big, data).map(({ path, outliers }) => [path, outliers.length]); // [["model/2-dense", 0]]
 * ```
 */
export function outliers(network: TrainedNetwork, data: Examples, options: OutlierOptions = {}): LayerOutliers[] {
  const where = "quantise.outliers";
  const { filter, samples = 128, deviations = 6 } = options;
  needWhole(where, "samples", samples);
  if (!(deviations > 0)) throw new RangeError(`${where}: deviations above 0 are required, got ${deviations}`);
  if (data.length === 0) throw new TypeError(`${where}: a table of examples is required, got an empty one`);
  const places = kernelPlaces(where, network, filter);
  const x = sampleOf(data, samples);
  const seen = rowsInto(network, network.weights, x, new Set(places.map(({ path }) => path)));
  x.dispose();
  return places.flatMap(({ path, inputs, channels }) => {
    const rows = seen.get(path);
    return rows === undefined ? [] : [{ path, ...statistics(rows, inputs, channels ?? inputs, deviations) }];
  });
}

/** The statistics of rows of so many inputs, window place after window place. */
export function statistics(
  rows: Matrix,
  inputs: number,
  channels: number,
  deviations: number,
): Omit<LayerOutliers, "path"> {
  const mean = rows.reduce((sum, value) => sum + value, 0) / rows.length;
  let [second, fourth] = [0, 0];
  for (const value of rows) {
    const square = (value - mean) ** 2;
    second += square / rows.length;
    fourth += square ** 2 / rows.length;
  }
  const far = new Set<number>();
  const bound = deviations * Math.sqrt(second);
  rows.forEach((value, at) => {
    if (Math.abs(value - mean) > bound) far.add((at % inputs) % channels);
  });
  const ranges = [...rangesOf(rows, inputs, channels)];
  const sorted = [...ranges].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)]!;
  return {
    ranges,
    outliers: [...far].sort((a, b) => a - b),
    spread: median === 0 ? 1 : sorted.at(-1)! / median,
    kurtosis: second === 0 ? 0 : fourth / second ** 2,
  };
}
