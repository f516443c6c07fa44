import type { Layer } from "../layer.ts";
import type { HyperZzwOptions } from "../layers/conv/hyper-zzw.ts";
import { dropout, globalPool, hyperZzw } from "../layers/index.ts";
import type { Model } from "../model.ts";
import { type NamedPart, named } from "../parts/named.ts";

/** Options of `terminator`: those of its layers, and how many there are. */
export interface TerminatorOptions extends HyperZzwOptions {
  /** The channels that each block gives. Default [12, 36, 72]. */
  readonly units?: readonly number[];
  /** The share of numbers that are left out behind each block but the first. Default 0.05. */
  readonly dropout?: number;
}

/**
 * A chain of `hyperZzw` blocks without shortcuts, and the mean over all places: every block sees the whole image. Square images `[n, side, side, channels]` become vectors.
 *
 * Zhang 2024, "HyperZ·Z·W operator connects slow-fast networks for full context interaction", arXiv:2401.17948, its architecture Terminator; the channels are those of the first blocks of the
 * author's settings. Differs from the program: dropout leaves out numbers, not channels.
 *
 * @example
 * ```ts
 * import { terminator } from "thalweg";
 * terminator({ units: [8, 16], hidden: 8 }).features([8, 8, 1]); // [16]
 * ```
 */
export function terminator({
  units = [12, 36, 72],
  dropout: rate = 0.05,
  ...own
}: TerminatorOptions = {}): Model<"image"> {
  if (units.length === 0) throw new RangeError("terminator: the channels of at least one block are required, got none");
  const block = (count: number, i: number): Layer | readonly Layer[] =>
    i === 0 || rate === 0 ? hyperZzw(count, own) : [hyperZzw(count, own), dropout(rate)];
  return named<"image">("terminator", { units: [...units], dropout: rate, ...own }, [
    ...units.map((count, i): NamedPart => [`block${i + 1}`, block(count, i)]),
    ["mean", globalPool()],
  ]);
}
